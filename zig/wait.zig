//! Sleep and wake-up over one shared word, without a lost wake-up and without a cost to a waker
//! that has nobody to wake.
//!
//! Sleeper: read `signal`; count up `sleeps`; make that visible *before* looking again; look again;
//! sleep in the kernel only while `signal` has not changed.
//! Waker: make the news visible; read `sleeps`; unless `served` says that all of those were woken,
//! change `signal`, wake all, set `served` to the `sleeps` that was read.
//!
//! - The order that matters is "news before the waker's look at `sleeps`" against "`sleeps` before
//!   the sleeper's second look". The waker runs no fence for it: the sleeper makes every other
//!   thread pass one (`membarrier`, futex.zig), and falls back to `ControlLine.fence_required`.
//! - Nobody counts down, so a sleeper killed by -9 leaves at most one vain wake-up behind.
//! - `served` comes last, so a waker killed by -9 on its way leaves the work to the next one. And
//!   it names whom it is for: one who lies down meanwhile is counted beyond it.
//! - Proved by testing/interleave_wait.zig, which runs these functions in every order, with store
//!   buffers.
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
            _ = memory.add(u32, &line.sleeps, 1);
            if (!futex.fenceEveryone(memory)) {
                // Wakers of all processes see this at their next look and fence from then on; the
                // wait is bounded for the one that is between its store and its look right now.
                memory.store(u32, &control.fence_required, 1, .seq_cst);
            }
            return seen;
        }

        /// Wakes whoever sleeps on `line`. Call after the news was stored.
        ///
        /// Returns whether somebody was woken. Cost with no sleeper: loads from two shared lines.
        pub inline fn wake(line: *header.WaitLine, control: *const header.ControlLine) bool {
            if (memory.load(u32, &control.fence_required, .monotonic) != 0) memory.fullFence();
            const sleeps = memory.load(u32, &line.sleeps, .monotonic);
            const served = memory.load(u32, &line.served, .monotonic);
            if (sleeps == served) return false;
            wakeSleepers(line, sleeps, served);
            return true;
        }

        fn wakeSleepers(line: *header.WaitLine, sleeps: u32, served: u32) void {
            @branchHint(.unlikely);
            _ = memory.add(u32, &line.signal, 1);
            futex.wakeAll(memory, &line.signal);
            // In vain if another waker was faster, who at worst has served fewer.
            _ = memory.compareExchange(u32, &line.served, served, sleeps);
        }
    };
}
