//! The border of what concerns the whole process.
const exports = @import("exports.zig");
const seccomp = @import("seccomp.zig");

/// Takes system calls away from all threads of this process, for good: see `seccomp`.
pub export fn mt_process_confine(detail: [*]u8) callconv(.c) i32 {
    var result: exports.DetailOut = .{ .bytes = detail };
    seccomp.confine(&result.value) catch return result.finish(.os_error);
    return exports.code(.ok);
}
