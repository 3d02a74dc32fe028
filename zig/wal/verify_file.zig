//! One file of a log on its own: a segment, wherever it lies, or a tail that was saved aside. For
//! looking at damage; what its neighbours prove is not asked.
const std = @import("std");
const constants = @import("../constants.zig");
const disk = @import("disk.zig");
const format = @import("format.zig");
const log_module = @import("log.zig");
const verify = @import("verify.zig");
const Detail = @import("../detail.zig").Detail;
const Verifier = verify.Verifier;

/// `UnsafeFile` also where nothing says what log the file is of.
pub const Error = verify.Error;

/// Opens the file at a zero-ended absolute path. A control file beside it says what it cannot.
pub fn open(path: [*:0]const u8, detail: *Detail) Error!*Verifier {
    const text = std.mem.span(path);
    const slash = std.mem.lastIndexOfScalar(u8, text, '/') orelse return error.NotFound;
    var buffer: [std.os.linux.PATH_MAX]u8 = undefined;
    if (slash >= buffer.len - 1) return error.NotFound;
    const end = @max(slash, 1); // The root keeps its slash.
    @memcpy(buffer[0..end], text[0..end]);
    buffer[end] = 0;
    const directory = try disk.Directory.open(buffer[0..end :0], false, detail);
    const verifier = Verifier.initEmpty(directory, .read) catch |err| {
        directory.close();
        return err;
    };
    errdefer verifier.deinit();
    verifier.lookAtControl(detail) catch {};
    verifier.findings.clearRetainingCapacity(); // Of another file.
    verifier.verdict = .whole;
    if (verifier.control) |*control| verifier.describe(&control.log);
    const name: [*:0]const u8 = text[slash + 1 ..].ptr;
    const file = try directory.openFile(name, .read, detail);
    verifier.file = file;
    const size = try file.size(detail);
    verifier.setName(text[slash + 1 ..]);
    if (parseTorn(text[slash + 1 ..])) |torn| {
        try enterTorn(verifier, file, torn, size);
    } else {
        try enterSegment(verifier, file, text[slash + 1 ..], size, detail);
    }
    return verifier;
}

fn enterSegment(
    verifier: *Verifier,
    file: disk.File,
    name: []const u8,
    size: u64,
    detail: *Detail,
) Error!void {
    var header: format.SegmentHeader = undefined;
    const count = try file.readAt(std.mem.asBytes(&header), 0, detail);
    if (count != format.header_bytes or !header.isSound()) {
        const parts = format.parseName(name) orelse return error.UnsafeFile;
        const segment: log_module.Segment = .{
            .number = parts.segment,
            .first_sequence = parts.first_sequence,
        };
        try verifier.find(.segment_header, name, 0, 0, 0);
        header = verifier.guessHeader(segment, size) orelse return error.UnsafeFile;
        resync(verifier, &header, file, 0, size);
    } else {
        verifier.describe(&header.log);
    }
    if (size != header.segment_bytes) try verifier.find(.size, name, size, 0, 0);
    verifier.window.attach(file, 0, header.segment_bytes);
    verifier.walk = .init(&verifier.window, &header, .{});
    verifier.segment.segment = header.segment;
}

const Torn = struct { segment: u32, offset: u64 };

fn enterTorn(verifier: *Verifier, file: disk.File, torn: Torn, size: u64) Error!void {
    const segment: log_module.Segment = .{ .number = torn.segment, .first_sequence = 1 };
    var header = verifier.guessHeader(segment, constants.segment_bytes_max) orelse
        return error.UnsafeFile;
    resync(verifier, &header, file, torn.offset, size);
    const end = @min(torn.offset + size, constants.segment_bytes_max);
    verifier.window.attach(file, torn.offset, end);
    verifier.walk = .init(&verifier.window, &header, .{});
    verifier.walk.?.place.offset = torn.offset;
    verifier.segment.segment = torn.segment;
}

/// Takes numbers that nothing else says from the first group.
fn resync(
    verifier: *Verifier,
    header: *format.SegmentHeader,
    file: disk.File,
    base: u64,
    size: u64,
) void {
    const offset = if (base == 0) format.header_bytes else base;
    verifier.window.attach(file, base, base + size);
    const bytes = verifier.window.at(offset, format.group_record_bytes);
    const group = format.readGroup(bytes, header.log.salt) orelse return;
    header.first_sequence = group.first_sequence;
    header.first_group = group.payload.group;
    header.chain = group.payload.chain;
}

/// The parts of the name that open.zig gives a tail.
fn parseTorn(name: []const u8) ?Torn {
    var parts = std.mem.splitScalar(u8, name, '-');
    if (!std.mem.eql(u8, parts.first(), "torn")) return null;
    const segment = std.fmt.parseInt(u32, parts.next() orelse return null, 16) catch return null;
    const offset = std.fmt.parseInt(u64, parts.next() orelse return null, 10) catch return null;
    if (offset % 512 != 0 or offset > constants.segment_bytes_max) return null;
    return .{ .segment = segment, .offset = offset };
}

test "wal verify: names of tails" {
    const expected: Torn = .{ .segment = 31, .offset = 4096 };
    try std.testing.expectEqual(expected, parseTorn("torn-0000001f-4096-3"));
    for ([_][]const u8{ "", "torn", "torn-1", "torn-1-3-3", "torn-x-512-1" }) |wrong| {
        try std.testing.expectEqual(null, parseTorn(wrong));
    }
}
