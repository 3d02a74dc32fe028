//! Verifies a whole log on the fault disk: an oracle for its tests, which shares only the format
//! and `scan.next` with what it judges.
const std = @import("std");
const assert = std.debug.assert;
const control_module = @import("../wal/control.zig");
const fault_disk = @import("fault_disk.zig");
const format = @import("../wal/format.zig");
const record = @import("../record.zig");
const scan = @import("../wal/scan.zig");
const Control = control_module.Control;
const Detail = @import("../detail.zig").Detail;
const Disk = fault_disk.Disk;

/// Something that is wrong.
pub const Finding = struct {
    fault: scan.Fault,
    /// 0 for the control file.
    segment: u32 = 0,
    offset: u64 = 0,
};

pub const Summary = struct {
    first_sequence: u64,
    next_sequence: u64,
    /// Where the last segment ends.
    end: u64,
    segments: u32,
};

pub const Verdict = union(enum) { sound: Summary, bad: Finding };

pub const segments_max = 32;

/// A record of the log: its bytes are good until the visitor returns.
pub const Visited = struct { sequence: u64, flags: u8, payload: []const u8 };

/// Where the bytes of files come from.
pub const Source = struct {
    disk: *Disk,
    mode: fault_disk.Mode,
    buffer: [fault_disk.file_bytes_max]u8 align(fault_disk.page_bytes) = undefined,

    fn read(source: *Source, name: []const u8) ?[]const u8 {
        var text: [64:0]u8 = undefined;
        @memcpy(text[0..name.len], name);
        text[name.len] = 0;
        var detail: Detail = .{};
        const directory = source.disk.directory();
        const file = directory.openFile(text[0..name.len :0], source.mode, &detail) catch
            return null;
        defer file.close();
        const count = file.readAt(&source.buffer, 0, &detail) catch return null;
        return source.buffer[0..count];
    }
};

const Segments = struct {
    items: [segments_max]format.NameParts = undefined,
    count: usize = 0,

    fn isBefore(_: void, left: format.NameParts, right: format.NameParts) bool {
        return left.segment < right.segment;
    }

    fn list(disk: *const Disk, oldest: u32) Segments {
        var found: Segments = .{};
        for (disk.names.slice()) |*name| {
            const parts = format.parseName(name.text()) orelse continue;
            if (parts.segment < oldest) continue; // Cut, and not yet unlinked.
            found.items[found.count] = parts;
            found.count += 1;
        }
        std.mem.sort(format.NameParts, found.items[0..found.count], {}, isBefore);
        return found;
    }
};

/// Reads every byte. Calls `visitor.visit(record)` for each record, in order.
pub fn verifyAll(source: *Source, visitor: anytype) Verdict {
    var control: Control = undefined;
    if (readControl(source, &control)) |bad| return .{ .bad = bad };
    const segments = Segments.list(source.disk, control.oldest);
    var place: scan.Place = .{
        .offset = 0,
        .group = 1,
        .sequence = control.oldest_sequence,
        .chain = 0,
    };
    var number = control.oldest;
    for (segments.items[0..segments.count], 0..) |parts, i| {
        if (parts.segment != number) {
            return .{ .bad = .{ .fault = .segment_missing, .segment = number } };
        }
        number += 1;
        if (verifySegment(source, &control, parts, i == 0, &place, visitor)) |bad| {
            return .{ .bad = bad };
        }
    }
    if (number <= control.newest) {
        return .{ .bad = .{ .fault = .segment_missing, .segment = number } };
    }
    if (control.end > place.offset and number == control.newest + 1) {
        return .{ .bad = .{ .fault = .regressed, .segment = number - 1, .offset = place.offset } };
    }
    return .{ .sound = .{
        .first_sequence = control.oldest_sequence,
        .next_sequence = place.sequence,
        .end = place.offset,
        .segments = @intCast(segments.count),
    } };
}

fn readControl(source: *Source, control: *Control) ?Finding {
    const bytes = source.read(control_module.file_name) orelse return .{ .fault = .control };
    var sound: u32 = 0;
    for (0..2) |i| {
        const from = i * @sizeOf(Control);
        if (bytes.len < from + @sizeOf(Control)) continue;
        var slot: Control = undefined;
        @memcpy(std.mem.asBytes(&slot), bytes[from..][0..@sizeOf(Control)]);
        if (!slot.isSound() or slot.generation % 2 != i) continue;
        sound += 1;
        if (sound == 1 or slot.generation > control.generation) control.* = slot;
    }
    if (sound == 0) return .{ .fault = .control };
    if (sound == 1) return .{ .fault = .control_slot };
    if (bytes.len != 2 * @sizeOf(Control)) return .{ .fault = .size };
    return null;
}

fn verifySegment(
    source: *Source,
    control: *const Control,
    parts: format.NameParts,
    is_first: bool,
    place: *scan.Place,
    visitor: anytype,
) ?Finding {
    var finding: Finding = .{ .fault = .segment_header, .segment = parts.segment };
    const name = format.segmentName(parts.segment, parts.first_sequence);
    const bytes = source.read(&name).?;
    if (bytes.len < format.header_bytes) return finding;
    var header: format.SegmentHeader = undefined;
    @memcpy(std.mem.asBytes(&header), bytes[0..format.header_bytes]);
    if (!header.isSound()) return finding;
    finding.fault = .segment_foreign;
    if (!std.mem.eql(u8, &header.log.log_id, &control.log.log_id)) return finding;
    if (header.segment != parts.segment) return finding;
    if (header.first_sequence != parts.first_sequence) return finding;
    finding.fault = .size;
    if (header.segment_bytes != bytes.len) return finding;
    finding.fault = .segment_order;
    if (header.first_sequence != place.sequence) return finding;
    const follows = header.first_group == place.group and header.chain == place.chain and
        header.previous_end == place.offset;
    if (!is_first and !follows) return finding;
    place.* = .first(&header);
    const bad = walk(&header, bytes, place, visitor);
    const used = scan.usedBytes(bytes[@intCast(place.offset)..]);
    if (used == 0) return null;
    finding.fault = bad.fault;
    finding.offset = bad.offset;
    return finding;
}

/// Goes on as long as groups are sound. Returns what stopped it.
fn walk(
    header: *const format.SegmentHeader,
    bytes: []const u8,
    place: *scan.Place,
    visitor: anytype,
) scan.Bad {
    while (place.offset + format.group_record_bytes <= bytes.len) {
        const before = place.*;
        const rest = bytes[@intCast(place.offset)..];
        switch (scan.next(header, place, rest)) {
            .bad => |bad| return bad,
            .sound => |sound| visitGroup(&header.log, before.sequence, &sound, rest, visitor),
        }
    }
    return .{ .fault = .padding, .offset = place.offset, .sequence = place.sequence };
}

fn visitGroup(
    log: *const format.LogIdentity,
    first: u64,
    sound: *const scan.Sound,
    bytes: []const u8,
    visitor: anytype,
) void {
    var at: u64 = format.group_record_bytes;
    const end = at + sound.group.payload.body_bytes;
    for (0..sound.group.payload.count) |i| {
        const found = scan.readRecord(log, first + i, bytes[at..end]).?;
        visitor.visit(.{
            .sequence = first + i,
            .flags = found.flags,
            .payload = bytes[at + record.header_bytes ..][0..found.length],
        });
        at += found.stride;
    }
    assert(at == end);
}

/// Takes no notice of records.
pub const Nobody = struct {
    pub fn visit(_: Nobody, _: Visited) void {}
};
