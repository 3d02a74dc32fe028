//! Waiting for a record: spinning first, then asleep in the kernel, in slices that look around.
const std = @import("std");
const constants = @import("constants.zig");
const memory = @import("memory.zig").direct;
const Consumer = @import("consumer.zig").Consumer;
const Sleeper = @import("sleeper.zig").Sleeper;
const isForgotten = @import("sleeper.zig").isForgotten;
const Status = @import("status.zig").Status;
const wait = @import("wait.zig").Protocol(memory);

/// Spins for `spins` looks, then sleeps until a poll has something to say, at most `timeout_ns`.
pub fn park(consumer: *Consumer, spins: u32, timeout_ns: u64) Status {
    if (consumer.spin(spins) == .ok) return .ok;
    const lines = consumer.ring.lines;
    var end = Sleeper.deadline(timeout_ns);
    var has_slept = false;
    while (true) {
        const seen = wait.prepare(&lines.data, &lines.control);
        if (consumer.hasNews()) return .ok;
        if (consumer.channel.isPoisoned()) return .truncated;
        if (consumer.isHeaderLost()) {
            consumer.examineNext(); // Where the waiting thread is another one.
            return .corrupt_header;
        }
        const is_claimed = consumer.isClaimed();
        const slice_ns: u64 = if (is_claimed)
            constants.wait_slice_claimed_ns
        else
            constants.wait_slice_ns;
        if (!has_slept) consumer.countUp("waits", 1);
        has_slept = true;
        switch (consumer.sleeper.sleep(&lines.data, seen, slice_ns, &end)) {
            .look => if (consumer.sleeper.slice_ended) noteLateWakeup(consumer, seen),
            .timed_out => {
                consumer.countUp("waits_timed_out", 1);
                return .timed_out;
            },
            .interrupted => return .interrupted,
            .closed => return .closed,
        }
        if (consumer.sleeper.slice_ended) consumer.channel.checkSize();
        // The owner of a claim may be dead, the record damaged: let a poll find out.
        if (is_claimed and consumer.sleeper.slice_ended) {
            consumer.examineNext();
            return .ok;
        }
    }
}

/// A slice that ended by time although a message was there and nobody woke us is a defect.
pub fn noteLateWakeup(consumer: *Consumer, seen: u32) void {
    if (!consumer.hasNews()) return;
    if (isForgotten(&consumer.ring.lines.data, seen)) consumer.countUp("late_wakeups", 1);
}
