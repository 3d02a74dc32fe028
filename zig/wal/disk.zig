//! The file system as a log uses it: the few calls that its promises rest on, so that a test can
//! put a disk in their place that loses, spoils and refuses (testing/fault_disk.zig).
//!
//! - What is written is on the device when `sync` has returned, and a name when `Directory.sync`
//!   has.
//! - A `sync` that fails is never repeated: the kernel has dropped what it could not write, and
//!   would report success.
const std = @import("std");
const linux = std.os.linux;
const file = @import("../file.zig");
const Detail = @import("../detail.zig").Detail;

pub const Error = error{
    NotFound,
    AlreadyExists,
    /// No room, or over quota. Nothing else is wrong; it may be tried again.
    NoSpace,
    UnsafeFile,
    UnsupportedFileSystem,
    Os,
};

fn errorOf(errno: linux.E, detail: *Detail) Error {
    detail.errno = @intFromEnum(errno);
    return switch (errno) {
        .NOENT => error.NotFound,
        .EXIST => error.AlreadyExists,
        .NOSPC, .DQUOT => error.NoSpace,
        .LOOP, .NXIO => error.UnsafeFile,
        else => error.Os,
    };
}

fn check(rc: usize, detail: *Detail) Error!usize {
    const errno = linux.errno(rc);
    return if (errno == .SUCCESS) rc else errorOf(errno, detail);
}

pub const Mode = enum {
    read,
    write,
    /// Reads past the page cache, where the file system can; buffers are page-aligned.
    read_direct,
    /// Writes past the page cache.
    write_direct,
};

pub const File = struct {
    fd: i32,

    pub fn close(opened: File) void {
        _ = linux.close(opened.fd);
    }

    pub fn size(opened: File, detail: *Detail) Error!u64 {
        var status: linux.Statx = undefined;
        const flags = linux.AT.EMPTY_PATH;
        _ = try check(linux.statx(opened.fd, "", flags, .BASIC_STATS, &status), detail);
        return status.size;
    }

    /// Reads until `buffer` is full or the file ends. Returns the bytes read.
    pub fn readAt(opened: File, buffer: []u8, offset: u64, detail: *Detail) Error!usize {
        var done: usize = 0;
        while (done < buffer.len) {
            const rest = buffer[done..];
            const rc = linux.pread(opened.fd, rest.ptr, rest.len, @intCast(offset + done));
            if (linux.errno(rc) == .INTR) continue;
            const count = try check(rc, detail);
            if (count == 0) break;
            done += count;
        }
        return done;
    }

    /// Writes up to three buffers, one behind the other: in one call, unless the kernel takes less.
    pub fn writeAt(
        opened: File,
        parts: []const []const u8,
        offset: u64,
        detail: *Detail,
    ) Error!void {
        var vectors: [parts_max]std.posix.iovec_const = undefined;
        for (parts, vectors[0..parts.len]) |part, *vector| {
            vector.* = .{ .base = part.ptr, .len = part.len };
        }
        var rest: []std.posix.iovec_const = vectors[0..parts.len];
        var at = offset;
        while (skipWritten(&rest, 0)) {
            const rc = linux.pwritev(opened.fd, rest.ptr, rest.len, @intCast(at));
            if (linux.errno(rc) == .INTR) continue;
            const count = try check(rc, detail);
            if (count == 0) return error.Os;
            at += count;
            _ = skipWritten(&rest, count);
        }
    }

    const parts_max = 3;

    /// Takes `count` bytes off the front. False when nothing is left.
    fn skipWritten(rest: *[]std.posix.iovec_const, count: usize) bool {
        var left = count;
        while (rest.len > 0) {
            const first = &rest.*[0];
            const taken = @min(left, first.len);
            first.base += taken;
            first.len -= taken;
            left -= taken;
            if (first.len > 0) return true;
            rest.* = rest.*[1..];
        }
        return false;
    }

    /// Makes everything written so far durable (`fdatasync`).
    pub fn sync(opened: File, detail: *Detail) Error!void {
        while (true) {
            const rc = linux.fdatasync(opened.fd);
            if (linux.errno(rc) == .INTR) continue;
            _ = try check(rc, detail);
            return;
        }
    }

    /// Reserves room, so that writing there finds it.
    pub fn allocate(opened: File, bytes: u64, detail: *Detail) Error!void {
        while (true) {
            const rc = linux.fallocate(opened.fd, 0, 0, @intCast(bytes));
            switch (linux.errno(rc)) {
                .INTR => continue,
                .OPNOTSUPP => return, // Writing the zeros will tell.
                else => {},
            }
            _ = try check(rc, detail);
            return;
        }
    }

    /// Drops what the kernel has cached of it, as far as that is on the device.
    pub fn forgetCache(opened: File) void {
        const dont_need = 4; // POSIX_FADV_DONTNEED
        const fd: usize = @intCast(opened.fd);
        _ = linux.syscall4(.fadvise64, fd, 0, 0, dont_need);
    }
};

pub const Directory = struct {
    fd: i32,

    /// Opens a directory of this user's, making it (mode 0700) where its parent exists.
    pub fn open(path: [*:0]const u8, make: bool, detail: *Detail) Error!Directory {
        const opened = file.Directory.open(path, make, detail) catch |err| return narrow(err);
        errdefer opened.close();
        file.checkFileSystem(opened, detail) catch |err| return narrow(err);
        return .{ .fd = opened.fd };
    }

    fn narrow(err: file.Error) Error {
        return switch (err) {
            error.NotFound => error.NotFound,
            error.AlreadyExists => error.AlreadyExists,
            error.NoSpace => error.NoSpace,
            error.UnsafeFile => error.UnsafeFile,
            error.UnsupportedFileSystem => error.UnsupportedFileSystem,
            else => error.Os,
        };
    }

    pub fn close(directory: Directory) void {
        _ = linux.close(directory.fd);
    }

    pub fn openFile(
        directory: Directory,
        name: [*:0]const u8,
        mode: Mode,
        detail: *Detail,
    ) Error!File {
        const is_direct = mode == .read_direct or mode == .write_direct;
        var flags: linux.O = .{
            .ACCMODE = if (mode == .read or mode == .read_direct) .RDONLY else .RDWR,
            .NOFOLLOW = true,
            .CLOEXEC = true,
            .NONBLOCK = true, // A pipe of that name must not hang us.
            .DIRECT = is_direct,
        };
        var rc = linux.openat(directory.fd, name, flags, 0);
        if (is_direct and linux.errno(rc) == .INVAL) { // As tmpfs, which has no other copy.
            flags.DIRECT = false;
            rc = linux.openat(directory.fd, name, flags, 0);
        }
        const opened: File = .{ .fd = @intCast(try check(rc, detail)) };
        errdefer opened.close();
        var status: linux.Statx = undefined;
        const empty_path = linux.AT.EMPTY_PATH;
        _ = try check(linux.statx(opened.fd, "", empty_path, .BASIC_STATS, &status), detail);
        if (!linux.S.ISREG(status.mode)) return error.UnsafeFile;
        return opened;
    }

    /// Makes an empty file (mode 0600), in place of one that is there.
    pub fn createFile(directory: Directory, name: [*:0]const u8, detail: *Detail) Error!File {
        const flags: linux.O = .{
            .ACCMODE = .RDWR,
            .CREAT = true,
            .TRUNC = true,
            .NOFOLLOW = true,
            .CLOEXEC = true,
        };
        const rc = linux.openat(directory.fd, name, flags, 0o600);
        const opened: File = .{ .fd = @intCast(try check(rc, detail)) };
        _ = linux.fchmod(opened.fd, 0o600); // Whatever the umask was.
        return opened;
    }

    pub fn rename(
        directory: Directory,
        from: [*:0]const u8,
        to: [*:0]const u8,
        detail: *Detail,
    ) Error!void {
        _ = try check(linux.renameat(directory.fd, from, directory.fd, to), detail);
    }

    pub fn unlink(directory: Directory, name: [*:0]const u8, detail: *Detail) Error!void {
        _ = try check(linux.unlinkat(directory.fd, name, 0), detail);
    }

    /// Makes names that were given and taken durable.
    pub fn sync(directory: Directory, detail: *Detail) Error!void {
        _ = try check(linux.fsync(directory.fd), detail);
    }

    /// Calls `visitor.visit(name)` for each name, in any order.
    pub fn list(directory: Directory, visitor: anytype, detail: *Detail) !void {
        // A descriptor of its own: two listings at once would share their place.
        const flags: linux.O = .{ .DIRECTORY = true, .CLOEXEC = true };
        const fd: i32 = @intCast(try check(linux.openat(directory.fd, ".", flags, 0), detail));
        defer _ = linux.close(fd);
        var buffer: [16 * 1024]u8 align(8) = undefined;
        while (true) {
            const count = try check(linux.getdents64(fd, &buffer, buffer.len), detail);
            if (count == 0) return;
            var at: usize = 0;
            while (at < count) {
                const entry: *align(1) linux.dirent64 = @ptrCast(&buffer[at]);
                const name_at = at + @offsetOf(linux.dirent64, "name");
                const name: [*:0]const u8 = @ptrCast(&buffer[name_at]);
                at += entry.reclen;
                try visitor.visit(std.mem.span(name));
            }
        }
    }
};
