//! Opening a log for appending: finds its end, repairs a torn tail, refuses damage.
//!
//! 1. The control file says which segments have to be there. One that is missing, foreign, or does
//!    not follow its predecessor is corruption.
//! 2. The last segment is scanned group by group, read past the page cache: after a failed sync the
//!    cache shows what the device does not have.
//! 3. Where that stops, something that was durable may be damaged, or the last groups may have been
//!    under way when the power went. If a later group, or the control file of a clean end, proves
//!    that everything up to there was durable once, it is corruption: nothing is changed, the error
//!    names the place. Otherwise the tail was never acknowledged: its bytes are saved aside and
//!    zeroed, and the log goes on.
//! 4. What follows the last proof is synced before anybody is told of it. It is written once more
//!    only where the cache shows something else than the device has.
//!
//! A crash in here is met by the next opening: all of it may be repeated.
const std = @import("std");
const constants = @import("../constants.zig");
const control_module = @import("control.zig");
const format = @import("format.zig");
const log_module = @import("log.zig");
const scan = @import("scan.zig");
const Detail = @import("../detail.zig").Detail;

const allocator = std.heap.c_allocator;

/// How the end of a log was found.
pub const Verdict = enum(u32) {
    /// There was no log; one was made.
    created = 0,
    /// It ended with its last group.
    whole = 1,
    /// A tail that was never acknowledged was saved aside.
    torn = 2,
};

/// What opening has found.
pub const Report = extern struct {
    /// Sequence of the first record that the log has, and of the last one; the latter is 1 less
    /// where it has none.
    first_sequence: f64 = 0,
    last_sequence: f64 = 0,
    /// Bytes and groups of the last segment that were read and verified.
    verified_bytes: f64 = 0,
    verified_groups: f64 = 0,
    /// The tail that was saved aside: where in the last segment it began, and its bytes.
    torn_offset: f64 = 0,
    torn_bytes: f64 = 0,
    verdict: u32 = 0,
    /// 1 if its last writer had closed it.
    is_clean: u32 = 0,
    segments: u32 = 0,
    epoch: u32 = 0,
};

pub fn Opener(comptime disk: type) type {
    const Log = log_module.Log(disk);
    return struct {
        pub const Error = Log.Error || error{ Corrupt, OtherLog };

        /// Opens the log in `directory`, or makes one there. On `Corrupt`, `detail` says what and
        /// where; on `OtherLog` that the log is another channel's.
        pub fn open(
            directory: disk.Directory,
            options: log_module.Options,
            report: *Report,
            detail: *Detail,
        ) Error!Log {
            var segments = try listSegments(directory, detail);
            errdefer segments.deinit(allocator);
            const control_file = try openControl(directory, detail);
            errdefer if (control_file) |file| file.close();
            const found = if (control_file) |file| blk: {
                const found = try readControl(directory, detail);
                // A slot that its writer has not synced must be safe before the other one changes.
                try file.sync(detail);
                try directory.sync(detail); // A segment's name may not be on the device either.
                break :blk found;
            } else null;
            const slots = found orelse {
                if (segments.items.len > 0) return corrupt(.control, 0, "", detail);
                // None, or its maker died before it had said anything.
                const log = try create(directory, options, report, detail);
                if (control_file) |file| file.close();
                return log;
            };
            var control = slots.control;
            if (!isSameLog(&control.log, &options.log)) return error.OtherLog;
            dropCut(directory, &segments, &control, detail);
            try checkSegments(segments.items, &control, detail);
            report.is_clean = @intFromBool(control.end != 0);
            if (segments.items.len == 0) {
                return begin(directory, control_file.?, control, options, segments, report, detail);
            }
            try segments.ensureUnusedCapacity(allocator, 1); // So that it stays where it is.
            const headers = try checkHeaders(directory, segments.items, &control, detail);
            return openLast(.{
                .directory = directory,
                .control_file = control_file.?,
                .control = control,
                .options = options,
                .file = undefined,
                .header = headers,
                .segments = segments,
                .place = .first(&headers),
                .durable_end = format.header_bytes,
                .durable_sequence = headers.first_sequence - 1,
            }, report, detail);
        }

        fn openControl(directory: disk.Directory, detail: *Detail) Error!?disk.File {
            return directory.openFile(control_module.file_name, .write, detail) catch |err|
                if (err == error.NotFound) null else err;
        }

        /// Reads past the page cache, which may show a slot that the device does not have.
        fn readControl(directory: disk.Directory, detail: *Detail) Error!?control_module.Slots {
            const name = control_module.file_name;
            const file = try directory.openFile(name, .read_direct, detail);
            defer file.close();
            return control_module.read(file, detail);
        }

        /// A log of the same channel: records can be taken from one to the other. Its id and salt
        /// are its own.
        fn isSameLog(left: *const format.LogIdentity, right: *const format.LogIdentity) bool {
            return left.record_alignment == right.record_alignment and left.flags == right.flags and
                left.schema_hash == right.schema_hash and
                std.mem.eql(u8, &left.name, &right.name) and
                std.mem.eql(u8, &left.schema, &right.schema);
        }

        fn create(
            directory: disk.Directory,
            options: log_module.Options,
            report: *Report,
            detail: *Detail,
        ) Error!Log {
            const file = try directory.createFile(control_module.file_name, detail);
            errdefer file.close();
            const first = options.first_sequence;
            var control = control_module.initial(&options.log, first, options.boot_id);
            try control_module.write(file, &control, detail);
            try control_module.write(file, &control, detail);
            try directory.sync(detail);
            return begin(directory, file, control, options, .empty, report, detail);
        }

        /// Opens a log that has no segment yet.
        fn begin(
            directory: disk.Directory,
            control_file: disk.File,
            control: control_module.Control,
            options: log_module.Options,
            segments: std.ArrayList(log_module.Segment),
            report: *Report,
            detail: *Detail,
        ) Error!Log {
            const sequence = control.oldest_sequence;
            var log: Log = .{
                .directory = directory,
                .control_file = control_file,
                .control = control,
                .options = options,
                .file = undefined,
                .header = undefined,
                .segments = segments,
                .place = .{ .offset = 0, .group = 1, .sequence = sequence, .chain = 0 },
                .durable_end = 0,
                .durable_sequence = sequence - 1,
            };
            errdefer log.segments.deinit(allocator);
            log.control.epoch += 1;
            log.control.boot_id = options.boot_id;
            var ignored: Detail = .{};
            directory.unlink(log_module.prepared_name, &ignored) catch {};
            try Log.prepare(directory, options.segment_bytes, detail);
            log.file = try log.beginFirst(detail);
            fillReport(&log, report, .created);
            return log;
        }

        /// Unlinks what a crash left behind: segments that were cut, a file without a header.
        fn dropCut(
            directory: disk.Directory,
            segments: *std.ArrayList(log_module.Segment),
            control: *const control_module.Control,
            detail: *Detail,
        ) void {
            directory.unlink(log_module.prepared_name, detail) catch {};
            while (segments.items.len > 0 and segments.items[0].number < control.oldest) {
                const segment = segments.orderedRemove(0);
                const name = format.segmentName(segment.number, segment.first_sequence);
                directory.unlink(&name, detail) catch {};
            }
        }

        fn checkSegments(
            segments: []const log_module.Segment,
            control: *const control_module.Control,
            detail: *Detail,
        ) Error!void {
            if (findMissing(segments, control)) |number| {
                var name: [16]u8 = undefined;
                const text = std.fmt.bufPrint(&name, "{x:0>8}", .{number}) catch unreachable;
                return corrupt(.segment_missing, 0, text, detail);
            }
        }

        /// Reads every segment's header. Returns the last one's.
        fn checkHeaders(
            directory: disk.Directory,
            segments: []log_module.Segment,
            control: *const control_module.Control,
            detail: *Detail,
        ) Error!format.SegmentHeader {
            var header: format.SegmentHeader = undefined;
            var before: ?format.SegmentHeader = null;
            for (segments) |*segment| {
                const name = format.segmentName(segment.number, segment.first_sequence);
                const file = try directory.openFile(&name, .read, detail);
                defer file.close();
                const count = try file.readAt(std.mem.asBytes(&header), 0, detail);
                const size = try file.size(detail);
                const earlier = if (before) |*found| found else null;
                const found = checkHeader(&header, count, size, segment.*, control, earlier);
                if (found != .none) return corrupt(found, 0, &name, detail);
                segment.bytes = size;
                before = header;
            }
            return header;
        }

        /// Finds the end in the last segment.
        fn openLast(opened: Log, report: *Report, detail: *Detail) Error!Log {
            var log = opened;
            const segment = log.segments.getLast();
            const name = format.segmentName(segment.number, segment.first_sequence);
            const page = comptime std.mem.Alignment.fromByteUnits(constants.page_bytes);
            const size = log.header.segment_bytes;
            const bytes = try std.heap.page_allocator.alignedAlloc(u8, page, size);
            defer std.heap.page_allocator.free(bytes);
            {
                const direct = try log.directory.openFile(&name, .read_direct, detail);
                defer direct.close();
                if (try direct.readAt(bytes, 0, detail) != size) {
                    return corrupt(.size, 0, &name, detail);
                }
                direct.forgetCache();
            }
            const bad = scanSegment(&log, bytes, report);
            var verdict: Verdict = .whole;
            log.file = try log.directory.openFile(&name, .write, detail);
            errdefer log.file.close();
            const used = scan.usedBytes(bytes[log.place.offset..]);
            if (used > 0) {
                try refuseDamage(&log, bytes, bad.?, &name, detail);
                try saveTail(&log, bytes[log.place.offset..][0..used], detail);
                report.torn_offset = @floatFromInt(log.place.offset);
                report.torn_bytes = @floatFromInt(used);
                verdict = .torn;
            } else if (log.control.end > log.place.offset) {
                return corrupt(.regressed, log.place.offset, &name, detail);
            }
            try makeDurable(&log, bytes, used, detail);
            log.control.epoch += 1;
            log.control.end = 0;
            log.control.newest = segment.number;
            log.control.boot_id = log.options.boot_id;
            try control_module.write(log.control_file, &log.control, detail);
            if (log.header.group_alignment != log_module.groupAlignment(log.options.is_direct)) {
                try log.rotate(detail); // Direct writing asks for another alignment.
            } else if (log.options.is_direct) {
                const direct = try log.directory.openFile(&name, .write_direct, detail);
                log.file.close();
                log.file = direct;
            }
            fillReport(&log, report, verdict);
            return log;
        }

        /// Moves the log's place behind the last sound group. Returns what is wrong behind it.
        fn scanSegment(log: *Log, bytes: []const u8, report: *Report) ?scan.Bad {
            while (log.place.offset + format.group_record_bytes <= bytes.len) {
                const offset = log.place.offset;
                switch (scan.next(&log.header, &log.place, bytes[offset..])) {
                    .bad => |bad| return bad,
                    .sound => |sound| {
                        log.durable_end = @max(log.durable_end, sound.group.payload.durable_end);
                        log.is_unsettled = sound.group.payload.count > 0;
                        report.verified_groups += 1;
                    },
                }
            }
            return .{
                .fault = .padding,
                .offset = log.place.offset,
                .sequence = log.place.sequence,
            };
        }

        /// Fails if something proves that the bytes at the log's place were durable once.
        fn refuseDamage(
            log: *const Log,
            bytes: []const u8,
            bad: scan.Bad,
            name: []const u8,
            detail: *Detail,
        ) Error!void {
            const from = log.place.offset;
            const proof = scan.findProof(&log.header, bytes[from..], from, from);
            if (proof == null and log.control.end <= from) return;
            detail.expected = @floatFromInt(bad.sequence);
            detail.actual = if (proof) |found| @floatFromInt(found.group.first_sequence) else 0;
            return corrupt(bad.fault, bad.offset, name, detail);
        }

        /// Copies the tail into a file of its own, so that zeroing it takes nothing away.
        fn saveTail(log: *const Log, tail: []const u8, detail: *Detail) Error!void {
            var buffer: [64]u8 = undefined;
            var number = log.control.epoch;
            var name = tornName(&buffer, log, number);
            // An opening that died may have zeroed a part of what it had saved.
            while (try exists(log.directory, name, detail)) {
                number +%= 1;
                name = tornName(&buffer, log, number);
            }
            const file = try log.directory.createFile(name, detail);
            defer file.close();
            errdefer {
                var ignored: Detail = .{};
                log.directory.unlink(name, &ignored) catch {};
            }
            try file.writeAt(&.{tail}, 0, detail);
            try file.sync(detail);
            try log.directory.sync(detail);
        }

        fn tornName(buffer: *[64]u8, log: *const Log, number: u32) [:0]const u8 {
            return std.fmt.bufPrintZ(buffer, "torn-{x:0>8}-{d}-{d}", .{
                log.header.segment, log.place.offset, number,
            }) catch unreachable;
        }

        fn exists(directory: disk.Directory, name: [:0]const u8, detail: *Detail) Error!bool {
            const file = directory.openFile(name, .read, detail) catch |err| switch (err) {
                error.NotFound => return false,
                error.UnsafeFile => return true,
                else => return err,
            };
            file.close();
            return true;
        }

        /// Makes the device have what was read, with zeros for the tail.
        fn makeDurable(log: *Log, bytes: []u8, tail_bytes: usize, detail: *Detail) Error!void {
            const end = log.place.offset;
            const tail = bytes[end..][0..tail_bytes];
            @memset(tail, 0);
            try rewriteStale(log.file, bytes[0..end], log.durable_end, detail);
            if (tail.len > 0) try log.file.writeAt(&.{tail}, end, detail);
            // Beyond the tail too: what the cache may still show there is not on the device.
            const window = @min(bytes.len, end + @max(tail_bytes, scan.group_bytes_most));
            try rewriteStale(log.file, bytes[0..window], end + tail_bytes, detail);
            try log.file.sync(detail);
            log.durable_end = end;
            log.durable_sequence = log.place.sequence - 1;
        }

        /// Writes what the cache shows otherwise than it was read from the device. Nothing else: a
        /// device that loses its power spoils what it is writing, and this was acknowledged.
        fn rewriteStale(file: disk.File, bytes: []const u8, from: u64, detail: *Detail) Error!void {
            var shown: [64 * sector_bytes]u8 = undefined;
            var at = std.mem.alignBackward(u64, from, sector_bytes);
            while (at < bytes.len) {
                const part = bytes[@intCast(at)..][0..@min(shown.len, bytes.len - at)];
                const count = try file.readAt(shown[0..part.len], at, detail);
                var i: usize = 0;
                while (i < part.len) : (i += sector_bytes) {
                    const end = @min(i + sector_bytes, part.len);
                    const is_same = end <= count and std.mem.eql(u8, part[i..end], shown[i..end]);
                    if (!is_same) try file.writeAt(&.{part[i..end]}, at + i, detail);
                }
                at += part.len;
            }
        }

        /// What a device writes as a whole, at least.
        const sector_bytes = 512;

        fn fillReport(log: *const Log, report: *Report, verdict: Verdict) void {
            report.first_sequence = @floatFromInt(log.control.oldest_sequence);
            report.last_sequence = @floatFromInt(log.place.sequence - 1);
            report.verified_bytes = @floatFromInt(log.place.offset);
            report.verdict = @intFromEnum(verdict);
            report.segments = @intCast(log.segments.items.len);
            report.epoch = log.control.epoch;
        }

        fn corrupt(fault: scan.Fault, offset: u64, name: []const u8, detail: *Detail) Error {
            detail.errno = @intFromEnum(fault);
            detail.offset = @floatFromInt(offset);
            detail.setName(name);
            return error.Corrupt;
        }
    };
}

const SegmentVisitor = struct {
    segments: std.ArrayList(log_module.Segment) = .empty,

    pub fn visit(visitor: *SegmentVisitor, name: []const u8) error{OutOfMemory}!void {
        const parts = format.parseName(name) orelse return;
        try visitor.segments.append(allocator, .{
            .number = parts.segment,
            .first_sequence = parts.first_sequence,
        });
    }

    fn isBefore(_: void, left: log_module.Segment, right: log_module.Segment) bool {
        return left.number < right.number;
    }
};

/// The segments in a directory by their number. Files of other names do not count.
pub fn listSegments(directory: anytype, detail: *Detail) !std.ArrayList(log_module.Segment) {
    var visitor: SegmentVisitor = .{};
    errdefer visitor.segments.deinit(allocator);
    try directory.list(&visitor, detail);
    std.mem.sort(log_module.Segment, visitor.segments.items, {}, SegmentVisitor.isBefore);
    return visitor.segments;
}

/// Number of a segment that has to be there and is not; null if all are.
pub fn findMissing(
    segments: []const log_module.Segment,
    control: *const control_module.Control,
) ?u32 {
    if (segments.len == 0) return if (control.newest == 0) null else control.oldest;
    for (segments, control.oldest..) |segment, number| {
        if (segment.number != number) return @intCast(number);
    }
    const last = segments[segments.len - 1].number;
    return if (last < control.newest) last + 1 else null;
}

/// What is wrong with a segment's header, of which `count` bytes were read. `before` is its
/// predecessor's.
pub fn checkHeader(
    header: *const format.SegmentHeader,
    count: usize,
    size: u64,
    segment: log_module.Segment,
    control: *const control_module.Control,
    before: ?*const format.SegmentHeader,
) scan.Fault {
    if (count != format.header_bytes or !header.isSound()) return .segment_header;
    const is_ours = std.mem.eql(u8, &header.log.log_id, &control.log.log_id);
    if (!is_ours or header.segment != segment.number or
        header.first_sequence != segment.first_sequence)
    {
        return .segment_foreign;
    }
    if (size != header.segment_bytes) return .size;
    const earlier = before orelse {
        const is_first = header.first_sequence == control.oldest_sequence;
        return if (is_first) .none else .segment_order;
    };
    if (header.first_sequence < earlier.first_sequence) return .segment_order;
    if (header.previous_end > earlier.segment_bytes) return .segment_order;
    return .none;
}

test "wal open: a log on a real disk goes on where it ended, written past the cache or not" {
    const real = @import("disk.zig");
    var temporary = std.testing.tmpDir(.{});
    defer temporary.cleanup();
    var here: [4096]u8 = undefined;
    const root = std.mem.span(@as([*:0]const u8, @ptrCast(std.c.getcwd(&here, here.len).?)));
    var buffer: [5000]u8 = undefined;
    const pattern = "{s}/.zig-cache/tmp/{s}/log";
    const path = try std.fmt.bufPrintZ(&buffer, pattern, .{ root, temporary.sub_path });
    var detail: Detail = .{};
    const directory = try real.Directory.open(path, true, &detail);
    defer directory.close();
    var options: log_module.Options = .{
        .log = format.exampleLog(),
        .segment_bytes = constants.segment_bytes_min,
        .boot_id = @splat(3),
    };
    for ([_]bool{ false, false, true, true, false }, 0..) |is_direct, i| {
        options.is_direct = is_direct;
        var report: Report = .{};
        var log = try Opener(real).open(directory, options, &report, &detail);
        defer log.deinit();
        const verdict: Verdict = if (i == 0) .created else .whole;
        try std.testing.expectEqual(@intFromEnum(verdict), report.verdict);
        try std.testing.expectEqual(@intFromBool(i > 0), report.is_clean);
        try std.testing.expectEqual(1 + i, log.control.epoch);
        try log.append("", 0, log.place.chain, &detail);
        try log.finish(&detail);
        const group = log.place.group;
        try std.testing.expectEqual(2 + i, group);
    }
}
