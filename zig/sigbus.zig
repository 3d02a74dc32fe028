//! SIGBUS guard: touching a page that a truncated file no longer has gives an error, not a death.
//!
//! The handler looks whether the faulting address lies in a watched mapping. If so, it puts a page of
//! zeros there, marks the mapping as poisoned and returns; the interrupted access then reads zeros,
//! and every function of the library looks at the mark before it gives out what it read. A fault
//! elsewhere goes on to the handler that was installed before, or to the default.
//!
//! Source: the same trick in systemd's journal (src/basic/sigbus.c).
const std = @import("std");
const linux = std.os.linux;
const posix = std.posix;
const constants = @import("constants.zig");

/// A watched range. The handler reads it with no lock: `start` is stored last and cleared first.
const Watch = struct {
    start: usize = 0,
    end: usize = 0,
    poisoned: ?*u32 = null,
};

var watches: [constants.mappings_max]Watch = @splat(.{});
var watches_lock: std.atomic.Mutex = .unlocked;
var is_installed = false;
var previous: posix.Sigaction = undefined;

fn acquire() void {
    while (!watches_lock.tryLock()) std.atomic.spinLoopHint();
}

/// Watches a mapping; `poisoned` is set to 1 when a fault was mended in it.
pub fn watch(memory: []const u8, poisoned: *u32) error{TableFull}!void {
    acquire();
    defer watches_lock.unlock();
    if (!is_installed) install();
    for (&watches) |*entry| {
        if (@atomicLoad(usize, &entry.start, .acquire) != 0) continue;
        entry.end = @intFromPtr(memory.ptr) + memory.len;
        entry.poisoned = poisoned;
        @atomicStore(usize, &entry.start, @intFromPtr(memory.ptr), .release);
        return;
    }
    return error.TableFull;
}

/// Stops watching. Call before the memory is unmapped.
pub fn unwatch(memory: []const u8) void {
    acquire();
    defer watches_lock.unlock();
    for (&watches) |*entry| {
        if (@atomicLoad(usize, &entry.start, .acquire) != @intFromPtr(memory.ptr)) continue;
        @atomicStore(usize, &entry.start, 0, .release);
    }
}

fn install() void {
    const action: posix.Sigaction = .{
        .handler = .{ .sigaction = onSigbus },
        .mask = posix.sigemptyset(),
        .flags = linux.SA.SIGINFO | linux.SA.ONSTACK,
    };
    posix.sigaction(.BUS, &action, &previous);
    is_installed = true;
}

fn onSigbus(
    signal: linux.SIG,
    info: *const linux.siginfo_t,
    context: ?*anyopaque,
) callconv(.c) void {
    // Of a signal that somebody has sent, those bytes are the sender.
    const address = if (info.code > 0) @intFromPtr(info.fields.sigfault.addr) else 0;
    if (mend(address)) return;
    if (previous.flags & linux.SA.SIGINFO != 0) {
        if (previous.handler.sigaction) |next| return next(signal, info, context);
    } else if (previous.handler.handler) |next| {
        if (next != posix.SIG.DFL and next != posix.SIG.IGN) return next(signal);
    }
    // Nobody else wants it: the access faults again under the default action. A signal that somebody
    // has sent does not come again by itself.
    const default: posix.Sigaction = .{
        .handler = .{ .handler = posix.SIG.DFL },
        .mask = posix.sigemptyset(),
        .flags = 0,
    };
    posix.sigaction(.BUS, &default, null);
    if (info.code <= 0) _ = linux.tgkill(linux.getpid(), linux.gettid(), .BUS);
}

fn mend(address: usize) bool {
    for (&watches) |*entry| {
        const start = @atomicLoad(usize, &entry.start, .acquire);
        if (start == 0 or address < start or address >= entry.end) continue;
        const page = std.mem.alignBackward(usize, address, std.heap.pageSize());
        // SAFETY: the page lies in a mapping of ours, which `unwatch` precedes the end of.
        const rc = linux.mmap(
            @ptrFromInt(page),
            std.heap.pageSize(),
            .{ .READ = true, .WRITE = true },
            .{ .TYPE = .PRIVATE, .ANONYMOUS = true, .FIXED = true },
            -1,
            0,
        );
        if (linux.errno(rc) != .SUCCESS) return false;
        if (entry.poisoned) |mark| @atomicStore(u32, mark, 1, .release);
        return true;
    }
    return false;
}

test "sigbus: a truncated mapping reads zeros and is marked" {
    const flags: linux.O = .{ .ACCMODE = .RDWR, .TMPFILE = true, .DIRECTORY = true };
    const fd: i32 = @intCast(linux.openat(linux.AT.FDCWD, "/dev/shm", flags, 0o600));
    defer _ = linux.close(fd);
    const size = 4 * std.heap.pageSize();
    _ = linux.ftruncate(fd, @intCast(size));
    const memory = try posix.mmap(null, size, .{ .READ = true, .WRITE = true }, .{ .TYPE = .SHARED }, fd, 0);
    defer posix.munmap(memory);
    var poisoned: u32 = 0;
    try watch(memory, &poisoned);
    defer unwatch(memory);
    memory[size - 1] = 7;
    try std.testing.expectEqual(0, poisoned);
    _ = linux.ftruncate(fd, 0);
    const volatile_memory: [*]volatile u8 = memory.ptr;
    try std.testing.expectEqual(0, volatile_memory[size - 1]);
    try std.testing.expectEqual(1, poisoned);
}
