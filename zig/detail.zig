//! What a caller needs to know beyond a status code: numbers and a name for the error's text.
const std = @import("std");
const constants = @import("constants.zig");

/// Filled by the native side next to a negative `Status`; zero where a field does not apply.
pub const Detail = extern struct {
    errno: u32 = 0,
    /// Process that holds what was wanted.
    pid: u32 = 0,
    /// Bytes from the start of the file to what is wrong, or the position it concerns.
    offset: f64 = 0,
    expected: f64 = 0,
    actual: f64 = 0,
    /// Bytes: wanted and to be had, of disk or memory.
    needed: f64 = 0,
    available: f64 = 0,
    name_bytes: u32 = 0,
    reserved_0: u32 = 0,
    name: [constants.name_bytes_max]u8 = @splat(0),

    pub fn setName(detail: *Detail, name: []const u8) void {
        const size = @min(name.len, detail.name.len);
        @memcpy(detail.name[0..size], name[0..size]);
        detail.name_bytes = @intCast(size);
    }
};
