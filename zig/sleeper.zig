//! Sleeper: the part of a wait that can be closed from another thread.
//!
//! A wait runs in slices, so that it ends soon after its handle is closed even if nobody wakes it,
//! and so that a dead peer is noticed. Closing changes the futex word and wakes, so it need not
//! wait for the slice.
const std = @import("std");
const clock = @import("clock.zig");
const futex = @import("futex.zig");
const header = @import("header.zig");
const memory = @import("memory.zig").direct;

/// Whether nobody has woken the sleepers of `line` since `seen` was read from its signal, nor is
/// about to: a waker may be between its news and its wake-up.
pub fn isForgotten(line: *const header.WaitLine, seen: u32) bool {
    for (0..10_000) |_| {
        if (memory.load(u32, &line.signal, .acquire) != seen) return false;
        std.atomic.spinLoopHint();
    }
    return true;
}

/// What the waiter does next.
pub const Turn = enum { look, timed_out, interrupted, closed };

pub const Sleeper = struct {
    /// Threads inside a wait on this handle.
    waiters: u32 = 0,
    is_closing: u32 = 0,
    /// Whether the last slice ended by time.
    slice_ended: bool = false,

    /// A wait's last moment, in ns of the monotonic clock.
    pub fn deadline(timeout_ns: u64) u64 {
        return clock.monotonicNs() +| timeout_ns;
    }

    /// Sleeps for one slice while `signal` is `seen`.
    pub fn sleep(
        sleeper: *Sleeper,
        line: *header.WaitLine,
        seen: u32,
        slice_ns: u64,
        end: *const u64,
    ) Turn {
        if (memory.load(u32, &sleeper.is_closing, .acquire) != 0) return .closed;
        const now = clock.monotonicNs();
        if (now >= end.*) return .timed_out;
        const result = futex.wait(&line.signal, seen, @min(slice_ns, end.* - now));
        if (memory.load(u32, &sleeper.is_closing, .acquire) != 0) return .closed;
        sleeper.slice_ended = result == .timed_out;
        return if (result == .interrupted) .interrupted else .look;
    }

    /// Ends all waits on the handle, on any of `lines`, and returns when they are over. There are
    /// no lines where the mapping is read-only: nobody waits there.
    pub fn close(sleeper: *Sleeper, lines: []const *header.WaitLine) void {
        memory.store(u32, &sleeper.is_closing, 1, .seq_cst);
        while (memory.load(u32, &sleeper.waiters, .acquire) != 0) {
            for (lines) |line| {
                _ = memory.add(u32, &line.signal, 1);
                futex.wakeAll(memory, &line.signal);
            }
            std.Thread.yield() catch {};
        }
    }
};
