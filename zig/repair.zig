//! Repair: what the dead have left is finished by whoever meets it.
//!
//! - A claim of a dead producer ends (recovery.zig).
//! - A dead consumer's slot stops holding producers back; its name and cursor stay for its return.
//!   Not so the persister's: what it has not written down nobody may overwrite.
//!
//! Death is what the kernel says (liveness.zig). All changes happen under the registration lock,
//! which the kernel takes from a repairer that dies, so that the next one begins again.
const header = @import("header.zig");
const liveness = @import("liveness.zig");
const memory = @import("memory.zig").direct;
const recovery_module = @import("recovery.zig");
const Channel = @import("channel.zig").Channel;
const recovery = recovery_module.Protocol(memory);
const wait = @import("wait.zig").Protocol(memory);

/// Ends the claim at (`position`, `sequence`) if everybody who may own it is dead.
pub fn repairClaim(channel: *Channel, position: u64, sequence: u64) recovery_module.Outcome {
    liveness.tryLock(channel.fd, .registration) catch return .owner_alive;
    defer liveness.unlock(channel.fd, .registration);
    return recovery.endClaim(channel, position, sequence);
}

/// Frees producers from a dead consumer. True if that changed anything.
pub fn detachDeadConsumer(channel: *Channel, index: u32) bool {
    if (channel.identity.isDurable() and index == header.persister_index) return false;
    if (!channel.isConsumerDead(index)) return false;
    liveness.tryLock(channel.fd, .registration) catch return false;
    defer liveness.unlock(channel.fd, .registration);
    if (!channel.isConsumerDead(index)) return false; // Somebody has joined in the meantime.
    const slot = &channel.ring.consumers[index];
    const lines = channel.ring.lines;
    _ = memory.clearBits(u64, &lines.control.gating, @as(u64, 1) << @intCast(index));
    _ = wait.wake(&lines.space, &lines.control);
    const state = &slot.owner.state;
    // Else it has left in the meantime, or was removed.
    if (memory.load(u32, state, .acquire) != header.SlotState.taken) return true;
    memory.store(u32, state, header.SlotState.released, .release);
    const sequence = memory.load(u64, &slot.cursor.sequence, .monotonic);
    channel.noteOf(.consumer_detached, &slot.owner, sequence -| 1);
    return true;
}
