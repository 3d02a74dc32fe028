//! Reader: the records of a log one after the other, from any sequence that it has, while its
//! writer goes on, rotates and cuts.
//!
//! Reads no further than its caller allows: up to what the writer says is in the files. So whatever
//! does not verify there is damage, and not a group under way. Everything is read into memory of
//! the reader's own and verified there before it is given out.
const std = @import("std");
const constants = @import("../constants.zig");
const control_module = @import("control.zig");
const disk = @import("disk.zig");
const format = @import("format.zig");
const log_module = @import("log.zig");
const open = @import("open.zig");
const record = @import("../record.zig");
const removal = @import("removal.zig");
const scan = @import("scan.zig");
const Detail = @import("../detail.zig").Detail;

const allocator = std.heap.c_allocator;

pub const Error = error{ CorruptLog, SequenceGone, OutOfMemory, Os };

/// A record of the log; its payload is good until the next call.
pub const Record = struct {
    sequence: u64,
    flags: u8,
    payload: []const u8,
};

pub const Reader = struct {
    directory: disk.Directory,
    log_id: [16]u8,
    file: ?disk.File = null,
    header: format.SegmentHeader = undefined,
    /// Where the next group stands.
    place: scan.Place = undefined,
    /// Bytes of the segment, beginning at `window_start`.
    window: []u8,
    window_start: u64 = 0,
    window_bytes: usize = 0,
    /// What is left of the group that is being read, and the sequence of its first record.
    rest: []const u8 = "",
    sequence: u64 = 0,
    /// Why there is nothing to read before the next `seek`.
    failure: ?Error = null,
    /// What went wrong: for the error's text.
    detail: Detail = .{},

    /// Opens the log in the directory at `path`.
    pub fn init(path: [*:0]const u8, log_id: [16]u8, detail: *Detail) Error!*Reader {
        const directory = disk.Directory.open(path, false, detail) catch |err|
            return narrow(err, detail);
        errdefer directory.close();
        const reader = try allocator.create(Reader);
        errdefer allocator.destroy(reader);
        const window = try std.heap.page_allocator.alloc(u8, window_bytes_max);
        reader.* = .{ .directory = directory, .log_id = log_id, .window = window };
        return reader;
    }

    pub fn deinit(reader: *Reader) void {
        if (reader.file) |file| file.close();
        reader.directory.close();
        std.heap.page_allocator.free(reader.window);
        allocator.destroy(reader);
    }

    /// Two of the largest groups, so that one that begins anywhere in it is mostly whole there.
    const window_bytes_max = 2 * std.mem.alignForward(usize, scan.group_bytes_most, 4096);

    fn narrow(err: disk.Error, detail: *Detail) Error {
        if (err == error.NotFound) {
            detail.errno = @intFromEnum(scan.Fault.segment_missing);
            return error.CorruptLog;
        }
        return error.Os;
    }

    /// Makes `peek` return the record of that sequence, or the first record of the message that it
    /// is a part of. Assumes that the log has had it. After an error, `peek` repeats that.
    pub fn seek(reader: *Reader, sequence: u64) Error!void {
        reader.failure = null;
        reader.find(sequence) catch |err| {
            reader.failure = err;
            reader.sequence = sequence;
            reader.rest = "";
            return err;
        };
    }

    fn find(reader: *Reader, sequence: u64) Error!void {
        for (0..seeks_max) |_| {
            reader.findOnce(sequence) catch |err| {
                if (err != error.CorruptLog or !reader.isAbsent()) return err;
                try reader.checkCut(sequence);
                continue; // Cut between listing and opening.
            };
            return;
        }
        return error.CorruptLog;
    }

    /// Tries to find a sequence while segments before it are being cut.
    const seeks_max = 64;

    fn findOnce(reader: *Reader, sequence: u64) Error!void {
        var segments = try reader.listSegments();
        defer segments.deinit(allocator);
        const items = segments.items;
        var index: usize = items.len;
        while (index > 0 and items[index - 1].first_sequence > sequence) index -= 1;
        if (index == 0) return reader.gone(sequence, items);
        // A message may begin in an earlier segment than that of its last record.
        while (index > 0) {
            index -= 1;
            try reader.enterSegment(items[index]);
            if (try reader.walkTo(sequence) or index == 0) return;
        }
    }

    /// Fails if the log begins behind a sequence that it has had.
    fn checkCut(reader: *Reader, sequence: u64) Error!void {
        var segments = try reader.listSegments();
        defer segments.deinit(allocator);
        const items = segments.items;
        if (items.len > 0 and items[0].first_sequence > sequence) {
            return reader.gone(sequence, items);
        }
    }

    fn gone(reader: *Reader, sequence: u64, segments: []const log_module.Segment) Error {
        const oldest = if (segments.len > 0) segments[0].first_sequence else 0;
        reader.detail.expected = @floatFromInt(sequence);
        reader.detail.actual = @floatFromInt(oldest);
        return error.SequenceGone;
    }

    fn listSegments(reader: *Reader) Error!std.ArrayList(log_module.Segment) {
        return open.listSegments(reader.directory, &reader.detail) catch |err| switch (err) {
            error.OutOfMemory => error.OutOfMemory,
            else => |other| narrow(other, &reader.detail),
        };
    }

    /// Walks to a sequence from the segment just entered on. False, at that segment's first record,
    /// if the message that the sequence belongs to begins in an earlier one.
    fn walkTo(reader: *Reader, sequence: u64) Error!bool {
        var begin: Begin = .at(reader, reader.place);
        var has_begun = false;
        while (true) {
            const before = reader.place;
            const segment = reader.header.segment;
            try reader.loadGroup();
            while (reader.rest.len > 0) : (reader.advance()) {
                if (beginsMessage(reader.head().flags)) {
                    const is_here = reader.header.segment == segment;
                    begin = .at(reader, if (is_here) before else .first(&reader.header));
                    has_begun = true;
                }
                if (reader.sequence != sequence) continue;
                try reader.goBack(&begin);
                return has_begun;
            }
        }
    }

    /// Where a message begins: its sequence, and the group that has it.
    const Begin = struct {
        segment: log_module.Segment,
        place: scan.Place,
        sequence: u64,

        fn at(reader: *const Reader, place: scan.Place) Begin {
            const header = &reader.header;
            return .{
                .segment = .{ .number = header.segment, .first_sequence = header.first_sequence },
                .place = place,
                .sequence = reader.sequence,
            };
        }
    };

    fn goBack(reader: *Reader, begin: *const Begin) Error!void {
        if (reader.header.segment != begin.segment.number) try reader.enterSegment(begin.segment);
        reader.place = begin.place;
        reader.rest = "";
        while (reader.rest.len == 0) try reader.loadGroup();
        while (reader.sequence < begin.sequence) reader.advance();
    }

    fn beginsMessage(flags: u8) bool {
        const part = flags & record.Flags.middle_fragment;
        return part == 0 or part == record.Flags.first_fragment;
    }

    /// Returns the next record, up to and including sequence `last`; null if that is behind us.
    /// Does not move on. `SequenceGone` if it was cut before we came there.
    pub fn peek(reader: *Reader, last: u64) Error!?Record {
        if (reader.sequence > last) return null;
        if (reader.failure) |err| return err;
        while (reader.rest.len == 0) {
            reader.loadGroup() catch |err| {
                if (err != error.Os) reader.failure = err;
                return err;
            };
        }
        const found = reader.head();
        return .{
            .sequence = reader.sequence,
            .flags = found.flags,
            .payload = reader.rest[record.header_bytes..][0..found.length],
        };
    }

    /// Moves behind the record that `peek` has returned.
    pub fn advance(reader: *Reader) void {
        const stride = record.stride(reader.head().length, reader.header.log.record_alignment);
        reader.rest = reader.rest[stride..];
        reader.sequence += 1;
    }

    const Head = struct { length: u32, flags: u8 };

    /// Of a record that was verified in our memory.
    fn head(reader: *const Reader) Head {
        const word = std.mem.readInt(u64, reader.rest[8..16], .little);
        return .{ .length = @truncate(word), .flags = @truncate(word >> 32) };
    }

    /// Reads and verifies the next group; goes to the next segment where this one ends.
    fn loadGroup(reader: *Reader) Error!void {
        var is_fresh = false;
        while (true) {
            const bytes = try reader.bytesAt(reader.place.offset, &is_fresh);
            const before = reader.place;
            switch (scan.next(&reader.header, &reader.place, bytes)) {
                .sound => |sound| {
                    const start = format.group_record_bytes;
                    reader.rest = bytes[start..][0..sound.group.payload.body_bytes];
                    reader.sequence = before.sequence;
                    return;
                },
                .bad => |bad| {
                    if (!is_fresh) { // Not all of it is in the window, or it was written since.
                        reader.window_bytes = 0;
                        continue;
                    }
                    if (try reader.enterNext()) {
                        is_fresh = false;
                        continue;
                    }
                    try reader.checkCut(reader.place.sequence);
                    return reader.corrupt(bad.fault, bad.offset, bad.sequence);
                },
            }
        }
    }

    /// What is known of the segment's bytes from `offset` on. Where `is_fresh`, they were read now:
    /// a whole group at least, or up to the segment's end.
    fn bytesAt(reader: *Reader, offset: u64, is_fresh: *bool) Error![]const u8 {
        const end = reader.window_start + reader.window_bytes;
        if (offset < reader.window_start or offset >= end) {
            reader.window_start = offset;
            reader.window_bytes = reader.file.?.readAt(reader.window, offset, &reader.detail) catch
                return error.Os;
            is_fresh.* = true;
        }
        const from: usize = @intCast(@min(offset - reader.window_start, reader.window_bytes));
        return reader.window[from..reader.window_bytes];
    }

    /// Goes on in the next segment, if there is one that begins where this one has ended.
    fn enterNext(reader: *Reader) Error!bool {
        const place = reader.place;
        const number = reader.header.segment + 1;
        reader.enterSegment(.{ .number = number, .first_sequence = place.sequence }) catch |err|
            return if (err == error.CorruptLog and reader.isAbsent()) false else err;
        if (reader.header.previous_end != place.offset or reader.place.chain != place.chain) {
            return reader.corrupt(.segment_order, 0, place.sequence);
        }
        return true;
    }

    fn isAbsent(reader: *const Reader) bool {
        return reader.detail.errno == @intFromEnum(scan.Fault.segment_missing);
    }

    fn enterSegment(reader: *Reader, segment: log_module.Segment) Error!void {
        const name = format.segmentName(segment.number, segment.first_sequence);
        const file = reader.directory.openFile(&name, .read, &reader.detail) catch |err|
            return narrow(err, &reader.detail);
        errdefer file.close();
        var header: format.SegmentHeader = undefined;
        const count = file.readAt(std.mem.asBytes(&header), 0, &reader.detail) catch
            return error.Os;
        reader.detail.setName(&name);
        if (count != format.header_bytes or !header.isSound()) {
            return reader.corrupt(.segment_header, 0, segment.first_sequence);
        }
        const is_ours = std.mem.eql(u8, &header.log.log_id, &reader.log_id);
        if (!is_ours or header.segment != segment.number or
            header.first_sequence != segment.first_sequence)
        {
            return reader.corrupt(.segment_foreign, 0, segment.first_sequence);
        }
        if (reader.file) |earlier| earlier.close();
        reader.file = file;
        reader.header = header;
        reader.place = .first(&header);
        reader.window_bytes = 0;
        reader.rest = "";
        reader.sequence = header.first_sequence;
    }

    fn corrupt(reader: *Reader, fault: scan.Fault, offset: u64, sequence: u64) Error {
        const header = &reader.header;
        if (reader.file != null and reader.detail.name_bytes == 0) {
            const name = format.segmentName(header.segment, header.first_sequence);
            reader.detail.setName(&name);
        }
        reader.detail.errno = @intFromEnum(fault);
        reader.detail.offset = @floatFromInt(offset);
        reader.detail.expected = @floatFromInt(sequence);
        return error.CorruptLog;
    }
};

/// The cursor that a named consumer had when the control file was written last, unless it was
/// removed.
pub fn readCursor(path: [*:0]const u8, name: []const u8) ?control_module.Cursor {
    var detail: Detail = .{};
    const directory = disk.Directory.open(path, false, &detail) catch return null;
    defer directory.close();
    return cursorIn(directory, name);
}

/// The same, in the log of an open directory.
pub fn cursorIn(directory: disk.Directory, name: []const u8) ?control_module.Cursor {
    if (removal.isMarked(directory, name)) return null;
    var control = controlIn(directory) orelse return null;
    const cursor = control.findCursor(name) orelse return null;
    return cursor.*;
}

/// First sequence of the log, as its control file says.
pub fn readOldest(path: [*:0]const u8) ?u64 {
    var detail: Detail = .{};
    const directory = disk.Directory.open(path, false, &detail) catch return null;
    defer directory.close();
    const control = controlIn(directory) orelse return null;
    return control.oldest_sequence;
}

fn controlIn(directory: disk.Directory) ?control_module.Control {
    var detail: Detail = .{};
    const file = directory.openFile(control_module.file_name, .read, &detail) catch return null;
    defer file.close();
    const slots = control_module.read(file, &detail) catch return null;
    return if (slots) |found| found.control else null;
}
