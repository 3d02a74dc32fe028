//! Recovery: how the claims of dead producers end, and where a single producer's successor goes on.
//!
//! - A dead claim becomes ABORTED records: its sequences are used up, readers skip them. Whoever
//!   does that holds the registration lock (repair.zig), which the kernel takes from one who dies
//!   over it; the next one begins again. Writing the same records twice does no harm: the commit
//!   word is last.
//! - Who owns a claim is told by the intents that name its place (ring.zig). One of them has won
//!   it, or somebody else has, and has published.
//! - Proved by testing/interleave_death.zig, which kills producers and repairers at every step.
const std = @import("std");
const fault_points = @import("testing/fault_points.zig");
const header = @import("header.zig");
const record = @import("record.zig");
const ring_module = @import("ring.zig");
const wait_module = @import("wait.zig");
const Account = ring_module.Account;
const Claim = ring_module.Claim;
const Ring = ring_module.Ring;

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
const Extent = struct { bytes: u64, count: u64, is_won: bool };

/// The protocol over an access layer: memory.direct in the library, the model's in its test.
pub fn Protocol(comptime memory: type) type {
    const protocol = ring_module.Protocol(memory);
    const wait = wait_module.Protocol(memory);
    return struct {
        /// Ends the claim at (`position`, `sequence`) if everybody who may own it is dead.
        ///
        /// Assumes that the caller holds the registration lock. `channel` is a Channel or the
        /// model's: it has `ring`, `isProducerDead` and `onClaimEnded`, which is told of the end.
        pub fn endClaim(channel: anytype, position: u64, sequence: u64) Outcome {
            const ring = &channel.ring;
            if (protocol.standing(ring, position, sequence) != .claimed) return .not_open;
            if (!ring.is_many) return .owner_alive; // The next producer finds the end by itself.
            var dead: u64 = 0;
            for (ring.producers[0..ring.producers_max], 0..) |*slot, index| {
                if (!intends(slot, position, sequence)) continue;
                if (!channel.isProducerDead(@intCast(index))) return .owner_alive;
                // Again, now that it changes no more: it may have died over another claim.
                if (!intends(slot, position, sequence)) continue;
                dead |= @as(u64, 1) << @intCast(index);
            }
            if (dead == 0) return .not_open;
            if (isOver(ring, position, sequence)) {
                forget(ring, dead);
                return .not_open;
            }
            const winner = findWinner(ring, dead, position, sequence) orelse return .unprovable;
            const extent = readExtent(ring, winner, position) orelse return .unprovable;
            // For whoever goes on if we die in the middle: what we write may look like borders.
            const noted = extent.count | header.intent_won;
            memory.store(u64, &ring.producers[winner].intent.count, noted, .monotonic);
            writeAborted(ring, .{
                .position = position,
                .sequence = sequence,
                .bytes = extent.bytes,
            }, extent.count);
            fault_points.hit(.mid_repair);
            memory.store(u64, ring.sequenceWord(position), sequence, .release);
            channel.onClaimEnded(@as(u32, @intCast(winner)), sequence);
            forget(ring, dead);
            _ = wait.wake(&ring.lines.data, &ring.lines.control);
            return .repaired;
        }

        /// Whether another one has won the place and is done, so that the dead only wanted it.
        /// Looked at behind the intents, which a winner clears last; then whether a later lap has
        /// come by, which an open claim would have held back.
        fn isOver(ring: *const Ring, position: u64, sequence: u64) bool {
            if (isSound(ring, position, sequence)) return true;
            memory.loadBarrier();
            return protocol.standing(ring, position, sequence) == .lapped;
        }

        /// Whether the slot's last owner left no open claim behind; ends one if that can be done
        /// now. Assumes that the caller holds the registration lock and the slot's own.
        pub fn isClear(channel: anytype, index: u32) bool {
            const ring = &channel.ring;
            if (!ring.is_many) return true;
            const intent = &ring.producers[index].intent;
            const sequence = memory.load(u64, &intent.sequence, .acquire);
            if (sequence == 0) return true;
            const position = memory.load(u64, &intent.position, .monotonic);
            return switch (endClaim(channel, position, sequence)) {
                .repaired, .not_open => true,
                .owner_alive, .unprovable => false,
            };
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

        /// Which of the dead has won the claim. They all wanted as much, or one has noted that it
        /// won, or the place after the claim tells: where several lie on claims' borders, the
        /// nearest is the claim's end, since nothing was written into it that could pass for a
        /// border.
        fn findWinner(ring: *const Ring, dead: u64, position: u64, sequence: u64) ?usize {
            var nearest: ?usize = null;
            var extent: Extent = undefined;
            var agree = true;
            var rest = dead;
            while (rest != 0) : (rest &= rest - 1) {
                const other = readExtent(ring, @ctz(rest), position) orelse continue;
                if (other.is_won) return @ctz(rest);
                if (nearest != null) agree = agree and std.meta.eql(other, extent);
                nearest = @ctz(rest);
                extent = other;
            }
            if (agree) return nearest;
            nearest = null;
            rest = dead;
            while (rest != 0) : (rest &= rest - 1) {
                const other = readExtent(ring, @ctz(rest), position) orelse continue;
                if (nearest != null and other.bytes >= extent.bytes) continue;
                const end = position + other.bytes;
                if (!isBoundary(ring, end, sequence + other.count)) continue;
                nearest = @ctz(rest);
                extent = other;
            }
            return nearest;
        }

        fn readExtent(ring: *const Ring, index: usize, position: u64) ?Extent {
            const intent = &ring.producers[index].intent;
            const bytes = memory.load(u64, &intent.bytes, .monotonic);
            const noted = memory.load(u64, &intent.count, .monotonic);
            const count = noted & ~header.intent_won;
            if (bytes > ring.claim_max or bytes & (ring.alignment - 1) != 0) return null;
            if (count == 0 or count > bytes / ring.stride(0)) return null;
            if (bytes > count * ring.strideMax()) return null;
            if (!ring.isPosition(position)) return null;
            if (position + bytes > protocol.readClaim(ring).position) return null;
            return .{ .bytes = bytes, .count = count, .is_won = noted & header.intent_won != 0 };
        }

        /// Whether some claim is known to have begun at exactly this place: the claim word stands
        /// there, a producer meant to claim there (it had read the claim word), or a sound record
        /// begins there.
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
            if (!ring.isPosition(position) or !ring.isSequence(sequence)) return null;
            if (!protocol.isReady(ring, position, sequence)) return null;
            const source = ring.recordAt(position);
            const word: *const u64 = @ptrCast(@alignCast(source + 8));
            const head_word = memory.load(u64, word, .monotonic);
            const head = record.parseHeadWord(head_word, ring.record_payload_max) orelse
                return null;
            const verdict = memory.inspect(
                source,
                record.header_bytes + head.length + record.trailer_bytes,
                record.verifyInPlace,
                .{ ring.salt, sequence, head_word, head.length },
            );
            return if (verdict == .sound) ring.stride(head.length) else null;
        }

        /// Fills a claim with `count` ABORTED records, the first one's sequence word left to the
        /// caller.
        pub fn writeAborted(ring: *const Ring, claim: Claim, count: u64) void {
            var position = claim.position;
            const end = claim.position + claim.bytes;
            for (0..count) |i| {
                const rest = count - 1 - i;
                const bytes = @min(ring.strideMax(), end - position - rest * ring.stride(0));
                const sequence = claim.sequence + i;
                const length = bytes - record.header_bytes - record.trailer_bytes;
                const capped: u32 = @intCast(@min(length, ring.record_payload_max));
                const place = ring.recordAt(position);
                memory.edit(place, bytes, sealAborted, .{ ring.salt, sequence, capped, bytes });
                if (i > 0) memory.store(u64, ring.sequenceWord(position), sequence, .monotonic);
                position += bytes;
            }
        }

        fn sealAborted(place: [*]u8, salt: u32, sequence: u64, length: u32, bytes: u64) void {
            @memset(place[record.header_bytes..bytes], 0);
            record.sealInPlace(place, salt, sequence, record.Flags.aborted, 0, length, bytes);
        }

        /// Walks from the newest record that the last producer is known to have published to the
        /// true end. Only for a channel with a single producer.
        pub fn findEnd(ring: *const Ring) error{CorruptHeader}!Account {
            const line = &ring.lines.claim_line;
            const last = memory.load(u64, &line.last, .acquire);
            var account: Account = .{
                .position = 0,
                .sequence = ring.first_sequence,
                .claimed = 0,
            };
            if (last != header.nothing_published) {
                if (!ring.isPosition(last)) return error.CorruptHeader;
                const sequence = memory.load(u64, ring.sequenceWord(last), .acquire);
                const stride = soundStride(ring, last, sequence) orelse return error.CorruptHeader;
                account.position = last + stride;
                account.sequence = sequence + 1;
            }
            while (soundStride(ring, account.position, account.sequence)) |stride| {
                account.position += stride;
                account.sequence += 1;
                // What the dead one published is told as published before anything new is.
                memory.store(u64, &line.last, account.position - stride, .release);
            }
            account.claimed = memory.load(u64, &line.claim.position, .acquire);
            const is_claim = ring.isClaim(.{
                .position = account.claimed,
                .sequence = account.sequence,
            });
            const beyond = account.claimed -% account.position;
            if (!is_claim or beyond > ring.claim_max) return error.CorruptHeader;
            eraseUnpublished(ring, &account);
            memory.store(u64, &line.claim.sequence, account.sequence, .monotonic);
            return account;
        }

        /// Takes the sequence words out of what the dead one had claimed and not published. Whole
        /// records of a batch may stand there, and would be taken for ours as soon as ours end
        /// where they begin.
        fn eraseUnpublished(ring: *const Ring, account: *const Account) void {
            var position = account.position;
            while (position < account.claimed) : (position += ring.alignment) {
                memory.store(u64, ring.sequenceWord(position), 0, .monotonic);
            }
        }
    };
}
