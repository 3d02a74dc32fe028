//! The border, the part of looking at logs: verifying them, reading them without their channel.
//!
//! The rules of exports.zig hold here too. A verifier is used by one call at a time: a second one
//! gets `busy`.
const std = @import("std");
const constants = @import("constants.zig");
const control_module = @import("wal/control.zig");
const exports = @import("exports.zig");
const format = @import("wal/format.zig");
const handles = @import("handles.zig");
const verify = @import("wal/verify.zig");
const verify_file = @import("wal/verify_file.zig");
const Status = @import("status.zig").Status;
const Verifier = verify.Verifier;
const DetailOut = exports.DetailOut;
const code = exports.code;

fn statusOf(err: verify.Error) Status {
    return switch (err) {
        error.NotFound => .not_found,
        error.AlreadyExists => .already_exists,
        error.NoSpace => .no_space,
        error.UnsafeFile => .unsafe_file,
        error.UnsupportedFileSystem => .unsupported_file_system,
        error.Os, error.OutOfMemory => .os_error,
    };
}

/// Values of what `mt_log_read` returns.
pub const ReadKind = enum(u32) { end = 0, records = 1, finding = 2, segment_end = 3 };

/// Records that `mt_log_read` has found.
pub const ReadReport = extern struct {
    sequence: f64 = 0,
    /// Where they stand in the segment: their group, or a record that was found on its own.
    offset: f64 = 0,
    /// Number of the group; 0 for a record on its own.
    group: f64 = 0,
    bytes: u32 = 0,
    count: u32 = 0,
};

/// Looks at the log in a directory (zero-ended absolute path), and writes an `Overview`. `direct`
/// reads past the page cache. Returns a handle.
pub export fn mt_log_verify_open(
    path: [*:0]const u8,
    direct: u32,
    overview: [*]u8,
    detail: [*]u8,
) callconv(.c) i32 {
    var result: DetailOut = .{ .bytes = detail };
    const verifier = Verifier.init(path, direct != 0, &result.value) catch |err|
        return result.finish(statusOf(err));
    write(verify.Overview, overview, verifier.overview);
    return exports.addHandle(Verifier, verifier, &result);
}

/// Looks at one file of a log (zero-ended absolute path): a segment, or a tail that was saved
/// aside. Returns a handle; `unsafe_file` if nothing says what log it is of.
pub export fn mt_log_verify_open_file(
    path: [*:0]const u8,
    overview: [*]u8,
    detail: [*]u8,
) callconv(.c) i32 {
    var result: DetailOut = .{ .bytes = detail };
    const verifier = verify_file.open(path, &result.value) catch |err|
        return result.finish(statusOf(err));
    write(verify.Overview, overview, verifier.overview);
    return exports.addHandle(Verifier, verifier, &result);
}

fn write(comptime T: type, out: [*]u8, value: T) void {
    @memcpy(out[0..@sizeOf(T)], std.mem.asBytes(&value));
}

/// Verifies the next segment, on another thread, and writes a `SegmentReport`. Returns 1, or 0
/// behind the last one.
pub export fn mt_log_verify_next_wait(handle: u32, out: [*]u8) callconv(.c) i32 {
    const verifier = handles.enterWait(Verifier, handle) orelse return code(.closed);
    defer handles.leaveWait(Verifier, verifier);
    if (!take(verifier)) return code(.busy);
    defer release(verifier);
    while (@atomicLoad(u32, &verifier.sleeper.is_closing, .acquire) == 0) {
        const step = verifier.step() catch |err| return code(statusOf(err));
        switch (step) {
            .records, .finding => {},
            .segment_end, .log_end => {
                write(verify.SegmentReport, out, verifier.report());
                return @intFromBool(step == .segment_end);
            },
        }
    }
    return code(.closed);
}

/// Goes on to the next sound records, and copies them into `bytes`, which has room for the longest
/// group; or to the next finding, or the end of a segment or of the log. Returns a `ReadKind`.
pub export fn mt_log_read(
    handle: u32,
    out: [*]u8,
    bytes: [*]u8,
    size: u32,
) callconv(.c) i32 {
    const verifier = handles.get(Verifier, handle) orelse return code(.closed);
    if (size < constants.group_bytes_max) return code(.invalid_argument);
    if (!take(verifier)) return code(.busy);
    defer release(verifier);
    const step = verifier.step() catch |err| return code(statusOf(err));
    const kind: ReadKind = switch (step) {
        .finding => .finding,
        .segment_end => .segment_end,
        .log_end => .end,
        .records => |records| blk: {
            @memcpy(bytes[0..records.bytes.len], records.bytes);
            write(ReadReport, out, .{
                .sequence = exports.toFloat(records.sequence),
                .offset = exports.toFloat(records.offset),
                .group = @floatFromInt(records.group),
                .bytes = @intCast(records.bytes.len),
                .count = records.count,
            });
            break :blk .records;
        },
    };
    return @intCast(@intFromEnum(kind));
}

/// Before the first step: begins with the segment that has `sequence`, or so many before it.
/// Returns 1, or 0 if there are not so many.
pub export fn mt_log_verify_skip(handle: u32, sequence: f64, back: u32) callconv(.c) i32 {
    const verifier = handles.get(Verifier, handle) orelse return code(.closed);
    const wanted = exports.toSequence(sequence) orelse return code(.invalid_argument);
    if (!take(verifier)) return code(.busy);
    defer release(verifier);
    verifier.skipTo(wanted);
    for (0..back) |_| if (!verifier.skipBack()) return 0;
    return 1;
}

/// Writes a `SegmentReport` of the segment that is, or was last, walked through.
pub export fn mt_log_verify_report(handle: u32, out: [*]u8) callconv(.c) i32 {
    const verifier = handles.get(Verifier, handle) orelse return code(.closed);
    if (!take(verifier)) return code(.busy);
    defer release(verifier);
    write(verify.SegmentReport, out, verifier.report());
    return code(.ok);
}

/// Writes a `Finding`. Returns 1, or 0 if there are not so many yet.
pub export fn mt_log_verify_finding(handle: u32, index: u32, out: [*]u8) callconv(.c) i32 {
    const verifier = handles.get(Verifier, handle) orelse return code(.closed);
    if (!take(verifier)) return code(.busy);
    defer release(verifier);
    if (index >= verifier.findings.items.len) return 0;
    write(verify.Finding, out, verifier.findings.items[index]);
    return 1;
}

fn take(verifier: *Verifier) bool {
    return @atomicRmw(u32, &verifier.is_busy, .Xchg, 1, .acquire) == 0;
}

fn release(verifier: *Verifier) void {
    @atomicStore(u32, &verifier.is_busy, 0, .release);
}

/// Whether the page is the sound header of a segment: 1 or 0.
pub export fn mt_log_check_header(page: [*]const u8) callconv(.c) i32 {
    var header: format.SegmentHeader = undefined;
    @memcpy(std.mem.asBytes(&header), page);
    return @intFromBool(header.isSound());
}

/// Whether the bytes are a sound slot of a control file: 1 or 0.
pub export fn mt_log_check_control(slot: [*]const u8) callconv(.c) i32 {
    var control: control_module.Control = undefined;
    @memcpy(std.mem.asBytes(&control), slot);
    return @intFromBool(control.isSound());
}
