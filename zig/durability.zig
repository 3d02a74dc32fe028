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

/// Spins, then sleeps, until `sequence` is durable, at most `timeout_ns`.
pub fn awaitDurable(
    producer: *Producer,
    sequence: u64,
    spins: u32,
    timeout_ns: u64,
) Status {
    const ring = &producer.ring;
    for (0..spins) |_| {
        if (durable(ring) >= sequence) return .ok;
        std.atomic.spinLoopHint();
    }
    const lines = ring.lines;
    var end = Sleeper.deadline(timeout_ns);
    while (true) {
        const seen = wait.prepare(&lines.commit, &lines.control);
        if (durable(ring) >= sequence) return .ok;
        if (producer.channel.isPoisoned()) return .truncated;
        const refusal = memory.load(u32, &lines.control.refusal, .acquire);
        if (refusal == header.Refusal.failed) return .wal_failed;
        switch (producer.sleeper.sleep(&lines.commit, seen, constants.wait_slice_ns, &end)) {
            .look => if (producer.sleeper.slice_ended) producer.channel.checkSize(),
            .timed_out => return .timed_out,
            .interrupted => return .interrupted,
            .closed => return .closed,
        }
    }
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
