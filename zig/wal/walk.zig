//! Walk: one segment from its first group to its end, past any damage. Read-only, and while the
//! log's writer goes on.
//!
//! - A group that does not verify is damage if something proves that it was durable once: a later
//!   group, the segment behind, the control file of a clean end. Otherwise the log ends there, and
//!   what follows is a tail that was never acknowledged (open.zig has the same rule).
//! - Behind damage it goes on at the next sound group. In between, records are looked for one by
//!   one: each carries its sequence and a checksum. So what is lost is known to the record.
//! - What did not verify is read again before it is judged: the writer may have been at it.
//! - Every place of the file is looked at a bounded number of times, whatever stands there.
const std = @import("std");
const constants = @import("../constants.zig");
const disk = @import("disk.zig");
const format = @import("format.zig");
const record = @import("../record.zig");
const scan = @import("scan.zig");
const window_module = @import("window.zig");
const zeros = @import("zeros.zig");

/// What is known of a segment's end.
pub const Ending = struct {
    /// Whether a segment follows: everything in this one is durable.
    is_sealed: bool = false,
    /// Offset up to which it was durable, by its successor or a clean end; 0 if that is not known.
    proven_end: u64 = 0,
    /// First sequence behind it; 0 if that is not known.
    next_sequence: u64 = 0,
};

/// Records that verify, one behind the other.
pub const Records = struct {
    /// Where the group stands in the segment; for a record on its own where that does.
    offset: u64,
    /// Number of the group; 0 for a record that was found on its own.
    group: u64,
    sequence: u64,
    count: u32,
    /// Their bytes: good until the next step.
    bytes: []const u8,
};

/// Damage, and what it has cost: the sequences from `expected` up to, but without, `next`.
pub const Damage = struct {
    fault: scan.Fault,
    offset: u64,
    expected: u64,
    /// 0 if it is not known what follows.
    next: u64,
};

pub const Step = union(enum) { records: Records, damage: Damage, done };

pub const Walk = struct {
    window: *window_module.Window(disk.File),
    header: format.SegmentHeader,
    ending: Ending,
    place: scan.Place,
    mode: enum { groups, records, done } = .groups,
    /// Times that the group at `place` was read and found bad.
    attempts: u32 = 0,
    area: Area = undefined,
    /// Offset behind the last byte that is not zero, and the largest `durable_end` of a sound
    /// group; 0 before anybody wanted to know.
    used_end: u64 = 0,
    durable_end: u64 = 0,
    /// Whether `place` is where the log goes on: nothing was lost at the end.
    is_exact: bool = true,
    groups: u64 = 0,
    records: u64 = 0,
    torn_offset: u64 = 0,
    torn_bytes: u64 = 0,
    torn_fault: scan.Fault = .none,

    /// Between bad bytes and the next sound group.
    const Area = struct {
        fault: scan.Fault,
        /// What is wrong, and from where on records are looked for.
        offset: u64,
        at: u64,
        end: u64,
        /// Next sequence, and the first one behind; 0 if that is not known.
        wanted: u64,
        sequence_end: u64,
        next: ?scan.Place,
        is_told: bool = false,
    };

    /// The window is attached to the segment's file.
    pub fn init(
        window: *window_module.Window(disk.File),
        header: *const format.SegmentHeader,
        ending: Ending,
    ) Walk {
        return .{
            .window = window,
            .header = header.*,
            .ending = ending,
            .place = .first(header),
        };
    }

    /// Goes on to the next sound records, or the next damage.
    pub fn step(walk: *Walk) Step {
        while (true) {
            const found = switch (walk.mode) {
                .groups => walk.stepGroup(),
                .records => walk.stepRecord(),
                .done => return .done,
            };
            if (found) |value| return value;
        }
    }

    fn stepGroup(walk: *Walk) ?Step {
        const before = walk.place;
        const bytes = walk.groupAt(before.offset);
        switch (scan.next(&walk.header, &walk.place, bytes)) {
            .sound => |sound| {
                const payload = &sound.group.payload;
                walk.attempts = 0;
                walk.groups += 1;
                walk.records += payload.count;
                return .{ .records = .{
                    .offset = before.offset,
                    .group = before.group,
                    .sequence = before.sequence,
                    .count = payload.count,
                    .bytes = bytes[format.group_record_bytes..][0..payload.body_bytes],
                } };
            },
            .bad => |bad| return walk.judge(bad),
        }
    }

    /// The bytes at `offset`: a whole group, if one begins there.
    fn groupAt(walk: *Walk, offset: u64) []const u8 {
        const head = walk.window.at(offset, format.group_record_bytes);
        const at = record.header_bytes + @offsetOf(format.GroupPayload, "body_bytes");
        if (head.len < format.group_record_bytes) return head;
        const body_bytes = std.mem.readInt(u32, head[at..][0..4], .little);
        if (body_bytes > constants.group_bytes_max) return head;
        const end = format.group_record_bytes + @as(usize, body_bytes);
        const alignment = walk.header.group_alignment;
        return walk.window.at(offset, std.mem.alignForward(usize, end, alignment));
    }

    /// What the bad bytes at `place` are: old, the end, a tail, or damage.
    fn judge(walk: *Walk, bad: scan.Bad) ?Step {
        walk.attempts += 1;
        if (walk.attempts == 1) {
            walk.window.forget();
            return null;
        }
        const from = walk.place.offset;
        const ending = &walk.ending;
        if (from >= walk.used_end) walk.used_end = walk.findUsedEnd(from);
        if (from >= walk.used_end) {
            return walk.endHere(if (ending.proven_end > from) bad.fault else null);
        }
        if (ending.is_sealed and from == ending.proven_end) {
            const used = walk.findUsed(from);
            walk.mode = .done;
            const sequence = walk.place.sequence;
            return damage(.padding, used, sequence, sequence);
        }
        if (!ending.is_sealed and ending.proven_end <= from) {
            if (from >= walk.durable_end) walk.durable_end = walk.findDurableEnd(from);
            if (from >= walk.durable_end) {
                walk.torn_offset = from;
                walk.torn_bytes = walk.used_end - from;
                walk.torn_fault = bad.fault;
                walk.mode = .done;
                return null;
            }
        }
        if (walk.attempts == 2) { // What proves it may have been written after we had read here.
            walk.window.forget();
            return null;
        }
        walk.enterArea(bad);
        return null;
    }

    /// Nothing but zeros follows.
    fn endHere(walk: *Walk, fault: ?scan.Fault) ?Step {
        walk.mode = .done;
        const ending = &walk.ending;
        const sequence = walk.place.sequence;
        const offset = walk.place.offset;
        const is_short = fault != null or ending.next_sequence > sequence;
        if (is_short) {
            walk.is_exact = false;
            const what: scan.Fault = if (ending.is_sealed) fault orelse .group else .regressed;
            return damage(what, offset, sequence, @max(ending.next_sequence, sequence));
        }
        if (ending.is_sealed and ending.proven_end != 0 and ending.proven_end < offset) {
            return damage(.order, ending.proven_end, sequence, sequence);
        }
        return null;
    }

    fn damage(fault: scan.Fault, offset: u64, expected: u64, following: u64) Step {
        return .{ .damage = .{
            .fault = fault,
            .offset = offset,
            .expected = expected,
            .next = following,
        } };
    }

    fn enterArea(walk: *Walk, bad: scan.Bad) void {
        // A sound group that belongs elsewhere is gone on with where it stands.
        const is_other = bad.fault == .order and bad.offset == walk.place.offset;
        const following = walk.findGroup(is_other);
        walk.area = .{
            .fault = bad.fault,
            .offset = bad.offset,
            .at = walk.place.offset + format.group_record_bytes,
            .end = if (following) |place| place.offset else walk.used_end,
            .wanted = walk.place.sequence,
            .sequence_end = if (following) |place| place.sequence else walk.ending.next_sequence,
            .next = following,
        };
        walk.mode = .records;
    }

    /// The next sound record in the area. Tells of the sequences before it that are lost.
    fn stepRecord(walk: *Walk) ?Step {
        const area = &walk.area;
        const log = &walk.header.log;
        const step_bytes = log.record_alignment;
        while (area.at < area.end) {
            const rest = area.end - area.at;
            const bytes = walk.window.at(area.at, @intCast(@min(rest, record_bytes_most)));
            const found = readLater(log, area, bytes) orelse {
                area.at += step_bytes;
                continue;
            };
            if (found.sequence > area.wanted) return walk.tell(found.sequence);
            const at = area.at;
            area.at += found.record.stride;
            area.wanted += 1;
            walk.records += 1;
            return .{ .records = .{
                .offset = at,
                .group = 0,
                .sequence = found.sequence,
                .count = 1,
                .bytes = bytes[0..found.record.stride],
            } };
        }
        if (area.wanted < area.sequence_end or !area.is_told) {
            const is_known = area.sequence_end >= area.wanted;
            return walk.tell(if (is_known) area.sequence_end else 0);
        }
        if (area.next) |place| {
            walk.place = place;
            walk.attempts = 0;
            walk.mode = .groups;
        } else {
            walk.is_exact = false;
            walk.mode = .done;
        }
        return null;
    }

    const record_bytes_most = record.header_bytes + constants.record_payload_max +
        record.trailer_bytes + constants.alignment_max;

    fn readLater(
        log: *const format.LogIdentity,
        area: *const Area,
        bytes: []const u8,
    ) ?struct { sequence: u64, record: scan.Record } {
        if (bytes.len < 16) return null;
        const sequence = std.mem.readInt(u64, bytes[0..8], .little);
        if (sequence < area.wanted or sequence > constants.sequence_max) return null;
        if (area.sequence_end != 0 and sequence >= area.sequence_end) return null;
        const found = scan.readRecord(log, sequence, bytes) orelse return null;
        return .{ .sequence = sequence, .record = found };
    }

    /// Reports the loss from the wanted sequence up to `following`.
    fn tell(walk: *Walk, following: u64) Step {
        const area = &walk.area;
        const fault: scan.Fault = if (area.is_told) .record else area.fault;
        const offset = if (area.is_told) area.at else area.offset;
        const expected = area.wanted;
        area.is_told = true;
        area.wanted = @max(area.wanted, following);
        return damage(fault, offset, expected, following);
    }

    /// The next group that is sound by itself, from here on or behind.
    fn findGroup(walk: *Walk, is_here: bool) ?scan.Place {
        const sector = 512;
        var at = if (is_here) walk.place.offset else walk.place.offset + sector;
        while (at < walk.used_end) : (at += sector) {
            const group = walk.readGroupAt(at) orelse continue;
            const payload = &group.payload;
            if (payload.group < walk.place.group or group.first_sequence < walk.place.sequence or
                group.first_sequence > constants.sequence_max) continue;
            if (payload.body_bytes > constants.group_bytes_max) continue;
            return .{
                .offset = at,
                .group = payload.group,
                .sequence = group.first_sequence,
                .chain = payload.chain,
            };
        }
        return null;
    }

    /// A sound group's record of this segment.
    fn readGroupAt(walk: *Walk, at: u64) ?format.Group {
        const bytes = walk.window.at(at, format.group_record_bytes);
        const group = format.readGroup(bytes, walk.header.log.salt) orelse return null;
        const payload = &group.payload;
        if (payload.segment != walk.header.segment or payload.durable_end > at) return null;
        return group;
    }

    /// Largest offset behind `from` that a later group proves durable.
    fn findDurableEnd(walk: *Walk, from: u64) u64 {
        const alignment = walk.header.group_alignment;
        var durable_end: u64 = 0;
        var at = from + alignment;
        while (at < walk.used_end) : (at += alignment) {
            const group = walk.readGroupAt(at) orelse continue;
            durable_end = @max(durable_end, group.payload.durable_end);
        }
        return durable_end;
    }

    /// Offset of the first byte from `from` on that is not zero.
    fn findUsed(walk: *Walk, from: u64) u64 {
        var at = from;
        while (true) {
            const bytes = walk.window.at(at, 1);
            if (bytes.len == 0) return at;
            const used = zeros.firstUsed(bytes);
            at += used;
            if (used < bytes.len) return at;
        }
    }

    /// Offset behind the last byte from `from` on that is not zero; `from` if there is none.
    fn findUsedEnd(walk: *Walk, from: u64) u64 {
        var at = from;
        var used_end = from;
        while (true) {
            const bytes = walk.window.at(at, 1);
            if (bytes.len == 0) return used_end;
            const used = zeros.endUsed(bytes);
            if (used > 0) used_end = at + used;
            at += bytes.len;
        }
    }
};
