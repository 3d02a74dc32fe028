//! This process, as it shows itself to others: when it started, and a number of its own.
//!
//! None of it decides whether anybody is alive: pids come back (liveness.zig decides).
const std = @import("std");
const linux = std.os.linux;
const file = @import("file.zig");

var cached_nonce: u64 = 0;

/// A random number, the same for all threads of the process, never 0.
pub fn nonce() u64 {
    const seen = @atomicLoad(u64, &cached_nonce, .acquire);
    if (seen != 0) return seen;
    const fresh = file.randomWord() | 1;
    return @cmpxchgStrong(u64, &cached_nonce, 0, fresh, .acq_rel, .acquire) orelse fresh;
}

/// Start of the process in clock ticks since boot; 0 where /proc is not to be had.
pub fn startTime() u64 {
    const rc = linux.openat(linux.AT.FDCWD, "/proc/self/stat", .{ .CLOEXEC = true }, 0);
    if (linux.errno(rc) != .SUCCESS) return 0;
    const fd: i32 = @intCast(rc);
    defer _ = linux.close(fd);
    var buffer: [1024]u8 = undefined;
    const count = linux.read(fd, &buffer, buffer.len);
    if (linux.errno(count) != .SUCCESS) return 0;
    return parseStartTime(buffer[0..count]) orelse 0;
}

/// Field 22 of /proc/<pid>/stat; the name in field 2 may hold spaces and parentheses.
fn parseStartTime(text: []const u8) ?u64 {
    const name_end = std.mem.lastIndexOfScalar(u8, text, ')') orelse return null;
    var fields = std.mem.tokenizeScalar(u8, text[name_end + 1 ..], ' ');
    for (0..19) |_| _ = fields.next() orelse return null;
    return std.fmt.parseInt(u64, fields.next() orelse return null, 10) catch null;
}

test "process: start time is found behind a name with parentheses" {
    const text = "7 (a) b)) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4242 20 21";
    try std.testing.expectEqual(4242, parseStartTime(text).?);
    try std.testing.expectEqual(null, parseStartTime("7 (a) S 1"));
    try std.testing.expect(startTime() > 0);
    try std.testing.expectEqual(nonce(), nonce());
}
