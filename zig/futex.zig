//! Futex and membarrier system calls, for words in memory that several processes share.
//!
//! Raw system calls: the standard library's futex is process-private. The access layer passes
//! through here so that the model of testing/interleave.zig can stand in for the kernel.
const std = @import("std");
const linux = std.os.linux;
const clock = @import("clock.zig");

/// How a wait ended.
pub const WaitResult = enum { woken, changed, timed_out, interrupted };

/// Sleeps while `word` is `expected`, at most `timeout_ns`.
pub fn wait(word: *const u32, expected: u32, timeout_ns: u64) WaitResult {
    const timeout: linux.timespec = .{
        .sec = @intCast(timeout_ns / std.time.ns_per_s),
        .nsec = @intCast(timeout_ns % std.time.ns_per_s),
    };
    const rc = linux.futex_4arg(word, .{ .cmd = .WAIT, .private = false }, expected, &timeout);
    return switch (linux.errno(rc)) {
        .SUCCESS => .woken,
        .AGAIN => .changed,
        .INTR => .interrupted,
        else => .timed_out, // TIMEDOUT; and EFAULT of a truncated file, which the caller checks.
    };
}

/// Wakes every process that waits on `word`.
pub inline fn wakeAll(comptime memory: type, word: *const u32) void {
    if (@hasDecl(memory, "wakeAll")) return memory.wakeAll(word);
    _ = linux.futex_3arg(word, .{ .cmd = .WAKE, .private = false }, std.math.maxInt(i32));
}

const Membarrier = enum(u32) { global_expedited = 1 << 1, register_global_expedited = 1 << 2 };

fn membarrier(command: Membarrier) bool {
    const rc = linux.syscall3(.membarrier, @intFromEnum(command), 0, 0);
    return linux.errno(rc) == .SUCCESS;
}

/// Lets other processes' `fenceEveryone` reach the threads of this one.
///
/// False where the kernel has none (or a filter forbids it): then `ControlLine.fence_required`
/// has to be set, and wakers fence by themselves.
pub fn registerForFences() bool {
    return membarrier(.register_global_expedited);
}

/// Makes every running thread of every registered process pass a full fence, and this thread too.
/// About 150 ns here, nothing there. False where the kernel has none.
pub inline fn fenceEveryone(comptime memory: type) bool {
    if (@hasDecl(memory, "fenceEveryone")) return memory.fenceEveryone();
    if (membarrier(.global_expedited)) return true;
    memory.fullFence();
    return false;
}

/// One word of a `waitMany`; the kernel's `struct futex_waitv`.
pub const Waiter = extern struct {
    expected: u64,
    address: u64,
    flags: u32 = futex2_size_u32,
    reserved_0: u32 = 0,
};
const futex2_size_u32 = 2; // FUTEX2_SIZE_U32, and not FUTEX2_PRIVATE.

pub const WaitManyResult = enum { woken, timed_out, unsupported };

/// Sleeps until one of the words is woken or differs from what is expected of it (Linux 5.16).
pub fn waitMany(waiters: []const Waiter, timeout_ns: u64) WaitManyResult {
    const end = clock.monotonicNs() +| timeout_ns;
    const deadline: linux.timespec = .{
        .sec = @intCast(end / std.time.ns_per_s),
        .nsec = @intCast(end % std.time.ns_per_s),
    };
    const rc = linux.syscall5(
        .futex_waitv,
        @intFromPtr(waiters.ptr),
        waiters.len,
        0,
        @intFromPtr(&deadline),
        @intFromEnum(linux.CLOCK.MONOTONIC),
    );
    return switch (linux.errno(rc)) {
        .NOSYS, .PERM => .unsupported,
        .TIMEDOUT => .timed_out,
        else => .woken, // A word was woken, had changed, or a signal came: the caller looks.
    };
}

test "futex: waitMany returns at once when a word differs" {
    var words = [_]u32{ 1, 2 };
    const waiters = [_]Waiter{
        .{ .expected = 1, .address = @intFromPtr(&words[0]) },
        .{ .expected = 3, .address = @intFromPtr(&words[1]) },
    };
    try std.testing.expectEqual(.woken, waitMany(&waiters, std.time.ns_per_s));
}

test "futex: wait ends by time" {
    var word: u32 = 5;
    try std.testing.expectEqual(.timed_out, wait(&word, 5, 1000));
    try std.testing.expectEqual(.changed, wait(&word, 6, std.time.ns_per_s));
}
