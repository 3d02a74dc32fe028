//! Durability as others than the persister see it: how far the log is, and waiting for it.
const std = @import("std");
const constants = @import("constants.zig");
const header = @import("header.zig");
const memory = @import("memory.zig").direct;
const Channel = @import("channel.zig").Channel;
const Producer = @import("producer.zig").Producer;
const Ring = @import("ring.zig").Ring;
const Sleeper = @import("sleeper.zig").Sleeper;
const Status = @import("status.zig").Status;
const wait = @import("wait.zig").Protocol(memory);

/// Last sequence that is on the device.
pub inline fn durable(ring: *const Ring) u64 {
    // Pairs with the release of the persister.
    return memory.load(u64, &ring.lines.durability.durable, .acquire);
}

/// Looks between two offers of the core to others: half a microsecond. The persister may wait for
/// this very core, as Linux keeps threads that wake each other on one even where another is idle.
const looks_per_yield = 32;

/// Says for which sequence another thread of this producer is to sleep, or sleeps already. Who
/// looks at `durable` afterwards, and finds a lower one not reached, may rely on its commit to
/// wake that thread.
pub fn want(producer: *Producer, sequence: u64) void {
    memory.store(u64, &producer.wanted_durable, sequence, .release);
    memory.fullFence(); // Before the caller's look at `durable`.
}

/// Spins, then sleeps, until the sequence in `wanted` is durable, at most `timeout_ns`: at 0 it
/// only spins.
pub fn awaitDurable(
    producer: *Producer,
    wanted: *const u64,
    spins: u32,
    timeout_ns: u64,
) Status {
    const ring = &producer.ring;
    for (0..spins) |i| {
        if (isReached(ring, wanted)) return .ok;
        if (i % looks_per_yield == looks_per_yield - 1) std.Thread.yield() catch {};
        std.atomic.spinLoopHint();
    }
    if (timeout_ns == 0) return look(producer, wanted) orelse .timed_out;
    const lines = ring.lines;
    var end = Sleeper.deadline(timeout_ns);
    while (true) {
        const seen = wait.prepare(&lines.commit, &lines.control);
        if (look(producer, wanted)) |status| return status;
        switch (producer.sleeper.sleep(&lines.commit, seen, constants.wait_slice_ns, &end)) {
            .look => if (producer.sleeper.slice_ended) producer.channel.checkSize(),
            .timed_out => return .timed_out,
            .interrupted => return .interrupted,
            .closed => return .closed,
        }
    }
}

inline fn isReached(ring: *const Ring, wanted: *const u64) bool {
    return durable(ring) >= memory.load(u64, wanted, .acquire); // Pairs with `want`.
}

/// Whether the waiting is over, and how.
fn look(producer: *const Producer, wanted: *const u64) ?Status {
    if (isReached(&producer.ring, wanted)) return .ok;
    if (producer.channel.isPoisoned()) return .truncated;
    const refusal = memory.load(u32, &producer.ring.lines.control.refusal, .acquire);
    return if (refusal == header.Refusal.failed) .wal_failed else null;
}

/// The state of a channel's log, for people and for errors.
pub const DurabilityReport = extern struct {
    durable: f64,
    logged: f64,
    oldest: f64,
    groups: f64,
    syncs: f64,
    sync_ns: f64,
    sync_ns_max: f64,
    log_bytes: f64,
    publishes: f64,
    wakeups: f64,
    full_times: f64,
    segments: u32,
    forced_cuts: u32,
    epoch: u32,
    state: u32,
    errno: u32,
    fault: u32,
};

pub fn report(channel: *const Channel) DurabilityReport {
    const line = &channel.ring.lines.durability;
    var out: DurabilityReport = undefined;
    inline for (@typeInfo(DurabilityReport).@"struct".fields) |field| {
        const word = &@field(line, field.name);
        const value = memory.load(@TypeOf(word.*), word, .monotonic);
        @field(out, field.name) = if (field.type == f64) @floatFromInt(value) else value;
    }
    return out;
}
