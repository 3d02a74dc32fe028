//! Sleep and wake-up over one shared word, without a lost wake-up and without a cost to a waker
//! that has nobody to wake.
//!
//! Sleeper: read `signal`; set `sleepers`; make that visible *before* looking again; look again;
//! sleep in the kernel only while `signal` has not changed.
//! Waker: make the news visible; read `sleepers`; if set, clear it, change `signal`, wake all.
//!
//! - The order that matters is "news before the waker's look at `sleepers`" against "`sleepers` before
//!   the sleeper's second look". The waker runs no fence for it: the sleeper makes every other thread
//!   pass one (`membarrier`, futex.zig), and falls back to `ControlLine.fence_required`.
//! - The flag is cleared by the waker, not counted by sleepers, so a sleeper killed by -9 leaves at
//!   most one vain wake-up behind.
//! - Proved by testing/interleave.zig, which runs these functions in every order, with store buffers.
//!
//! Source: the flag-and-recheck protocol of futex(2)-based mutexes (Drepper, "Futexes are tricky"),
//! with the asymmetric fence of Dice, Huang and Yang ("Asymmetric Dekker synchronization").
const std = @import("std");
const futex = @import("futex.zig");
const header = @import("header.zig");

/// The protocol over an access layer: memory.direct in the library, the model's in its test.
pub fn Protocol(comptime memory: type) type {
    return struct {
        /// Step one of going to sleep. The caller must look for news again before it waits.
        ///
        /// Returns the value of `signal` to wait on.
        pub inline fn prepare(line: *header.WaitLine, control: *header.ControlLine) u32 {
            const seen = memory.load(u32, &line.signal, .acquire);
            memory.store(u32, &line.sleepers, 1, .monotonic);
            if (!futex.fenceEveryone(memory)) {
                // Wakers of all processes see this at their next look and fence from then on; the
                // wait is bounded for the one that is between its store and its look right now.
                memory.store(u32, &control.fence_required, 1, .seq_cst);
            }
            return seen;
        }

        /// Wakes whoever sleeps on `line`. Call after the news was stored.
        ///
        /// Returns whether somebody was woken. Cost with no sleeper: two loads of shared lines.
        pub inline fn wake(line: *header.WaitLine, control: *const header.ControlLine) bool {
            if (memory.load(u32, &control.fence_required, .monotonic) != 0) memory.fullFence();
            if (memory.load(u32, &line.sleepers, .monotonic) == 0) return false;
            return wakeSleepers(line);
        }

        fn wakeSleepers(line: *header.WaitLine) bool {
            @branchHint(.unlikely);
            if (memory.exchange(u32, &line.sleepers, 0) == 0) return false;
            _ = memory.add(u32, &line.signal, 1);
            futex.wakeAll(memory, &line.signal);
            return true;
        }
    };
}
