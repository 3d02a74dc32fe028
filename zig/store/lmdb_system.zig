//! What LMDB asks of the operating system: its sources are compiled with these in place of the
//! functions of libc (`addLmdb` in build.zig).
//!
//! - Mappings are guarded: a page that a truncated file no longer has reads as zeros and sets the
//!   store's mark, instead of ending the process (sigbus.zig).
//! - A write is whole or an error. LMDB calls a short one EIO, which hides a full disk.
//! - A failed fdatasync is remembered: the kernel has dropped the pages and would report success
//!   the next time, and from LMDB's result it cannot be told from a failed write.
const std = @import("std");
const builtin = @import("builtin");
const linux = std.os.linux;
const sigbus = @import("../sigbus.zig");

/// What happened to one store. It has to stay where it is while the store is open.
pub const Incidents = struct {
    /// 1 when a page was missing under a mapping.
    poisoned: u32 = 0,
    /// errno of the fdatasync that failed, or 0.
    sync_errno: u32 = 0,
};

/// The store that this thread is at work for; LMDB's functions take no such argument.
threadlocal var current: ?*Incidents = null;

/// Says for whom this thread calls LMDB from here on, null for nobody.
pub fn enter(incidents: ?*Incidents) void {
    current = incidents;
}

comptime {
    for (.{
        .{ &mapFile, "mt_lmdb_mmap" },
        .{ &unmapFile, "mt_lmdb_munmap" },
        .{ &writeAll, "mt_lmdb_pwrite" },
        .{ &writeAllOf, "mt_lmdb_pwritev" },
        .{ &syncFile, "mt_lmdb_fdatasync" },
    }) |pair| @export(pair[0], .{ .name = pair[1], .visibility = .hidden });
}

fn fail(errno: linux.E) void {
    std.c._errno().* = @intFromEnum(errno);
}

fn mapFile(
    address: ?*anyopaque,
    size: usize,
    protection: c_int,
    flags: c_int,
    fd: c_int,
    offset: i64,
) callconv(.c) ?*anyopaque {
    const rc = linux.syscall6(
        .mmap,
        @intFromPtr(address),
        size,
        @intCast(protection),
        @intCast(flags),
        @bitCast(@as(isize, fd)),
        @bitCast(offset),
    );
    const failed: ?*anyopaque = @ptrFromInt(std.math.maxInt(usize)); // MAP_FAILED.
    const errno = linux.errno(rc);
    if (errno != .SUCCESS) {
        fail(errno);
        return failed;
    }
    const incidents = current orelse return @ptrFromInt(rc);
    // SAFETY: the kernel has just made this mapping; `unmapFile` ends the watch before it goes.
    const memory = @as([*]const u8, @ptrFromInt(rc))[0..size];
    sigbus.watch(memory, &incidents.poisoned) catch {
        _ = linux.munmap(memory.ptr, size);
        fail(.NFILE);
        return failed;
    };
    return @ptrFromInt(rc);
}

fn unmapFile(address: ?*anyopaque, size: usize) callconv(.c) c_int {
    const start: [*]const u8 = @ptrCast(address orelse return 0);
    sigbus.unwatch(start[0..size]);
    return result(linux.munmap(start, size));
}

/// For tests: what the next call on this thread gives instead of what it would do.
threadlocal var next_sync: linux.E = .SUCCESS;
threadlocal var next_write: linux.E = .SUCCESS;

pub fn failNextSync(errno: linux.E) void {
    next_sync = errno;
}

pub fn failNextWrite(errno: linux.E) void {
    next_write = errno;
}

fn takeFault(fault: *linux.E) ?usize {
    if (!builtin.is_test or fault.* == .SUCCESS) return null;
    defer fault.* = .SUCCESS;
    return @bitCast(-@as(isize, @intFromEnum(fault.*)));
}

fn writeAll(fd: c_int, bytes: [*]const u8, size: usize, offset: i64) callconv(.c) isize {
    var done: usize = 0;
    while (done < size) {
        const at = offset + @as(i64, @intCast(done));
        const rc = takeFault(&next_write) orelse
            linux.pwrite(fd, bytes + done, size - done, at);
        switch (linux.errno(rc)) {
            .SUCCESS => if (rc == 0) {
                fail(.NOSPC);
                return -1;
            },
            .INTR => continue,
            else => |errno| {
                fail(errno);
                return -1;
            },
        }
        done += rc;
    }
    return @intCast(size);
}

fn writeAllOf(
    fd: c_int,
    parts: [*]const std.posix.iovec_const,
    count: c_int,
    offset: i64,
) callconv(.c) isize {
    var done: i64 = 0;
    for (parts[0..@intCast(count)]) |part| {
        const written = writeAll(fd, part.base, part.len, offset + done);
        if (written < 0) return -1;
        done += written;
    }
    return @intCast(done);
}

fn syncFile(fd: c_int) callconv(.c) c_int {
    const rc = takeFault(&next_sync) orelse linux.fdatasync(fd);
    const errno = linux.errno(rc);
    if (errno != .SUCCESS and errno != .INTR) {
        if (current) |incidents| incidents.sync_errno = @intFromEnum(errno);
    }
    return result(rc);
}

fn result(rc: usize) c_int {
    const errno = linux.errno(rc);
    if (errno == .SUCCESS) return 0;
    fail(errno);
    return -1;
}
