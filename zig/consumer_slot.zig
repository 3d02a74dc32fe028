//! Consumer slots: who gets which, under the registration lock. A slot is free, or its holder is
//! proven dead by its lock, or somebody else's.
const std = @import("std");
const fault_points = @import("testing/fault_points.zig");
const header = @import("header.zig");
const liveness = @import("liveness.zig");
const Channel = @import("channel.zig").Channel;
const Detail = @import("detail.zig").Detail;
const memory = @import("memory.zig").direct;
const ownerName = @import("channel.zig").ownerName;
const wait = @import("wait.zig").Protocol(memory);

pub const Error = error{ Busy, SlotsFull };

/// A slot that was taken.
pub const Taken = struct {
    index: u32,
    /// Whether a consumer of the same name has left it, with its cursor.
    is_return: bool,
};

/// Takes the slot of that name, else a free one, else one that its consumer has left.
pub fn take(channel: *Channel, name: []const u8, detail: *Detail) Error!Taken {
    const ring = &channel.ring;
    const slots = ring.consumers[0..ring.consumers_max];
    if (try takeNamed(channel, name, detail)) |index| return .{ .index = index, .is_return = true };
    for ([_]bool{ true, false }) |want_free| {
        for (slots, 0..) |*slot, i| {
            const state = memory.load(u32, &slot.owner.state, .acquire);
            if ((state == header.SlotState.free) != want_free) continue;
            // The log keeps what a named consumer has not read, dead or alive.
            if (channel.identity.isDurable() and ownerName(&slot.owner).len > 0 and !want_free) {
                const is_left = state != header.SlotState.taken;
                if (is_left and i != header.persister_index) detail.setName(ownerName(&slot.owner));
                continue;
            }
            if (tryTake(channel, @intCast(i))) {
                return .{ .index = @intCast(i), .is_return = false };
            }
        }
    }
    detail.expected = @floatFromInt(ring.consumers_max);
    return error.SlotsFull;
}

/// Takes the slot that a consumer of that name has left; null if there is none.
pub fn takeNamed(channel: *Channel, name: []const u8, detail: *Detail) error{Busy}!?u32 {
    if (name.len == 0) return null;
    const ring = &channel.ring;
    for (ring.consumers[0..ring.consumers_max], 0..) |*slot, i| {
        const state = memory.load(u32, &slot.owner.state, .acquire);
        if (state == header.SlotState.free) continue;
        if (!std.mem.eql(u8, ownerName(&slot.owner), name)) continue;
        if (tryTake(channel, @intCast(i))) return @intCast(i);
        detail.pid = memory.load(u32, &slot.owner.pid, .monotonic);
        detail.setName(name);
        return error.Busy;
    }
    return null;
}

fn tryTake(channel: *Channel, index: u32) bool {
    if (channel.holds_consumer[index]) return false;
    liveness.tryLock(channel.fd, .consumer(index)) catch return false;
    channel.holds_consumer[index] = true;
    if (channel.identity.isDurable() and index == header.persister_index) return true;
    const lines = channel.ring.lines;
    _ = memory.clearBits(u64, &lines.control.gating, @as(u64, 1) << @intCast(index));
    _ = wait.wake(&lines.space, &lines.control); // Its last owner may have held producers back.
    return true;
}

/// Forgets the last owner of a slot that was just taken, but for how many there were.
pub fn clear(slot: *header.ConsumerSlot) void {
    const resets = slot.counters.resets; // Stays, should the process end in the middle.
    const bytes = std.mem.asBytes(slot);
    const kept = comptime @offsetOf(header.ConsumerSlot, "counters") +
        @offsetOf(header.ConsumerCounters, "resets");
    @memset(bytes[0..kept], 0);
    @memset(bytes[kept + @sizeOf(u64) ..], 0);
    fault_points.hit(.mid_reset);
    // A peer may have spoilt it, so it wraps. Pairs with the acquire in report.zig: who sees it
    // sees counters that began with 0.
    memory.store(u64, &slot.counters.resets, resets +% 1, .release);
}

/// Whether the last owner of a slot that was just taken has died there, unnoticed so far.
pub fn isOfDead(slot: *const header.ConsumerSlot) bool {
    return memory.load(u32, &slot.owner.state, .acquire) == header.SlotState.taken;
}

/// Tells the history that the slot goes on to another one.
pub fn noteDead(channel: *const Channel, slot: *const header.ConsumerSlot) void {
    const sequence = memory.load(u64, &slot.cursor.sequence, .monotonic);
    channel.noteOf(.consumer_replaced, &slot.owner, sequence -| 1);
}

/// Gives the lock back; what the slot says stays.
pub fn drop(channel: *Channel, index: u32) void {
    channel.holds_consumer[index] = false;
    liveness.unlock(channel.fd, .consumer(index));
}
