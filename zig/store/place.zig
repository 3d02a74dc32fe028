//! Store place: a store's directory, and who owns it.
//!
//! | File       | What                                                                   |
//! | :--------- | :--------------------------------------------------------------------- |
//! | `LOCK`     | under an OFD write lock while somebody owns the store; the owner's pid |
//! | `data.mdb` | LMDB's data; there only when it is complete                            |
//! | `making/`  | a store that is not complete yet; the next owner removes it            |
//!
//! - LMDB must not be opened twice in a process, and opening and closing it in two processes at
//!   once is a race (ITS#9278): both happen only under `LOCK`, which dies with its holder.
//! - As there is one owner, LMDB needs no `lock.mdb` (`MDB_NOLOCK`): no table that dead readers
//!   stay in, and no lock in a shared file that a call which failed half-way could leave behind.
//!   So LMDB's own tools must not be used on a store that is open.
//! - LMDB follows symbolic links and opens what it finds: this looks first. Nobody else can change
//!   the directory in between, which has to be this user's alone.
const std = @import("std");
const linux = std.os.linux;
const file = @import("../file.zig");
const liveness = @import("../liveness.zig");
const Detail = @import("../detail.zig").Detail;

pub const Error = file.Error || error{Busy};

pub const data_name = "data.mdb";
const lock_name = "LOCK";
const making_name = "making";

/// Path of an open directory, which does not change when the directory is renamed.
pub const PathBuffer = [64]u8;

pub const Place = struct {
    directory: file.Directory,
    lock_fd: i32,

    /// Opens the directory and becomes its owner. `make`: make it (mode 0700) if its parent exists.
    pub fn open(where: [*:0]const u8, make: bool, detail: *Detail) Error!Place {
        const directory: file.Directory = try .open(where, make, detail);
        errdefer directory.close();
        try file.checkFileSystem(directory, detail);
        try checkDirectory(directory, detail);
        return .{ .directory = directory, .lock_fd = try lock(directory, detail) };
    }

    /// Lets the next owner in.
    pub fn close(place: Place) void {
        _ = linux.close(place.lock_fd);
        place.directory.close();
    }

    /// Path for LMDB of the store, or of the one that is being made.
    pub fn path(place: Place, comptime tail: []const u8, buffer: *PathBuffer) [:0]const u8 {
        const format = "/proc/self/fd/{d}" ++ tail;
        return std.fmt.bufPrintZ(buffer, format, .{place.directory.fd}) catch unreachable;
    }

    /// Opens data.mdb to look into it, after it was checked. Null if there is none.
    pub fn openData(place: Place, detail: *Detail) Error!?Opened {
        return openDataIn(place.directory, detail);
    }

    /// Makes the directory in which a new store is put together.
    pub fn beginMaking(place: Place, detail: *Detail) Error!void {
        place.clearMaking();
        const rc = linux.mkdirat(place.directory.fd, making_name, 0o700);
        _ = try file.check(rc, detail);
    }

    /// Gives the new store, which is durable, its name.
    pub fn endMaking(place: Place, detail: *Detail) Error!void {
        const made = making_name ++ "/" ++ data_name;
        const fd = place.directory.fd;
        _ = try file.check(linux.renameat(fd, made, fd, data_name), detail);
        place.clearMaking();
        try sync(fd, detail);
        // The directory itself may be new. A parent that we may not read is its owner's business.
        const flags: linux.O = .{ .DIRECTORY = true, .CLOEXEC = true };
        const rc = linux.openat(fd, "..", flags, 0);
        if (linux.errno(rc) != .SUCCESS) return;
        const parent: i32 = @intCast(rc);
        defer _ = linux.close(parent);
        try sync(parent, detail);
    }

    /// Removes what was being made.
    pub fn clearMaking(place: Place) void {
        const fd = place.directory.fd;
        _ = linux.unlinkat(fd, making_name ++ "/" ++ data_name, 0);
        _ = linux.unlinkat(fd, making_name, linux.AT.REMOVEDIR);
    }

    pub fn sync(fd: i32, detail: *Detail) Error!void {
        _ = try file.check(linux.fsync(fd), detail);
    }
};

pub const Opened = struct { fd: i32, size: u64 };

/// Opens the data.mdb of a directory that is perhaps another process's. Null if there is none.
pub fn openDataIn(directory: file.Directory, detail: *Detail) Error!?Opened {
    const place: file.Place = .{ .directory = directory, .name = data_name };
    var status: linux.Statx = undefined;
    const fd = file.openFile(place, .read_only, &status, detail) catch |err|
        return if (err == error.NotFound) null else err;
    errdefer _ = linux.close(fd);
    try checkStatus(&status, detail);
    return .{ .fd = fd, .size = status.size };
}

fn checkDirectory(directory: file.Directory, detail: *Detail) Error!void {
    var status: linux.Statx = undefined;
    try file.statFile(directory.fd, &status, detail);
    detail.expected = 0o700;
    detail.actual = @floatFromInt(status.mode & 0o7777);
    if (status.uid != linux.geteuid() or status.mode & 0o022 != 0) return error.UnsafeFile;
}

/// A file of a store is this user's, for nobody else, a regular one, and has one name.
fn checkStatus(status: *const linux.Statx, detail: *Detail) Error!void {
    detail.expected = 0o600;
    detail.actual = @floatFromInt(status.mode & 0o7777);
    const is_private = linux.S.ISREG(status.mode) and status.mode & 0o7777 & ~@as(u16, 0o600) == 0;
    if (!is_private or status.uid != linux.geteuid()) return error.UnsafeFile;
    detail.expected = 1;
    detail.actual = @floatFromInt(status.nlink);
    if (status.nlink != 1) return error.UnsafeFile;
}

/// Opens `LOCK` and takes the lock. On `Busy` the detail has the owner's pid, if that is known.
fn lock(directory: file.Directory, detail: *Detail) Error!i32 {
    const flags: linux.O = .{
        .ACCMODE = .RDWR,
        .CREAT = true,
        .NOFOLLOW = true,
        .CLOEXEC = true,
        .NONBLOCK = true,
    };
    const rc = linux.openat(directory.fd, lock_name, flags, 0o600);
    const fd: i32 = @intCast(try file.check(rc, detail));
    errdefer _ = linux.close(fd);
    var status: linux.Statx = undefined;
    try file.statFile(fd, &status, detail);
    try checkStatus(&status, detail);
    liveness.tryLock(fd, .registration) catch |err| {
        if (err != error.Held) return error.Os;
        detail.pid = readPid(fd);
        return error.Busy;
    };
    try writePid(fd, detail);
    return fd;
}

/// The pid, for people: what excludes others is the lock.
fn writePid(fd: i32, detail: *Detail) Error!void {
    var buffer: [16]u8 = undefined;
    const text = std.fmt.bufPrint(&buffer, "{d}\n", .{linux.getpid()}) catch unreachable;
    _ = try file.check(linux.pwrite(fd, text.ptr, text.len, 0), detail);
    _ = try file.check(linux.ftruncate(fd, @intCast(text.len)), detail);
}

fn readPid(fd: i32) u32 {
    var buffer: [16]u8 = undefined;
    const rc = linux.pread(fd, &buffer, buffer.len, 0);
    if (linux.errno(rc) != .SUCCESS) return 0;
    const end = std.mem.indexOfScalar(u8, buffer[0..rc], '\n') orelse return 0;
    return std.fmt.parseInt(u32, buffer[0..end], 10) catch 0;
}
