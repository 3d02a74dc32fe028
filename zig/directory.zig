//! Directory: where the rings of this user lie when nobody says otherwise, and which there are.
const std = @import("std");
const linux = std.os.linux;
const file = @import("file.zig");
const Detail = @import("detail.zig").Detail;

/// Writes the default directory's path: `$XDG_RUNTIME_DIR/message_transport` where that variable
/// names an absolute path, else `/dev/shm/message_transport-<uid>`. Null if `out` is too small.
pub fn defaultPath(out: []u8) ?[]const u8 {
    if (std.c.getenv("XDG_RUNTIME_DIR")) |value| {
        const path = std.mem.span(value);
        if (path.len > 0 and path[0] == '/') {
            return std.fmt.bufPrint(out, "{s}/message_transport", .{path}) catch null;
        }
    }
    const uid = linux.geteuid();
    return std.fmt.bufPrint(out, "/dev/shm/message_transport-{d}", .{uid}) catch null;
}

/// Writes the names of the files in a directory that end in `suffix`, without it, each with a zero
/// behind it. Returns the bytes that all of them need, which may be more than `out` holds; only
/// whole names are written.
pub fn list(
    directory: file.Directory,
    suffix: []const u8,
    out: []u8,
    detail: *Detail,
) file.Error!usize {
    var buffer: [16 * 1024]u8 align(8) = undefined;
    var needed: usize = 0;
    while (true) {
        const rc = linux.getdents64(directory.fd, &buffer, buffer.len);
        const errno = linux.errno(rc);
        if (errno != .SUCCESS) {
            detail.errno = @intFromEnum(errno);
            return error.Os;
        }
        if (rc == 0) return needed;
        var at: usize = 0;
        while (at < rc) {
            const entry: *align(1) linux.dirent64 = @ptrCast(&buffer[at]);
            const text: [*:0]const u8 = @ptrCast(&buffer[at + @offsetOf(linux.dirent64, "name")]);
            at += entry.reclen;
            const name = file.nameOf(std.mem.span(text), suffix) orelse continue;
            if (needed + name.len + 1 <= out.len) {
                @memcpy(out[needed..][0..name.len], name);
                out[needed + name.len] = 0;
            }
            needed += name.len + 1;
        }
    }
}
