//! Ring: how a record's place is claimed, how the record becomes visible, and how a reader knows.
//!
//! Protocol, the same for one producer and for many:
//! 1. Claim: `ClaimLine.claim` moves past the record's bytes. A single producer stores it; many
//!    replace position and sequence together, after each has written down in its own slot what it
//!    is about to claim (`Intent`), so that a dead one's claim has a known owner and size.
//! 2. Write: everything but the sequence word of the first record.
//! 3. Publish: the first record's sequence word is stored with release. That is the commit: a
//!    reader polls the very place where the next record will stand, so one cache line brings the
//!    news and the message. A single producer then stores `last`; one of many clears its intent.
//!
//! Invariants:
//! - A claim never passes `min(gating cursors, other producers' open claims) + capacity`.
//! - A record that is read has the expected sequence *and* a right salted CRC, so bytes of an
//!   earlier lap are never taken for a message, and nothing is zeroed.
//! - `published` is decided by words outside the record, so a damaged record is never taken for one
//!   that is still being written, and never waited for.
//!
//! Sources: cached gating cursor and claimed ranges of the LMAX Disruptor; positions and the
//! availability word of Agrona and Aeron; the commit word in the record after Lamport's SPSC queue.
const std = @import("std");
const header = @import("header.zig");
const record = @import("record.zig");
const constants = @import("constants.zig");
const fault_points = @import("testing/fault_points.zig");
const Pair = @import("memory.zig").Pair;

/// Private view of a mapped ring: pointers, and copies of everything that bounds an access.
pub const Ring = struct {
    lines: *header.SharedLines,
    chronicle: *header.Chronicle,
    producers: [*]header.ProducerSlot,
    consumers: [*]header.ConsumerSlot,
    /// Data area, mapped twice in a row: a record never wraps in virtual memory.
    data: [*]u8,
    capacity: u64,
    /// log2 of the bytes that one entry of the block index stands for.
    block_shift: u6,
    alignment: u32,
    salt: u32,
    record_payload_max: u32,
    claim_max: u64,
    producers_max: u32,
    consumers_max: u32,
    is_many: bool,
    is_timestamped: bool,
    first_sequence: u64,

    /// Assumes a sound identity and a mapping of `header_bytes + 2 × capacity` at `base`.
    pub fn init(base: [*]align(4096) u8, identity: *const header.Identity) Ring {
        const consumers = base + header.consumerSlotOffset(identity.producers_max, 0);
        return .{
            .lines = @ptrCast(@alignCast(base + header.shared_offset)),
            .chronicle = @ptrCast(@alignCast(base + header.chronicle_offset)),
            .producers = @ptrCast(@alignCast(base + header.producer_slots_offset)),
            .consumers = @ptrCast(@alignCast(consumers)),
            .data = base + identity.header_bytes,
            .capacity = identity.capacity,
            .block_shift = @intCast(std.math.log2(identity.capacity / constants.blocks)),
            .alignment = identity.alignment,
            .salt = identity.salt,
            .record_payload_max = identity.recordPayloadMax(),
            .claim_max = identity.claimMax(),
            .producers_max = identity.producers_max,
            .consumers_max = identity.consumers_max,
            .is_many = identity.isMany(),
            .is_timestamped = identity.flags & header.ChannelFlags.timestamped != 0,
            .first_sequence = identity.first_sequence,
        };
    }

    pub inline fn recordAt(ring: *const Ring, position: u64) [*]u8 {
        return ring.data + (position & (ring.capacity - 1));
    }

    pub inline fn sequenceWord(ring: *const Ring, position: u64) *u64 {
        // SAFETY: positions are multiples of the alignment, 8 at least; masked, they lie in `data`.
        return @ptrCast(@alignCast(ring.recordAt(position)));
    }

    pub inline fn stride(ring: *const Ring, length: u64) u64 {
        return record.stride(length, ring.alignment);
    }

    /// Longest stride that a record can have here.
    pub fn strideMax(ring: *const Ring) u64 {
        return ring.stride(ring.record_payload_max);
    }

    /// Whether a record may begin there. What has passed this can be added to without a check.
    pub inline fn isPosition(ring: *const Ring, position: u64) bool {
        return position & (ring.alignment - 1) == 0 and position <= constants.position_max;
    }

    /// Whether a record may have it.
    pub inline fn isSequence(_: *const Ring, sequence: u64) bool {
        return sequence -% 1 < constants.sequence_max;
    }

    /// Whether a claim word is one that sound peers write. Sequences begin with 1; 0 is what a file
    /// has that was cut off and made longer again.
    pub inline fn isClaim(ring: *const Ring, pair: Pair) bool {
        return ring.isPosition(pair.position) and ring.isSequence(pair.sequence);
    }

    /// Entry of the block index that `position` falls in.
    pub inline fn blockOf(ring: *const Ring, position: u64) *u64 {
        return &ring.lines.index[(position >> ring.block_shift) % constants.blocks];
    }
};

pub const Claim = struct {
    position: u64,
    sequence: u64,
    bytes: u64,
};

/// A single producer's own account of the ring. Nobody else claims, so none of it is shared.
pub const Account = struct {
    position: u64,
    sequence: u64,
    /// Copy of the last limit that was computed: cursors are read again only beyond it.
    limit: u64 = 0,
    /// End of what was ever claimed; a predecessor may have died in a longer claim.
    claimed: u64,
};

pub const ClaimError = error{ BackPressured, CorruptHeader };

/// How a place in the ring stands, for a reader that does not find its record there.
pub const Standing = enum {
    /// Nobody has claimed it yet.
    waiting,
    /// Somebody has, and has not published.
    claimed,
    /// It was published, so it has to verify.
    published,
    /// A producer has gone past it by a whole ring.
    lapped,
};

/// The protocol over an access layer: memory.direct in the library, the model's in its test.
pub fn Protocol(comptime memory: type) type {
    return struct {
        /// Reads the claim pair as one: it only ever grows, so an unchanged position around the
        /// sequence's read proves that both belong together.
        pub inline fn readClaim(ring: *const Ring) Pair {
            const pair = &ring.lines.claim_line.claim;
            while (true) {
                const position = memory.load(u64, &pair.position, .acquire);
                const sequence = memory.load(u64, &pair.sequence, .acquire);
                if (memory.load(u64, &pair.position, .acquire) == position) {
                    return .{ .position = position, .sequence = sequence };
                }
            }
        }

        /// Claims `bytes` for a channel's single producer.
        pub inline fn claimAlone(
            ring: *const Ring,
            account: *Account,
            bytes: u64,
        ) ClaimError!Claim {
            const end = account.position + bytes;
            fault_points.hit(.before_claim);
            if (end > account.limit) {
                account.limit = try refreshLimitAlone(ring, account.position, end, account.limit);
                if (end > account.limit) return error.BackPressured;
            }
            if (end > account.claimed) {
                account.claimed = end;
                const claim = &ring.lines.claim_line.claim;
                // Before the first byte is overwritten, so that a lapped reader can tell.
                memory.store(u64, &claim.position, end, .monotonic);
                memory.storeBarrier();
            }
            fault_points.hit(.after_claim);
            return .{ .position = account.position, .sequence = account.sequence, .bytes = bytes };
        }

        /// Makes a single producer's claim of `count` records visible: all its records at once.
        /// `last` is the position of the last one.
        pub inline fn publishAlone(
            ring: *const Ring,
            account: *Account,
            claim: Claim,
            count: u64,
            last: u64,
        ) void {
            const line = &ring.lines.claim_line;
            fault_points.hit(.before_publish);
            // Pairs with the acquire in `isReady`.
            memory.store(u64, ring.sequenceWord(claim.position), claim.sequence, .release);
            fault_points.hit(.after_publish);
            account.position = claim.position + claim.bytes;
            account.sequence = claim.sequence + count;
            // Pairs with the acquire in `standing`; nobody polls these.
            memory.store(u64, &line.last, last, .release);
            memory.store(u64, &line.claim.sequence, account.sequence, .monotonic);
        }

        /// Claims `bytes` for `count` records in a channel of many producers.
        pub fn claimShared(
            ring: *const Ring,
            intent: *header.Intent,
            bytes: u64,
            count: u64,
        ) ClaimError!Claim {
            while (true) {
                const pair = readClaim(ring);
                if (!ring.isClaim(pair)) return error.CorruptHeader;
                const end = pair.position + bytes;
                const limit = memory.load(u64, &ring.lines.claim_line.limit, .acquire);
                if (end > limit or limit - pair.position > ring.capacity) {
                    const fresh = try refreshLimit(ring, pair.position, end);
                    if (end > fresh) return error.BackPressured;
                }
                announce(intent, pair, bytes, count);
                fault_points.hit(.before_claim);
                const next: Pair = .{
                    .position = pair.position + bytes,
                    .sequence = pair.sequence + count,
                };
                const claim = &ring.lines.claim_line.claim;
                if (memory.compareExchangePair(claim, pair, next)) {
                    fault_points.hit(.after_claim);
                    const won = count | header.intent_won;
                    if (count > 1) memory.store(u64, &intent.count, won, .monotonic);
                    // Before the first byte is overwritten, so that a lapped reader can tell.
                    memory.storeBarrier();
                    const position = pair.position;
                    return .{ .position = position, .sequence = pair.sequence, .bytes = bytes };
                }
                fault_points.hit(.claim_lost);
                memory.store(u64, &intent.sequence, 0, .release);
            }
        }

        fn announce(intent: *header.Intent, pair: Pair, bytes: u64, count: u64) void {
            memory.store(u64, &intent.bytes, bytes, .monotonic);
            memory.store(u64, &intent.count, count, .monotonic);
            memory.store(u64, &intent.position, pair.position, .monotonic);
            fault_points.hit(.mid_announce);
            // Pairs with the acquire of whoever looks for a claim's owner.
            memory.store(u64, &intent.sequence, pair.sequence, .release);
        }

        /// Makes a claim of many producers visible: all its records at once.
        pub inline fn publishShared(
            ring: *const Ring,
            intent: *header.Intent,
            claim: Claim,
        ) void {
            fault_points.hit(.before_publish);
            // Pairs with the acquire in `isReady`.
            memory.store(u64, ring.sequenceWord(claim.position), claim.sequence, .release);
            fault_points.hit(.after_publish);
            memory.store(u64, &intent.sequence, 0, .release);
        }

        /// The same for a single producer that has computed `known` before. The shared word only
        /// rises; a lower one shows that the file was cut off and made longer again.
        pub fn refreshLimitAlone(
            ring: *const Ring,
            position: u64,
            end: u64,
            known: u64,
        ) error{CorruptHeader}!u64 {
            const limit = memory.load(u64, &ring.lines.claim_line.limit, .acquire);
            return if (limit < known) error.CorruptHeader else refreshLimit(ring, position, end);
        }

        /// Computes how far producers may go, and makes it known: to `end` at least, from
        /// `position`, if there is room.
        ///
        /// Not much further, although there may be: what producers may overwrite unasked, a
        /// consumer that joins or comes back can no longer begin with.
        ///
        /// The new limit is announced before the gating consumers and their cursors are read a
        /// second time; a joining consumer enters that set before it reads the announcement
        /// (`enter`). One of the two always sees the other. (The cursors too: it may have been in
        /// the set before, and come back to an earlier place.)
        pub fn refreshLimit(ring: *const Ring, position: u64, end: u64) error{CorruptHeader}!u64 {
            const line = &ring.lines.claim_line;
            while (true) {
                const near = end + ring.capacity / constants.limits_per_ring;
                const fresh = @min(try slowestCursor(ring, position) + ring.capacity, near);
                if (fresh <= memory.load(u64, &line.limit, .acquire)) return fresh;
                memory.raise(&line.limit_announced, fresh);
                memory.fullFence();
                if (try slowestCursor(ring, position) + ring.capacity < fresh) continue;
                memory.raise(&line.limit, fresh);
                return fresh;
            }
        }

        fn slowestCursor(ring: *const Ring, position: u64) error{CorruptHeader}!u64 {
            var slowest = position;
            var rest = memory.load(u64, &ring.lines.control.gating, .acquire);
            while (rest != 0) : (rest &= rest - 1) {
                const index = @ctz(rest);
                if (index >= ring.consumers_max) return error.CorruptHeader;
                // Pairs with the release in `Consumer.ack`.
                const cursor = memory.load(u64, &ring.consumers[index].cursor.position, .acquire);
                if (cursor >= position) continue; // Others have claimed on since we looked.
                // Of one that is joining, at a place that it will find to be overwritten.
                if (position - cursor > ring.capacity) continue;
                slowest = @min(slowest, cursor);
            }
            return if (ring.is_many) @min(slowest, oldestIntent(ring, position)) else slowest;
        }

        /// An open claim holds producers back as a consumer does: its owner writes there at any
        /// time. One that is a whole ring behind was not won, or others could not have come this
        /// far.
        fn oldestIntent(ring: *const Ring, position: u64) u64 {
            var oldest = position;
            for (ring.producers[0..ring.producers_max]) |*slot| {
                if (memory.load(u64, &slot.intent.sequence, .acquire) == 0) continue;
                const claimed = memory.load(u64, &slot.intent.position, .monotonic);
                if (position -% claimed <= ring.capacity) oldest = @min(oldest, claimed);
            }
            return oldest;
        }

        /// Makes a consumer's place known and, if its policy is to block, one that holds producers
        /// back. False if they may overwrite it all the same, having been on their way: try another
        /// place.
        pub fn enter(
            ring: *const Ring,
            index: u32,
            place: header.Cursor,
            policy: header.Policy,
        ) bool {
            const cursor = &ring.consumers[index].cursor;
            memory.store(u64, &cursor.position, place.position, .release);
            memory.store(u64, &cursor.sequence, place.sequence, .release);
            if (!policy.isGating()) return true;
            const bit = @as(u64, 1) << @intCast(index);
            // A fence: the bit is seen by any producer whose announcement we do not see.
            _ = memory.setBits(u64, &ring.lines.control.gating, bit);
            memory.fullFence();
            fault_points.hit(.mid_join);
            return isProtected(ring, place.position);
        }

        /// Whether producers will not overwrite `position`.
        fn isProtected(ring: *const Ring, position: u64) bool {
            return position >= respectedFrom(ring);
        }

        /// Position from which on producers will not overwrite anything before they have looked at
        /// the cursors again.
        pub fn respectedFrom(ring: *const Ring) u64 {
            const announced = memory.load(u64, &ring.lines.claim_line.limit_announced, .acquire);
            return announced -| ring.capacity;
        }

        /// Whether the record that a reader waits for stands at its place. It still has to verify.
        pub inline fn isReady(ring: *const Ring, position: u64, sequence: u64) bool {
            // Pairs with the release of whoever publishes.
            return memory.load(u64, ring.sequenceWord(position), .acquire) == sequence;
        }

        /// Says why there is no sound record at a reader's place. Costs a line that producers
        /// write: not for every empty poll.
        pub fn standing(ring: *const Ring, position: u64, sequence: u64) Standing {
            const line = &ring.lines.claim_line;
            const claimed = memory.load(u64, &line.claim.position, .acquire);
            if (claimed <= position) return .waiting;
            if (claimed - position > ring.capacity) return .lapped;
            if (!ring.is_many) {
                const last = memory.load(u64, &line.last, .acquire);
                const is_published = last != header.nothing_published and last >= position;
                return if (is_published) .published else .claimed;
            }
            for (ring.producers[0..ring.producers_max]) |*slot| {
                if (memory.load(u64, &slot.intent.sequence, .acquire) == sequence) return .claimed;
            }
            return .published;
        }
    };
}
