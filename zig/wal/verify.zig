//! Verify: every byte of a log, without its writer's lock, while the writer goes on.
//!
//! 1. The control file, both slots; the names in the directory; every segment that has to be there.
//! 2. Each segment's header, and whether it goes on where its predecessor ends.
//! 3. Each segment's groups, records and zeros (walk.zig), past any damage.
//!
//! In steps, so that whoever wants the records gets them, and whoever does not stays responsive.
//! What a live writer has not finished yet is no damage, nor are segments that it cuts meanwhile.
const std = @import("std");
const constants = @import("../constants.zig");
const control_module = @import("control.zig");
const disk = @import("disk.zig");
const format = @import("format.zig");
const liveness = @import("../liveness.zig");
const log_module = @import("log.zig");
const open_module = @import("open.zig");
const reports = @import("verify_report.zig");
const scan = @import("scan.zig");
const walk_module = @import("walk.zig");
const window_module = @import("window.zig");
const Detail = @import("../detail.zig").Detail;
const Sleeper = @import("../sleeper.zig").Sleeper;
const Walk = walk_module.Walk;

const allocator = std.heap.c_allocator;

pub const Error = disk.Error || error{OutOfMemory};

pub const Verdict = reports.Verdict;
pub const Finding = reports.Finding;
pub const Overview = reports.Overview;
pub const SegmentReport = reports.SegmentReport;

/// What a step has come to. Findings are in the list.
pub const Step = union(enum) { records: walk_module.Records, finding, segment_end, log_end };

pub const Verifier = struct {
    directory: disk.Directory,
    mode: disk.Mode,
    window: window_module.Window(disk.File),
    segments: std.ArrayList(log_module.Segment) = .empty,
    control: ?control_module.Control = null,
    findings: std.ArrayList(Finding) = .empty,
    overview: Overview = .{},
    verdict: Verdict = .whole,
    /// Of `segments`: the next one.
    index: usize = 0,
    start: usize = 0,
    file: ?disk.File = null,
    /// Of the file that is walked through.
    name: [constants.name_bytes_max]u8 = undefined,
    name_length: usize = 0,
    walk: ?Walk = null,
    /// The last segment's header, and where its groups end if that is known.
    before: ?format.SegmentHeader = null,
    before_place: ?scan.Place = null,
    segment: SegmentReport = .{},
    /// Whether the last segment entered cannot be walked in, and that was not said yet.
    is_unreadable: bool = false,
    has_finished: bool = false,
    /// For handles.zig: a step on another thread announces itself here.
    sleeper: Sleeper = .{},
    is_busy: u32 = 0,

    /// Looks at the directory (zero-ended absolute path). `is_direct` reads past the page cache.
    pub fn init(path: [*:0]const u8, is_direct: bool, detail: *Detail) Error!*Verifier {
        const directory = try disk.Directory.open(path, false, detail);
        const mode: disk.Mode = if (is_direct) .read_direct else .read;
        const verifier = initEmpty(directory, mode) catch |err| {
            directory.close();
            return err;
        };
        errdefer verifier.deinit();
        try verifier.look(detail);
        return verifier;
    }

    /// One that has nothing to walk through yet. The directory is its own from here on.
    pub fn initEmpty(directory: disk.Directory, mode: disk.Mode) Error!*Verifier {
        var window: window_module.Window(disk.File) = try .init();
        errdefer window.deinit();
        const verifier = try allocator.create(Verifier);
        verifier.* = .{ .directory = directory, .mode = mode, .window = window };
        return verifier;
    }

    pub fn deinit(verifier: *Verifier) void {
        if (verifier.file) |file| file.close();
        verifier.directory.close();
        verifier.window.deinit();
        verifier.segments.deinit(allocator);
        verifier.findings.deinit(allocator);
        allocator.destroy(verifier);
    }

    /// Everything but the segments' contents.
    fn look(verifier: *Verifier, detail: *Detail) Error!void {
        const overview = &verifier.overview;
        overview.is_written = @intFromBool(verifier.isWritten());
        for (0..attempts_max) |_| {
            verifier.segments.clearRetainingCapacity();
            verifier.findings.clearRetainingCapacity();
            // First the control file: a segment that it names is there when names are listed.
            try verifier.lookAtControl(detail);
            var visitor: Visitor = .{ .verifier = verifier };
            try verifier.directory.list(&visitor, detail);
            // Once more if segments may have been cut in between.
            const control = verifier.control orelse break;
            const slots = verifier.readSlots() orelse break;
            if (slots.control.generation == control.generation) break;
        }
        verifier.dropLeftovers();
        try verifier.dropDoubles();
        const items = verifier.segments.items;
        overview.segments = @intCast(items.len);
        const control = if (verifier.control) |*found| found else {
            // A maker that died at once leaves less, which is no damage.
            if (items.len > 0) try verifier.find(.control, control_module.file_name, 0, 0, 0);
            if (items.len > 0) overview.first_sequence = toFloat(items[0].first_sequence);
            verifier.adoptIdentity();
            return;
        };
        overview.first_sequence = toFloat(control.oldest_sequence);
        overview.epoch = control.epoch;
        verifier.describe(&control.log);
        const missing = open_module.findMissing(items, control) orelse return;
        const first = if (items.len > 0) items[0].number else 0;
        const is_before = items.len == 0 or missing < first;
        if (is_before) {
            const next_sequence = if (items.len > 0) items[0].first_sequence else 0;
            try verifier.findMissing(missing, control.oldest_sequence, next_sequence);
        }
    }

    pub fn describe(verifier: *Verifier, log: *const format.LogIdentity) void {
        const overview = &verifier.overview;
        overview.record_alignment = log.record_alignment;
        overview.flags = log.flags;
        overview.log_id = log.log_id;
        overview.name = log.name;
        overview.name_bytes = @min(log.name_bytes, constants.name_bytes_max);
    }

    /// Without a control file the first sound header says what the log is.
    fn adoptIdentity(verifier: *Verifier) void {
        for (verifier.segments.items) |segment| {
            const header = verifier.readHeader(segment) orelse continue;
            return verifier.describe(&header.log);
        }
    }

    pub fn lookAtControl(verifier: *Verifier, detail: *Detail) Error!void {
        const name = control_module.file_name;
        const file = verifier.directory.openFile(name, verifier.mode, detail) catch return;
        defer file.close();
        var slots: ?control_module.Slots = null;
        // A slot that is being written while it is read is read again.
        var is_written = false;
        for (0..attempts_max) |_| {
            is_written = verifier.isWritten();
            slots = control_module.read(file, detail) catch null;
            if (slots != null and slots.?.sound == 2) break;
            std.Thread.yield() catch {};
        }
        const found = slots orelse return;
        verifier.control = found.control;
        verifier.overview.sound_slots = found.sound;
        // A live writer may stand still in the middle of one for long. It is the one that it writes
        // next in any case, or the one after.
        if (found.sound < 2 and !is_written and !verifier.isWritten()) {
            const bad_slot = 1 - found.control.generation % 2;
            try verifier.find(.control_slot, name, bad_slot * control_module.slot_bytes, 0, 0);
        }
        const size = file.size(detail) catch 2 * control_module.slot_bytes;
        if (size > 2 * control_module.slot_bytes) try verifier.find(.size, name, size, 0, 0);
    }

    /// Times that something is read again which a live writer may have been at.
    const attempts_max = 4;

    /// The control file as it is now.
    fn readSlots(verifier: *Verifier) ?control_module.Slots {
        var detail: Detail = .{};
        const name = control_module.file_name;
        const file = verifier.directory.openFile(name, .read, &detail) catch return null;
        defer file.close();
        return control_module.read(file, &detail) catch null;
    }

    /// Whether somebody has the log open to write.
    fn isWritten(verifier: *Verifier) bool {
        var detail: Detail = .{};
        const file = verifier.directory.openFile("LOCK", .read, &detail) catch return false;
        defer file.close();
        if (!liveness.isHeldByOther(file.fd, .registration)) return false;
        var text: [16]u8 = undefined;
        const count = file.readAt(&text, 0, &detail) catch 0;
        const pid = std.mem.trim(u8, text[0..count], " \n");
        verifier.overview.writer_pid = std.fmt.parseInt(u32, pid, 10) catch 0;
        return true;
    }

    const Visitor = struct {
        verifier: *Verifier,

        pub fn visit(visitor: *Visitor, name: []const u8) error{OutOfMemory}!void {
            const verifier = visitor.verifier;
            if (format.parseName(name)) |parts| {
                return verifier.segments.append(allocator, .{
                    .number = parts.segment,
                    .first_sequence = parts.first_sequence,
                });
            }
            if (std.mem.endsWith(u8, name, ".wal")) {
                try verifier.find(.segment_foreign, name, 0, 0, 0);
            }
        }
    };

    fn isBefore(_: void, left: log_module.Segment, right: log_module.Segment) bool {
        if (left.number != right.number) return left.number < right.number;
        return left.first_sequence < right.first_sequence;
    }

    /// Segments that were cut and not unlinked yet are no part of the log.
    fn dropLeftovers(verifier: *Verifier) void {
        std.mem.sort(log_module.Segment, verifier.segments.items, {}, isBefore);
        const control = verifier.control orelse return;
        const items = verifier.segments.items;
        var count: usize = 0;
        while (count < items.len and items[count].number < control.oldest) count += 1;
        verifier.segments.replaceRangeAssumeCapacity(0, count, &.{});
    }

    /// Of files with the same number one is the segment: that whose header says so.
    fn dropDoubles(verifier: *Verifier) Error!void {
        const items = &verifier.segments;
        var i: usize = 0;
        while (i + 1 < items.items.len) {
            const left = items.items[i];
            if (left.number != items.items[i + 1].number) {
                i += 1;
                continue;
            }
            const dropped = if (verifier.readHeader(left) == null) i else i + 1;
            const segment = items.orderedRemove(dropped);
            const name = format.segmentName(segment.number, segment.first_sequence);
            try verifier.find(.segment_foreign, &name, 0, 0, 0);
        }
    }

    /// A segment's header, if it is that segment's and sound.
    fn readHeader(verifier: *Verifier, segment: log_module.Segment) ?format.SegmentHeader {
        const name = format.segmentName(segment.number, segment.first_sequence);
        var detail: Detail = .{};
        const file = verifier.directory.openFile(&name, .read, &detail) catch return null;
        defer file.close();
        var header: format.SegmentHeader = undefined;
        const count = file.readAt(std.mem.asBytes(&header), 0, &detail) catch return null;
        if (count != format.header_bytes or !header.isSound()) return null;
        const is_same = header.segment == segment.number and
            header.first_sequence == segment.first_sequence;
        return if (is_same and verifier.isOurs(&header.log)) header else null;
    }

    fn isOurs(verifier: *const Verifier, log: *const format.LogIdentity) bool {
        if (verifier.control) |*control| {
            return std.mem.eql(u8, &control.log.log_id, &log.log_id);
        }
        const known = verifier.overview.record_alignment != 0;
        return !known or std.mem.eql(u8, &verifier.overview.log_id, &log.log_id);
    }

    /// Leaves out what lies before the message that `sequence` belongs to. Before the first step.
    pub fn skipTo(verifier: *Verifier, sequence: u64) void {
        const items = verifier.segments.items;
        while (verifier.index + 1 < items.len and
            items[verifier.index + 1].first_sequence <= sequence) verifier.index += 1;
        verifier.start = verifier.index;
    }

    /// Goes back one segment. False at the first.
    pub fn skipBack(verifier: *Verifier) bool {
        if (verifier.index == 0) return false;
        verifier.index -= 1;
        verifier.start = verifier.index;
        return true;
    }

    /// Goes on to the next records, finding, or end.
    pub fn step(verifier: *Verifier) Error!Step {
        while (verifier.walk == null) {
            const seen = verifier.findings.items.len;
            if (verifier.is_unreadable) {
                verifier.is_unreadable = false;
                return .segment_end;
            }
            if (verifier.index == verifier.segments.items.len) {
                if (!verifier.has_finished) try verifier.finish();
                verifier.has_finished = true;
                return if (verifier.findings.items.len > seen) .finding else .log_end;
            }
            try verifier.enter();
            verifier.is_unreadable = verifier.walk == null;
            if (verifier.findings.items.len > seen) return .finding;
            if (verifier.walk == null) continue;
        }
        const walk = &verifier.walk.?;
        switch (walk.step()) {
            .records => |records| return .{ .records = records },
            .damage => |damage| {
                try verifier.find(
                    damage.fault,
                    verifier.fileName(),
                    damage.offset,
                    damage.expected,
                    damage.next,
                );
                return .finding;
            },
            .done => {
                verifier.leave();
                return .segment_end;
            },
        }
    }

    /// Goes to the next segment. There is none to walk in where its file cannot be read.
    fn enter(verifier: *Verifier) Error!void {
        const items = verifier.segments.items;
        const segment = items[verifier.index];
        verifier.index += 1;
        try verifier.checkGap(segment);
        const name = format.segmentName(segment.number, segment.first_sequence);
        verifier.setName(&name);
        verifier.segment = .{ .segment = segment.number };
        var detail: Detail = .{};
        const file = verifier.directory.openFile(&name, verifier.mode, &detail) catch |err| {
            verifier.before_place = null;
            verifier.before = null;
            if (err == error.NotFound and verifier.wasCut(segment)) return;
            const is_gone = err == error.NotFound;
            const fault: scan.Fault = if (is_gone) .segment_missing else .segment_foreign;
            const next_sequence = verifier.sequenceBehind();
            return verifier.find(fault, &name, 0, segment.first_sequence, next_sequence);
        };
        verifier.file = file;
        var header = try verifier.checkHeader(file, segment) orelse {
            file.close();
            verifier.file = null;
            verifier.before = null;
            verifier.before_place = null;
            return;
        };
        try verifier.checkOrder(segment, &header);
        verifier.window.attach(file, 0, header.segment_bytes);
        verifier.walk = .init(&verifier.window, &header, verifier.endingOf(segment));
        verifier.before = header;
    }

    /// Whether a segment before this one is missing.
    fn checkGap(verifier: *Verifier, segment: log_module.Segment) Error!void {
        if (verifier.index < verifier.start + 2) return;
        const number = verifier.segments.items[verifier.index - 2].number + 1;
        if (segment.number == number) return;
        const expected = if (verifier.before_place) |place| place.sequence else 0;
        try verifier.findMissing(number, expected, segment.first_sequence);
        verifier.before_place = null;
    }

    pub fn setName(verifier: *Verifier, name: []const u8) void {
        verifier.name_length = @min(name.len, verifier.name.len);
        @memcpy(verifier.name[0..verifier.name_length], name[0..verifier.name_length]);
    }

    fn fileName(verifier: *const Verifier) []const u8 {
        return verifier.name[0..verifier.name_length];
    }

    /// First sequence of the segment behind the one just entered; 0 if there is none.
    fn sequenceBehind(verifier: *const Verifier) u64 {
        const items = verifier.segments.items;
        return if (verifier.index < items.len) items[verifier.index].first_sequence else 0;
    }

    /// Whether the writer has cut a segment since we have listed it.
    fn wasCut(verifier: *Verifier, segment: log_module.Segment) bool {
        return if (verifier.readSlots()) |found| segment.number < found.control.oldest else false;
    }

    /// The segment's header; where it is not sound, what it must have been. Null if the file is
    /// another log's, or nothing can be known of it.
    fn checkHeader(
        verifier: *Verifier,
        file: disk.File,
        segment: log_module.Segment,
    ) Error!?format.SegmentHeader {
        verifier.window.attach(file, 0, format.header_bytes);
        const name = verifier.fileName();
        const bytes = verifier.window.at(0, format.header_bytes);
        var detail: Detail = .{};
        const size = file.size(&detail) catch 0;
        var header: format.SegmentHeader = undefined;
        if (bytes.len == format.header_bytes) @memcpy(std.mem.asBytes(&header), bytes);
        const first = segment.first_sequence;
        if (bytes.len != format.header_bytes or !header.isSound()) {
            try verifier.find(.segment_header, name, 0, first, first);
            return verifier.guessHeader(segment, size);
        }
        const is_same = header.segment == segment.number and header.first_sequence == first;
        if (!is_same or !verifier.isOurs(&header.log)) {
            try verifier.find(.segment_foreign, name, 0, first, verifier.sequenceBehind());
            return null;
        }
        if (size != header.segment_bytes) {
            try verifier.find(.size, name, @min(size, header.segment_bytes), 0, 0);
        }
        return header;
    }

    pub fn guessHeader(
        verifier: *Verifier,
        segment: log_module.Segment,
        size: u64,
    ) ?format.SegmentHeader {
        const behind: ?format.SegmentHeader = if (verifier.index < verifier.segments.items.len)
            verifier.readHeader(verifier.segments.items[verifier.index])
        else
            null;
        const model: ?format.SegmentHeader = verifier.before orelse behind;
        const log = if (verifier.control) |*control| control.log else if (model) |*found|
            found.log
        else
            return null;
        const before = verifier.before_place;
        const page_bytes = constants.page_bytes;
        const whole = std.mem.alignBackward(u64, size, page_bytes);
        return .{
            .epoch = 0,
            .segment = segment.number,
            .group_alignment = if (model) |found| found.group_alignment else 512,
            .first_sequence = segment.first_sequence,
            .first_group = if (before) |place| place.group else 1,
            .segment_bytes = @min(whole, constants.segment_bytes_max),
            .previous_end = if (before) |place| place.offset else 0,
            .created_ns = 0,
            .chain = if (before) |place| place.chain else 0,
            .boot_id = @splat(0),
            .log = log,
        };
    }

    /// Whether the segment goes on where the one before it has ended.
    fn checkOrder(
        verifier: *Verifier,
        segment: log_module.Segment,
        header: *const format.SegmentHeader,
    ) Error!void {
        const first = header.first_sequence;
        const name = verifier.fileName();
        const before = verifier.before orelse {
            const control = verifier.control orelse return;
            if (segment.number != control.oldest or first == control.oldest_sequence) return;
            return verifier.find(.segment_order, name, 0, control.oldest_sequence, first);
        };
        const place = verifier.before_place orelse return;
        if (segment.number != before.segment + 1) return;
        const fits = first == place.sequence and header.first_group == place.group and
            header.chain == place.chain and header.previous_end == place.offset;
        if (!fits) try verifier.find(.segment_order, name, 0, place.sequence, first);
    }

    fn endingOf(verifier: *Verifier, segment: log_module.Segment) walk_module.Ending {
        const items = verifier.segments.items;
        if (verifier.index < items.len) {
            const behind = items[verifier.index];
            if (behind.number != segment.number + 1) return .{ .is_sealed = true };
            const header = verifier.readHeader(behind);
            return .{
                .is_sealed = true,
                .proven_end = if (header) |found| found.previous_end else 0,
                .next_sequence = behind.first_sequence,
            };
        }
        const control = verifier.control orelse return .{};
        if (control.newest > segment.number) return .{ .is_sealed = true };
        if (control.newest < segment.number or control.end == 0) return .{};
        return .{ .proven_end = control.end, .next_sequence = control.end_sequence };
    }

    fn leave(verifier: *Verifier) void {
        const walk = &verifier.walk.?;
        const segment = &verifier.segment;
        verifier.before_place = if (walk.is_exact) walk.place else null;
        segment.bytes = toFloat(walk.header.segment_bytes);
        segment.first_sequence = toFloat(walk.header.first_sequence);
        segment.next_sequence = toFloat(walk.place.sequence);
        segment.groups = toFloat(walk.groups);
        segment.records = toFloat(walk.records);
        segment.end = toFloat(walk.place.offset);
        if (walk.torn_bytes > 0) {
            if (verifier.isWritten()) {
                segment.unfinished_bytes = toFloat(walk.torn_bytes);
            } else {
                segment.torn_offset = toFloat(walk.torn_offset);
                segment.torn_bytes = toFloat(walk.torn_bytes);
                segment.torn_fault = @intFromEnum(walk.torn_fault);
                if (verifier.verdict == .whole) verifier.verdict = .torn;
            }
        }
        verifier.file.?.close();
        verifier.file = null;
        verifier.walk = null;
    }

    /// What should stand behind the last segment.
    fn finish(verifier: *Verifier) Error!void {
        const items = verifier.segments.items;
        const control = verifier.control orelse return;
        if (items.len == 0) return;
        const last = items[items.len - 1].number;
        if (last >= control.newest) return;
        const place = verifier.before_place;
        const end_sequence = if (control.end != 0) control.end_sequence else 0;
        try verifier.findMissing(last + 1, if (place) |at| at.sequence else 0, end_sequence);
    }

    fn findMissing(verifier: *Verifier, number: u32, expected: u64, next: u64) Error!void {
        var name: [8]u8 = undefined;
        const text = std.fmt.bufPrint(&name, "{x:0>8}", .{number}) catch unreachable;
        try verifier.find(.segment_missing, text, 0, expected, next);
    }

    pub fn find(
        verifier: *Verifier,
        fault: scan.Fault,
        name: []const u8,
        offset: u64,
        expected: u64,
        next: u64,
    ) error{OutOfMemory}!void {
        var finding: Finding = .{
            .offset = toFloat(offset),
            .expected = toFloat(expected),
            .next = toFloat(next),
            .fault = @intFromEnum(fault),
            .name_bytes = @intCast(@min(name.len, constants.name_bytes_max)),
            .name = @splat(0),
        };
        @memcpy(finding.name[0..finding.name_bytes], name[0..finding.name_bytes]);
        try verifier.findings.append(allocator, finding);
        // A crash may leave one bad slot; the other one has everything.
        if (fault != .control_slot) verifier.verdict = .corrupt;
    }

    /// The report of the segment just walked through.
    pub fn report(verifier: *const Verifier) SegmentReport {
        var value = verifier.segment;
        value.findings = @intCast(verifier.findings.items.len);
        value.verdict = @intFromEnum(verifier.verdict);
        return value;
    }
};

fn toFloat(value: u64) f64 {
    return @floatFromInt(value);
}
