//! Log: one channel's write-ahead log, open for appending by its only writer.
//!
//! `append` → `sync` → `durable` moves on. A group is appended when everything before it is
//! durable, unless the channel has chosen otherwise (`sync: interval`, `none`); its record says up
//! to where it was.
//!
//! - Opening is in open.zig: it finds the end, repairs a torn tail, refuses damage.
//! - A sync that fails ends the log: `is_failed` stays, nothing is written any more. Who opens it
//!   next reads past the page cache, which may show what is not on the device.
//! - No room is no failure: nothing is acknowledged, the same group may be appended again.
//! - A crash leaves at most groups that nobody was told of, and a prepared segment without a name.
//!
//! Generic over the disk (disk.zig), so that testing/fault_disk.zig can stand in.
const std = @import("std");
const clock = @import("../clock.zig");
const constants = @import("../constants.zig");
const control_module = @import("control.zig");
const fault_points = @import("../testing/fault_points.zig");
const format = @import("format.zig");
const planted = @import("../testing/planted.zig");
const scan = @import("scan.zig");
const Control = control_module.Control;
const Detail = @import("../detail.zig").Detail;

/// The file that becomes the next segment.
pub const prepared_name = "next";

/// A segment that is there.
pub const Segment = struct {
    number: u32,
    first_sequence: u64,
    /// Bytes of its file, when its header was read: logs may be opened with another size.
    bytes: u64 = 0,
};

/// What a log is opened with.
pub const Options = struct {
    log: format.LogIdentity,
    /// Of a new log.
    first_sequence: u64 = 1,
    segment_bytes: u64,
    /// Write past the page cache; groups begin on pages then.
    is_direct: bool = false,
    boot_id: [16]u8,
};

/// The groups' alignment by kind of writing: a sector, or the page that direct writing asks for.
pub fn groupAlignment(is_direct: bool) u32 {
    return if (is_direct) constants.page_bytes else 512;
}

const allocator = std.heap.c_allocator;

pub fn Log(comptime disk: type) type {
    return struct {
        const Self = @This();
        pub const Error = disk.Error || error{OutOfMemory};

        directory: disk.Directory,
        control_file: disk.File,
        control: Control,
        options: Options,
        file: disk.File,
        header: format.SegmentHeader,
        segments: std.ArrayList(Segment),
        /// Where the next group goes.
        place: scan.Place,
        /// Offset in the segment, and sequence, up to which everything is on the device.
        durable_end: u64,
        durable_sequence: u64,
        /// Whether the last group holds records that no later group has proven durable.
        is_unsettled: bool = false,
        is_failed: bool = false,
        has_prepared: bool = false,
        /// For direct writing: a group, page-aligned and padded.
        bounce: []align(constants.page_bytes) u8 = &.{},
        group_record: [format.group_record_bytes]u8 align(8) = undefined,

        /// Frees everything. The log may be in any state.
        pub fn deinit(log: *Self) void {
            log.file.close();
            log.control_file.close();
            log.segments.deinit(allocator);
            if (log.bounce.len > 0) std.heap.page_allocator.free(log.bounce);
        }

        /// Sequence that the next record must have.
        pub fn nextSequence(log: *const Self) u64 {
            return log.place.sequence;
        }

        /// Bytes of records that the next group of this segment may have; 0 when it is full.
        pub fn roomInSegment(log: *const Self) u64 {
            const rest = log.header.segment_bytes - log.place.offset;
            const alignment = log.header.group_alignment;
            const whole = std.mem.alignBackward(u64, rest, alignment);
            return @min(whole -| format.group_record_bytes, constants.group_bytes_max);
        }

        /// Appends a group. `chain` is `place.chain` carried over the records' checksums. Assumes
        /// that the body fits into `roomInSegment`.
        pub fn append(
            log: *Self,
            body: []const u8,
            count: u32,
            chain: u32,
            detail: *Detail,
        ) Error!void {
            try log.refuseFailed();
            const place = &log.place;
            const payload: format.GroupPayload = .{
                .group = place.group,
                .durable_end = planted.durableEnd(log.durable_end, place.offset),
                .body_bytes = @intCast(body.len),
                .count = count,
                .chain = place.chain,
                .epoch = log.control.epoch,
                .segment = log.header.segment,
            };
            format.writeGroup(&log.group_record, log.header.log.salt, place.sequence, &payload);
            const end = format.group_record_bytes + body.len;
            const total = std.mem.alignForward(u64, end, log.header.group_alignment);
            fault_points.hit(.before_append);
            try log.writeGroupBytes(body, total, detail);
            fault_points.hit(.after_append);
            place.offset += total;
            place.group += 1;
            place.sequence += count;
            const crc = format.readGroup(&log.group_record, log.header.log.salt).?.crc;
            place.chain = format.extendChain(chain, crc);
            log.is_unsettled = count > 0;
        }

        fn writeGroupBytes(log: *Self, body: []const u8, total: u64, detail: *Detail) Error!void {
            const offset = log.place.offset;
            const written = format.group_record_bytes + body.len;
            if (!log.options.is_direct) {
                const zeros = padding[0 .. total - written];
                const parts = [_][]const u8{ &log.group_record, body, zeros };
                return log.file.writeAt(&parts, offset, detail) catch |err|
                    log.failUnlessFull(err);
            }
            if (log.bounce.len == 0) {
                const page = comptime std.mem.Alignment.fromByteUnits(constants.page_bytes);
                const bytes = scan.group_bytes_most;
                log.bounce = try std.heap.page_allocator.alignedAlloc(u8, page, bytes);
            }
            @memcpy(log.bounce[0..format.group_record_bytes], &log.group_record);
            @memcpy(log.bounce[format.group_record_bytes..written], body);
            @memset(log.bounce[written..total], 0);
            return log.file.writeAt(&.{log.bounce[0..total]}, offset, detail) catch |err|
                log.failUnlessFull(err);
        }

        const padding: [constants.page_bytes]u8 = @splat(0);

        /// Makes everything appended so far durable.
        pub fn sync(log: *Self, detail: *Detail) Error!void {
            try log.refuseFailed();
            fault_points.hit(.before_sync);
            planted.sync(log.file, detail) catch |err| return log.fail(err);
            fault_points.hit(.after_sync);
            log.durable_end = log.place.offset;
            log.durable_sequence = log.place.sequence - 1;
        }

        /// Writes and syncs an empty group, which proves the last one durable. True if it did.
        pub fn settle(log: *Self, detail: *Detail) Error!bool {
            if (!log.is_unsettled) return false;
            if (log.place.offset + format.header_bytes > log.header.segment_bytes) {
                log.is_unsettled = false; // The next segment's header will prove it.
                return false;
            }
            if (log.durable_end != log.place.offset) try log.sync(detail);
            try log.append("", 0, log.place.chain, detail);
            try log.sync(detail);
            return true;
        }

        /// What a failed sync or write has left behind is unknown: nothing may build on it.
        fn refuseFailed(log: *const Self) Error!void {
            if (log.is_failed) return error.Os;
        }

        fn fail(log: *Self, err: Error) Error {
            log.is_failed = true;
            return err;
        }

        fn failUnlessFull(log: *Self, err: Error) Error {
            return if (err == error.NoSpace) err else log.fail(err);
        }

        /// Prepares the file of the next segment: all its bytes zero and durable, so that no commit
        /// has to change the file's size or place. Takes long; may run on another thread.
        pub fn prepare(
            directory: disk.Directory,
            segment_bytes: u64,
            detail: *Detail,
        ) Error!void {
            const file = try directory.createFile(prepared_name, detail);
            defer file.close();
            fillZeros(file, segment_bytes, detail) catch |err| {
                var ignored: Detail = .{};
                directory.unlink(prepared_name, &ignored) catch {};
                return err;
            };
        }

        fn fillZeros(file: disk.File, segment_bytes: u64, detail: *Detail) Error!void {
            try file.allocate(segment_bytes, detail);
            const zeros = try std.heap.page_allocator.alloc(u8, @min(fill_bytes, segment_bytes));
            defer std.heap.page_allocator.free(zeros);
            @memset(zeros, 0);
            var offset: u64 = 0;
            while (offset < segment_bytes) {
                const count = @min(zeros.len, segment_bytes - offset);
                try file.writeAt(&.{zeros[0..count]}, offset, detail);
                offset += count;
                // In parts, so that a commit on the same device does not wait for all of it.
                if (offset % (8 * fill_bytes) == 0) try file.sync(detail);
            }
            try file.sync(detail);
        }

        const fill_bytes = 1024 * 1024;

        /// Goes on in the next segment. Prepares it where that was not done ahead.
        pub fn rotate(log: *Self, detail: *Detail) Error!void {
            try log.refuseFailed();
            if (log.durable_end != log.place.offset) try log.sync(detail);
            if (!log.has_prepared) try prepare(log.directory, log.options.segment_bytes, detail);
            log.has_prepared = true;
            const header = log.nextHeader();
            const file = try log.nameSegment(&header, detail);
            log.file.close();
            log.file = file;
            log.header = header;
            log.place.offset = format.header_bytes;
            log.durable_end = format.header_bytes;
            log.is_unsettled = false;
        }

        /// Gives a log its first segment, which is prepared. Returns its file.
        pub fn beginFirst(log: *Self, detail: *Detail) Error!disk.File {
            log.has_prepared = true;
            log.header = log.nextHeader();
            const file = try log.nameSegment(&log.header, detail);
            log.place.offset = format.header_bytes;
            log.durable_end = format.header_bytes;
            return file;
        }

        fn nextHeader(log: *const Self) format.SegmentHeader {
            const is_first = log.control.newest == 0;
            var header: format.SegmentHeader = .{
                .epoch = log.control.epoch,
                .segment = log.control.newest + 1,
                .group_alignment = groupAlignment(log.options.is_direct),
                .first_sequence = log.place.sequence,
                .first_group = log.place.group,
                .segment_bytes = log.options.segment_bytes,
                .previous_end = if (is_first) 0 else log.place.offset,
                .created_ns = clock.realtimeNs(),
                .chain = log.place.chain,
                .boot_id = log.options.boot_id,
                .log = log.control.log,
            };
            header.crc = header.computeCrc();
            return header;
        }

        /// Gives the prepared file its header, its name, and its place in the control file. What
        /// fails before the name is there may be tried again.
        fn nameSegment(
            log: *Self,
            header: *const format.SegmentHeader,
            detail: *Detail,
        ) Error!disk.File {
            const name = format.segmentName(header.segment, header.first_sequence);
            {
                const prepared = try log.directory.openFile(prepared_name, .write, detail);
                defer prepared.close();
                prepared.writeAt(&.{std.mem.asBytes(header)}, 0, detail) catch |err|
                    return log.failUnlessFull(err);
                prepared.sync(detail) catch |err| return log.fail(err);
            }
            try log.segments.ensureUnusedCapacity(allocator, 1);
            fault_points.hit(.before_rename);
            log.directory.rename(prepared_name, &name, detail) catch |err|
                return log.failUnlessFull(err);
            log.has_prepared = false;
            fault_points.hit(.after_rename);
            log.directory.sync(detail) catch |err| return log.fail(err);
            log.segments.appendAssumeCapacity(.{
                .number = header.segment,
                .first_sequence = header.first_sequence,
                .bytes = header.segment_bytes,
            });
            log.control.newest = header.segment;
            log.writeControl(detail) catch |err| {
                // The segment is there, whoever opens the log finds it; the next writing says so.
                if (err != error.NoSpace) return log.fail(err);
            };
            const mode: disk.Mode = if (log.options.is_direct) .write_direct else .write;
            return log.directory.openFile(&name, mode, detail) catch |err| log.fail(err);
        }

        /// Unlinks whole segments with nothing but records before `sequence`. Never the newest.
        /// Returns how many. Writes the control file first, so that their absence is no loss.
        pub fn cut(log: *Self, sequence: u64, detail: *Detail) Error!u32 {
            var count: u32 = 0;
            while (count + 1 < log.segments.items.len) : (count += 1) {
                if (log.segments.items[count + 1].first_sequence > sequence) break;
            }
            if (count == 0) return 0;
            const oldest = log.segments.items[count];
            log.control.oldest = oldest.number;
            log.control.oldest_sequence = oldest.first_sequence;
            try log.writeControl(detail);
            fault_points.hit(.before_unlink);
            for (log.segments.items[0..count]) |segment| {
                const name = format.segmentName(segment.number, segment.first_sequence);
                // One that stays is unlinked by whoever opens the log next.
                log.directory.unlink(&name, detail) catch continue;
            }
            log.segments.replaceRangeAssumeCapacity(0, count, &.{});
            return count;
        }

        /// Makes `control` durable as it is.
        pub fn writeControl(log: *Self, detail: *Detail) Error!void {
            try log.refuseFailed();
            control_module.put(log.control_file, &log.control, detail) catch |err|
                return log.failUnlessFull(err);
            log.control_file.sync(detail) catch |err| return log.fail(err);
        }

        /// Says in the control file where the log ends, which it does not go beyond.
        pub fn finish(log: *Self, detail: *Detail) Error!void {
            if (log.is_failed) return;
            if (log.durable_end != log.place.offset) try log.sync(detail);
            log.control.end = log.place.offset;
            log.control.end_sequence = log.place.sequence;
            try log.writeControl(detail);
        }

        /// Bytes of all segments.
        pub fn sizeBytes(log: *const Self) u64 {
            var total: u64 = 0;
            for (log.segments.items) |segment| total += segment.bytes;
            return total;
        }
    };
}
