//! Repair: what the dead have left is finished by whoever meets it.
//!
//! - A claim of a dead producer becomes ABORTED records: its sequences are used up, readers skip them.
//! - A dead consumer's slot stops holding producers back; its name and cursor stay for its return.
//!
//! Death is what the kernel says (liveness.zig). All changes happen under the registration lock, which
//! the kernel takes from a repairer that dies, so that the next one begins again; writing the same
//! aborted records twice does no harm, since the commit word comes last.
const std = @import("std");
const constants = @import("constants.zig");
const fault_points = @import("testing/fault_points.zig");
const header = @import("header.zig");
const liveness = @import("liveness.zig");
const memory = @import("memory.zig").direct;
const record = @import("record.zig");
const ring_module = @import("ring.zig");
const Channel = @import("channel.zig").Channel;
const Claim = ring_module.Claim;
const Ring = ring_module.Ring;
const protocol = ring_module.Protocol(memory);
const wait = @import("wait.zig").Protocol(memory);

pub const Outcome = enum {
    /// The claim is over: look at the record again.
    repaired,
    /// Its owner lives, or somebody else is repairing.
    owner_alive,
    /// There is no open claim there: the record was published, or never claimed.
    not_open,
    /// Several dead producers wanted that place and nothing tells how much the winner got.
    unprovable,
};

/// How much of the ring a claim took, and for how many records.
const Extent = struct { bytes: u64, count: u64 };

/// Ends the claim at (`position`, `sequence`) if everybody who may own it is dead.
pub fn repairClaim(channel: *Channel, position: u64, sequence: u64) Outcome {
    liveness.tryLock(channel.fd, .registration) catch return .owner_alive;
    defer liveness.unlock(channel.fd, .registration);
    return repairClaimLocked(channel, position, sequence);
}

/// The same for a caller that holds the registration lock.
pub fn repairClaimLocked(channel: *Channel, position: u64, sequence: u64) Outcome {
    const ring = &channel.ring;
    if (protocol.standing(ring, position, sequence) != .claimed) return .not_open;
    if (!ring.is_many) return .owner_alive; // The next producer finds the true end by itself.
    var dead: u64 = 0;
    for (ring.producers[0..ring.producers_max], 0..) |*slot, index| {
        if (!intends(slot, position, sequence)) continue;
        if (!channel.isProducerDead(@intCast(index))) return .owner_alive;
        dead |= @as(u64, 1) << @intCast(index);
    }
    if (dead == 0) return .not_open;
    // Another one may have won the place and be done; looked at behind the intents, which a winner
    // clears last. The dead only wanted it.
    if (isSound(ring, position, sequence)) {
        forget(ring, dead);
        return .not_open;
    }
    const extent = findExtent(ring, dead, position, sequence) orelse return .unprovable;
    const claim: Claim = .{ .position = position, .sequence = sequence, .bytes = extent.bytes };
    writeAborted(ring, claim, extent.count);
    fault_points.hit(.mid_repair);
    memory.store(u64, ring.sequenceWord(position), sequence, .release);
    forget(ring, dead);
    _ = wait.wake(&ring.lines.data, &ring.lines.control);
    return .repaired;
}

/// Frees the slots of dead producers, whose claims are over.
fn forget(ring: *const Ring, dead: u64) void {
    var rest = dead;
    while (rest != 0) : (rest &= rest - 1) {
        const slot = &ring.producers[@ctz(rest)];
        memory.store(u64, &slot.intent.sequence, 0, .release);
        memory.store(u32, &slot.owner.state, header.SlotState.free, .release);
    }
}

fn intends(slot: *const header.ProducerSlot, position: u64, sequence: u64) bool {
    return memory.load(u64, &slot.intent.sequence, .acquire) == sequence and
        memory.load(u64, &slot.intent.position, .monotonic) == position;
}

/// Size of the claim that one of the dead has won. They agree, or the place after it tells.
fn findExtent(ring: *const Ring, dead: u64, position: u64, sequence: u64) ?Extent {
    var found: ?Extent = null;
    var agree = true;
    var rest = dead;
    while (rest != 0) : (rest &= rest - 1) {
        const extent = readExtent(ring, @ctz(rest), position) orelse continue;
        if (found) |other| agree = agree and std.meta.eql(other, extent);
        found = extent;
    }
    if (agree) return found;
    rest = dead;
    while (rest != 0) : (rest &= rest - 1) {
        const extent = readExtent(ring, @ctz(rest), position) orelse continue;
        if (isBoundary(ring, position + extent.bytes, sequence + extent.count)) return extent;
    }
    return null;
}

fn readExtent(ring: *const Ring, index: usize, position: u64) ?Extent {
    const intent = &ring.producers[index].intent;
    const bytes = memory.load(u64, &intent.bytes, .monotonic);
    const count = memory.load(u64, &intent.count, .monotonic);
    if (bytes > ring.claim_max or bytes & (ring.alignment - 1) != 0) return null;
    if (count == 0 or count > bytes / ring.stride(0)) return null;
    if (bytes > count * ring.strideMax()) return null;
    if (position + bytes > protocol.readClaim(ring).position) return null;
    return .{ .bytes = bytes, .count = count };
}

/// Whether some claim is known to have begun at exactly this place: the claim word stands there, a
/// producer meant to claim there (it had read the claim word), or a sound record begins there.
fn isBoundary(ring: *const Ring, position: u64, sequence: u64) bool {
    const pair = protocol.readClaim(ring);
    if (pair.position == position and pair.sequence == sequence) return true;
    for (ring.producers[0..ring.producers_max]) |*slot| {
        if (intends(slot, position, sequence)) return true;
    }
    return isSound(ring, position, sequence);
}

/// Whether a published record stands at (`position`, `sequence`).
pub fn isSound(ring: *const Ring, position: u64, sequence: u64) bool {
    return soundStride(ring, position, sequence) != null;
}

/// Bytes to the next record if a published record stands at (`position`, `sequence`).
pub fn soundStride(ring: *const Ring, position: u64, sequence: u64) ?u64 {
    if (!ring.isPosition(position)) return null;
    if (!protocol.isReady(ring, position, sequence)) return null;
    const source = ring.recordAt(position);
    const head_word = @atomicLoad(u64, @as(*u64, @ptrCast(@alignCast(source + 8))), .monotonic);
    const head = record.parseHeadWord(head_word, ring.record_payload_max) orelse return null;
    const verdict = record.verifyInPlace(source, ring.salt, sequence, head_word, head.length);
    return if (verdict == .sound) ring.stride(head.length) else null;
}

/// Fills a claim with `count` ABORTED records, the first one's sequence word left to the caller.
pub fn writeAborted(ring: *const Ring, claim: Claim, count: u64) void {
    var position = claim.position;
    const end = claim.position + claim.bytes;
    for (0..count) |i| {
        const rest = count - 1 - i;
        const bytes = @min(ring.strideMax(), end - position - rest * ring.stride(0));
        const length: u32 = @intCast(bytes - record.header_bytes - record.trailer_bytes);
        const place = ring.recordAt(position);
        @memset((place + record.header_bytes)[0..length], 0);
        const sequence = claim.sequence + i;
        const capped = @min(length, ring.record_payload_max);
        record.sealInPlace(place, ring.salt, sequence, record.Flags.aborted, 0, capped, bytes);
        if (i > 0) memory.store(u64, ring.sequenceWord(position), sequence, .monotonic);
        position += bytes;
    }
}

/// Frees producers from a dead consumer. True if that changed anything.
pub fn detachDeadConsumer(channel: *Channel, index: u32) bool {
    if (!channel.isConsumerDead(index)) return false;
    liveness.tryLock(channel.fd, .registration) catch return false;
    defer liveness.unlock(channel.fd, .registration);
    if (!channel.isConsumerDead(index)) return false; // Somebody has joined in the meantime.
    const slot = &channel.ring.consumers[index];
    _ = memory.clearBits(u64, &channel.ring.lines.control.gating, @as(u64, 1) << @intCast(index));
    memory.store(u32, &slot.owner.state, header.SlotState.detached, .release);
    return true;
}
