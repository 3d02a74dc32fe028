//! Who is alive: a lock on one byte of the ring file, which the kernel releases when its holder
//! dies.
//!
//! | Byte (beyond any file size) | Held by |
//! | --------------------------: | :------ |
//! | 2^62            | whoever changes slots: joins, leaves, repairs |
//! | 2^62 + 1 + i    | producer in slot i   |
//! | 2^62 + 1024 + i | consumer in slot i   |
//! | 2^62 + 2048     | who counts in a file of counters |
//! | 2^62 + 3072     | shared by all that have the file open; alone by who removes it as unused |
//!
//! - Open-file-description locks (`F_OFD_SETLK`): they belong to one opening of the file, so two
//!   openings in one process exclude each other, and closing another descriptor of the file does
//!   not drop them as it drops `F_SETLK` locks. They see through pid namespaces and pid reuse.
//! - Locks of one opening do not conflict with themselves: the channel keeps a list of what it
//!   holds.
const std = @import("std");
const linux = std.os.linux;

pub const Byte = struct {
    offset: i64,

    const base: i64 = 1 << 62;
    pub const registration: Byte = .{ .offset = base };
    pub const writer: Byte = .{ .offset = base + 2048 };
    pub const presence: Byte = .{ .offset = base + 3072 };

    pub fn producer(index: u32) Byte {
        return .{ .offset = base + 1 + index };
    }

    pub fn consumer(index: u32) Byte {
        return .{ .offset = base + 1024 + index };
    }
};

const Flock = extern struct {
    kind: i16,
    whence: i16 = 0,
    start: i64,
    len: i64 = 1,
    pid: i32 = 0,
};
const ofd_getlk = 36;
const ofd_setlk = 37;
const ofd_setlkw = 38;
const read_lock = 0;
const write_lock = 1;
const unlock_kind = 2;

pub const LockError = error{ Held, Interrupted, Failed };

/// Takes the lock if it is free.
pub fn tryLock(fd: i32, byte: Byte) LockError!void {
    return apply(fd, ofd_setlk, write_lock, byte);
}

/// Takes the lock, waiting for a live holder. Only for the registration byte, which nobody holds
/// for longer than a few microseconds of work.
pub fn lock(fd: i32, byte: Byte) LockError!void {
    return wait(fd, write_lock, byte);
}

/// Takes the lock together with others that share it, waiting for who has it alone. Only for the
/// presence byte, which nobody has alone for longer than a few microseconds of work.
pub fn share(fd: i32, byte: Byte) LockError!void {
    return wait(fd, read_lock, byte);
}

/// The same if nobody has it alone.
pub fn tryShare(fd: i32, byte: Byte) LockError!void {
    return apply(fd, ofd_setlk, read_lock, byte);
}

fn wait(fd: i32, kind: i16, byte: Byte) LockError!void {
    while (true) {
        apply(fd, ofd_setlkw, kind, byte) catch |err| switch (err) {
            error.Interrupted => continue,
            else => return err,
        };
        return;
    }
}

pub fn unlock(fd: i32, byte: Byte) void {
    apply(fd, ofd_setlk, unlock_kind, byte) catch {}; // Closing the file releases it as well.
}

/// Whether some other opening of the file holds the lock. True on doubt: death must be proven.
pub fn isHeldByOther(fd: i32, byte: Byte) bool {
    var request: Flock = .{ .kind = write_lock, .start = byte.offset };
    const rc = linux.syscall3(.fcntl, fdArgument(fd), ofd_getlk, @intFromPtr(&request));
    return linux.errno(rc) != .SUCCESS or request.kind != unlock_kind;
}

fn apply(fd: i32, command: usize, kind: i16, byte: Byte) LockError!void {
    var request: Flock = .{ .kind = kind, .start = byte.offset };
    const rc = linux.syscall3(.fcntl, fdArgument(fd), command, @intFromPtr(&request));
    return switch (linux.errno(rc)) {
        .SUCCESS => {},
        .AGAIN, .ACCES => error.Held,
        .INTR => error.Interrupted,
        else => error.Failed,
    };
}

fn fdArgument(fd: i32) usize {
    return @bitCast(@as(isize, fd));
}

test "liveness: a lock of one opening is seen by another and freed by closing" {
    const path = "/dev/shm";
    const flags: linux.O = .{ .ACCMODE = .RDWR, .TMPFILE = true, .DIRECTORY = true };
    const first: i32 = @intCast(linux.openat(linux.AT.FDCWD, path, flags, 0o600));
    var name: [64]u8 = undefined;
    const link = try std.fmt.bufPrintZ(&name, "/proc/self/fd/{d}", .{first});
    const second: i32 = @intCast(linux.openat(linux.AT.FDCWD, link, .{ .ACCMODE = .RDWR }, 0));
    defer _ = linux.close(second);
    const byte = Byte.consumer(3);
    try tryLock(first, byte);
    try std.testing.expect(isHeldByOther(second, byte));
    try std.testing.expect(!isHeldByOther(first, byte));
    try std.testing.expectError(error.Held, tryLock(second, byte));
    try std.testing.expect(!isHeldByOther(second, Byte.consumer(4)));
    _ = linux.close(first);
    try std.testing.expect(!isHeldByOther(second, byte));
    try tryLock(second, byte);
}
