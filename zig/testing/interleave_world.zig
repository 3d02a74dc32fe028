//! The world of the interleaving proofs: a tiny ring, what producers and readers do there, and
//! notes about what has to be true, which are no part of the protocol.
const std = @import("std");
const header = @import("../header.zig");
const model = @import("interleave_model.zig");
const record = @import("../record.zig");
const recovery_module = @import("../recovery.zig");
const ring_module = @import("../ring.zig");
const Ring = ring_module.Ring;
const expect = model.expect;
const note = model.note;

pub const producers_max = 3;
pub const consumers_max = 2;
const sequences_max = 12;
const capacity_max = 256;
const salt = 0x5a17;

/// Bytes of the records here: head and trailer, and a tag as payload.
pub const stride = record.stride(tag_bytes, 8);
const tag_bytes = 4;

pub const first_sequence = 1;

/// So that no head looks like a sequence, and a reader may wait for the mere word.
const record_flags = record.Flags.user;

const ClaimState = enum(u64) { none, open, published, aborted };

const Notes = extern struct {
    /// Where the next claim has to begin.
    end: u64,
    sequence: u64,
    /// By sequence: state of the record, place, and tag.
    states: [sequences_max]u64,
    places: [sequences_max]u64,
    tags: [sequences_max]u64,
    /// Thread that has claimed it.
    claimers: [sequences_max]u64,
    /// Thread whose slot it is, by producer slot.
    owners: [producers_max]u64,
    /// By consumer: 1 + the position that producers must not overwrite; 0 while it may.
    protected: [consumers_max]u64,
    /// By consumer: where it is.
    positions: [consumers_max]u64,
    sequences: [consumers_max]u64,
    repairs: u64,
};

pub const World = extern struct {
    lines: header.SharedLines,
    producers: [producers_max]header.ProducerSlot,
    consumers: [consumers_max]header.ConsumerSlot,
    data: [2 * capacity_max]u8 align(8),
    /// What sleepers wait for in interleave_wait.zig.
    news: [2]u64,
    notes: Notes,
};

pub var world: World = undefined;
pub var ring: Ring = undefined;

pub const Options = struct {
    is_many: bool = true,
    capacity: u64 = 64,
    producers: u32 = 2,
    consumers: u32 = 1,
    /// How far producers go before they look at cursors; the whole ring if null.
    limit: ?u64 = null,
    /// Consumers that hold producers back from the start, as bits.
    gating: u64 = 1,
};

pub fn beginWith(comptime options: Options) fn () void {
    return struct {
        fn begin() void {
            world = std.mem.zeroes(World);
            const lines = &world.lines;
            lines.claim_line.claim.sequence = first_sequence;
            lines.claim_line.last = header.nothing_published;
            lines.claim_line.limit = options.limit orelse options.capacity;
            lines.claim_line.limit_announced = lines.claim_line.limit;
            lines.control.gating = options.gating;
            ring = .{
                .lines = lines,
                .chronicle = undefined, // Nothing here looks at it.
                .producers = &world.producers,
                .consumers = &world.consumers,
                .data = &world.data,
                .capacity = options.capacity,
                .block_shift = 0,
                .alignment = 8,
                .salt = salt,
                .record_payload_max = 12,
                .claim_max = options.capacity / 2, // As Identity.claimMax.
                .producers_max = if (options.is_many) options.producers else 1,
                .consumers_max = options.consumers,
                .is_many = options.is_many,
                .is_timestamped = false,
                .first_sequence = first_sequence,
            };
            world.notes.sequence = first_sequence;
            for (&world.notes.owners, 0..) |*owner, i| owner.* = i;
            for (0..consumers_max) |i| {
                world.notes.sequences[i] = first_sequence;
                if (options.gating >> @intCast(i) & 1 != 0) world.notes.protected[i] = 1;
            }
            model.shared(std.mem.asBytes(&world));
            model.mirrored(&world.data, options.capacity);
            model.constantWords(&.{
                @intFromPtr(&world.lines.data.sleeps),
                @intFromPtr(&world.lines.data.served),
                @intFromPtr(&world.lines.control.fence_required),
            });
            model.unreadWords(&.{
                @intFromPtr(&world.producers[0].owner.state),
                @intFromPtr(&world.producers[1].owner.state),
                @intFromPtr(&world.producers[2].owner.state),
            });
        }
    }.begin;
}

/// What the threads do, over the model's memory or one with a fault planted in it.
pub fn Actors(comptime memory: type) type {
    return struct {
        pub const protocol = ring_module.Protocol(memory);
        pub const recovery = recovery_module.Protocol(memory);

        /// Ends the claim under the registration lock, as repair.zig does.
        pub fn endClaim(position: u64, sequence: u64) recovery_module.Outcome {
            const channel: Channel(@hasDecl(memory, "is_hasty")) = .{ .ring = ring };
            model.lock();
            const result = recovery.endClaim(&channel, position, sequence);
            model.unlock();
            return result;
        }

        /// Takes a slot whose owner is gone, as producer.zig does. False if its claim cannot end
        /// now.
        pub fn takeSlot(comptime slot: usize) bool {
            const channel: Channel(false) = .{ .ring = ring };
            model.lock();
            const is_clear = recovery.isClear(&channel, slot);
            if (is_clear) {
                note(&world.notes.owners[slot], model.self());
                memory.store(u64, &ring.producers[slot].intent.sequence, 0, .monotonic);
            }
            model.unlock();
            return is_clear;
        }

        /// One of many offers `count` records in one claim, waiting for room.
        pub fn offer(comptime slot: usize, comptime count: u64, tag: u32) void {
            const claim = claimShared(slot, count, tag);
            write(claim, count, tag);
            notePublished(claim, count);
            protocol.publishShared(&ring, &ring.producers[slot].intent, claim);
            model.forget(tag); // The next claim starts from what it reads.
            model.beginPart();
        }

        pub fn abort(comptime slot: usize) void {
            const claim = claimShared(slot, 1, 0);
            noteAborted(claim.sequence);
            recovery.writeAborted(&ring, claim, 1);
            protocol.publishShared(&ring, &ring.producers[slot].intent, claim);
        }

        fn claimShared(comptime slot: usize, comptime count: u64, tag: u32) ring_module.Claim {
            const intent = &ring.producers[slot].intent;
            while (true) {
                const bytes = count * stride;
                const claim = protocol.claimShared(&ring, intent, bytes, count) catch |err| {
                    expect(err == error.BackPressured, "a sound header is taken for a corrupt one");
                    model.until(&hasRoom(bytes).check);
                    continue;
                };
                noteClaim(claim, count, tag);
                model.forget(claim.sequence << 32 | tag);
                model.beginPart();
                return claim;
            }
        }

        /// A single producer offers `count` records.
        pub fn offerAlone(account: *ring_module.Account, comptime count: u64, tag: u32) void {
            while (true) {
                const claim = protocol.claimAlone(&ring, account, count * stride) catch |err| {
                    expect(err == error.BackPressured, "a sound header is taken for a corrupt one");
                    model.until(&hasRoom(count * stride).checkAlone);
                    continue;
                };
                noteClaim(claim, count, tag);
                write(claim, count, tag);
                notePublished(claim, count);
                const last = claim.position + claim.bytes - stride;
                protocol.publishAlone(&ring, account, claim, count, last);
                return;
            }
        }

        fn write(claim: ring_module.Claim, comptime count: u64, tag: u32) void {
            for (0..count) |i| {
                const position = claim.position + i * stride;
                const sequence = claim.sequence + i;
                const payload = tag + @as(u32, @intCast(i));
                memory.edit(ring.recordAt(position), stride, record.writeBody, .{
                    salt, sequence, record_flags, 0, std.mem.asBytes(&payload), stride,
                });
                if (i > 0) memory.store(u64, ring.sequenceWord(position), sequence, .monotonic);
            }
        }

        /// Takes the record at the consumer's place, which is there, and checks it.
        pub fn takeReady(comptime consumer: usize) void {
            const position = world.notes.positions[consumer];
            const sequence = world.notes.sequences[consumer];
            const found = recovery.soundStride(&ring, position, sequence);
            expect(found != null, "a published record does not verify");
            checkTaken(position, sequence);
            note(&world.notes.positions[consumer], position + found.?);
            note(&world.notes.sequences[consumer], sequence + 1);
        }

        /// Looks once, as `Consumer.poll` and `examine` do.
        pub fn poll(comptime consumer: usize) void {
            const position = world.notes.positions[consumer];
            const sequence = world.notes.sequences[consumer];
            const was_ready = place(consumer).isReady();
            if (tryTake(consumer)) return;
            memory.loadBarrier();
            switch (protocol.standing(&ring, position, sequence)) {
                .waiting => return expect(!was_ready, "a published record is waited for"),
                .lapped => return checkLapped(position),
                .claimed => return,
                .published => {},
            }
            if (tryTake(consumer)) return;
            memory.loadBarrier();
            const standing = protocol.standing(&ring, position, sequence);
            expect(standing == .lapped, "a sound record is taken for a damaged one");
            checkLapped(position);
        }

        fn tryTake(comptime consumer: usize) bool {
            const position = world.notes.positions[consumer];
            const sequence = world.notes.sequences[consumer];
            const bytes = recovery.soundStride(&ring, position, sequence) orelse return false;
            const state: ClaimState = @enumFromInt(world.notes.states[sequence - first_sequence]);
            const is_dead = model.isDead(world.notes.claimers[sequence - first_sequence]);
            expect(is_dead or state == .published, "a record is seen that was not published");
            note(&world.notes.positions[consumer], position + bytes);
            note(&world.notes.sequences[consumer], sequence + 1);
            return true;
        }

        pub fn ack(comptime consumer: usize) void {
            const position = world.notes.positions[consumer];
            note(&world.notes.protected[consumer], 1 + position);
            memory.store(u64, &world.consumers[consumer].cursor.position, position, .release);
            model.forget(world.notes.sequences[consumer]);
            model.beginPart();
        }

        /// A blocking consumer takes whatever comes, and repairs what the dead have left.
        pub fn readAll(comptime consumer: usize) void {
            var repairs: u32 = 0;
            while (true) {
                model.until(&place(consumer).isReadyOrAbandoned);
                if (place(consumer).isReady()) {
                    takeReady(consumer);
                    ack(consumer);
                    repairs = 0;
                } else if (place(consumer).isAbandoned()) {
                    const notes = &world.notes;
                    _ = endClaim(notes.positions[consumer], notes.sequences[consumer]);
                    repairs += 1;
                    expect(repairs < 4, "repair makes no progress");
                } else return;
            }
        }

        /// A blocking consumer takes and acknowledges `count` records.
        pub fn read(comptime consumer: usize, count: u64) void {
            for (0..count) |_| {
                model.until(&place(consumer).isReady);
                takeReady(consumer);
                ack(consumer);
            }
        }
    };
}

/// Stands for the library's Channel. A hasty one takes everybody for dead.
fn Channel(comptime is_hasty: bool) type {
    return struct {
        ring: Ring,

        pub fn isProducerDead(_: *const @This(), index: u32) bool {
            return is_hasty or model.askGone(@intCast(world.notes.owners[index]));
        }

        pub fn onClaimEnded(_: *const @This(), _: u32, _: u64) void {}
    };
}

/// Puts the ring into the state after a producer that is dead now has claimed `count` records at
/// the start, and has written nothing.
pub fn pretendClaimed(slot: usize, count: u64) void {
    pretendPublished(count);
    pretendWanted(slot, count);
    const notes = &world.notes;
    for (0..count) |i| {
        notes.states[i] = @intFromEnum(ClaimState.open);
        notes.places[i] = i * stride;
        notes.claimers[i] = model.nobody;
    }
}

/// A producer that is dead now wanted to claim `count` records at the start.
pub fn pretendWanted(slot: usize, count: u64) void {
    world.producers[slot].intent = .{
        .sequence = first_sequence,
        .position = 0,
        .bytes = count * stride,
        .count = count,
    };
    world.notes.owners[slot] = model.nobody;
}

/// Puts the ring into the state after `count` records of one sound producer, which `cursor` has
/// read.
pub fn pretendPublished(count: u64) void {
    const lines = &world.lines;
    lines.claim_line.claim = .{ .position = count * stride, .sequence = first_sequence + count };
    world.notes.end = count * stride;
    world.notes.sequence = first_sequence + count;
}

/// Conditions on the place that a consumer is at, as everybody sees memory.
pub fn place(comptime consumer: usize) type {
    return struct {
        fn position() u64 {
            return peek(&world.notes.positions[consumer]);
        }

        pub fn isReady() bool {
            return peek(ring.sequenceWord(position())) == peek(&world.notes.sequences[consumer]);
        }

        /// Whether a claim is open there that only the dead can own.
        pub fn isAbandoned() bool {
            if (!ring.is_many) return false; // Its successor finds the end by itself.
            const claimed = peek(&world.lines.claim_line.claim.position);
            if (isReady() or claimed <= position()) return false;
            for (world.producers[0..ring.producers_max], 0..) |*slot, i| {
                if (peek(&slot.intent.sequence) != peek(&world.notes.sequences[consumer])) continue;
                if (peek(&slot.intent.position) != position()) continue;
                if (!model.isGone(peek(&world.notes.owners[i]))) return false;
            }
            return true;
        }

        /// Whether everything is read and nothing more will come.
        pub fn isOver() bool {
            for (world.notes.owners[0..ring.producers_max]) |*owner| {
                if (!model.isGone(peek(owner))) return false;
            }
            return peek(&world.lines.claim_line.claim.position) == position();
        }

        pub fn isReadyOrAbandoned() bool {
            return isReady() or isAbandoned() or isOver();
        }
    };
}

fn peek(word: *const u64) u64 {
    return model.peek(u64, word);
}

fn hasRoom(comptime bytes: u64) type {
    return struct {
        fn check() bool {
            const end = peek(&world.lines.claim_line.claim.position) + bytes;
            for (world.producers[0..ring.producers_max]) |*slot| {
                if (peek(&slot.intent.sequence) == 0) continue;
                if (end > peek(&slot.intent.position) + ring.capacity) return false;
            }
            return fits(end);
        }

        fn checkAlone() bool {
            return fits(peek(&world.notes.end) + bytes);
        }

        fn fits(end: u64) bool {
            for (world.consumers[0..ring.consumers_max], 0..) |*slot, i| {
                if (peek(&world.lines.control.gating) >> @intCast(i) & 1 == 0) continue;
                if (end > peek(&slot.cursor.position) + ring.capacity) return false;
            }
            return true;
        }
    };
}

fn noteClaim(claim: ring_module.Claim, count: u64, tag: u32) void {
    const notes = &world.notes;
    expect(claim.position == notes.end, "a claim begins elsewhere than the last one ends");
    expect(claim.sequence == notes.sequence, "a claim's sequence is not the next one");
    const end = claim.position + claim.bytes;
    for (notes.protected) |protected| {
        if (protected == 0) continue;
        expect(end <= protected - 1 + ring.capacity, "a claim passes a cursor by a whole ring");
    }
    for (notes.states, notes.places) |state, start| {
        if (state != @intFromEnum(ClaimState.open)) continue;
        expect(end <= start + ring.capacity, "a claim overlaps one that is still open");
    }
    note(&notes.end, end);
    note(&notes.sequence, claim.sequence + count);
    for (0..count) |i| {
        note(&notes.states[claim.sequence + i - first_sequence], @intFromEnum(ClaimState.open));
        note(&notes.places[claim.sequence + i - first_sequence], claim.position + i * stride);
        note(&notes.claimers[claim.sequence + i - first_sequence], model.self());
        note(&notes.tags[claim.sequence + i - first_sequence], tag + i);
    }
}

fn notePublished(claim: ring_module.Claim, count: u64) void {
    for (0..count) |i| {
        const state = &world.notes.states[claim.sequence + i - first_sequence];
        note(state, @intFromEnum(ClaimState.published));
    }
}

fn noteAborted(sequence: u64) void {
    note(&world.notes.states[sequence - first_sequence], @intFromEnum(ClaimState.aborted));
}

fn checkLapped(position: u64) void {
    const is_lapped = world.notes.end > position + ring.capacity;
    expect(is_lapped, "a record is taken for lapped that is not");
}

/// A successor has found the end of what a dead single producer has published.
pub fn noteSuccession(account: *const ring_module.Account) void {
    const notes = &world.notes;
    expect(account.sequence <= notes.sequence, "a successor goes on beyond all claims");
    for (notes.states, 0..) |state, i| {
        const was_published = state == @intFromEnum(ClaimState.published);
        const is_kept = first_sequence + i < account.sequence;
        expect(!is_kept or was_published, "a successor keeps what was not published");
        if (!is_kept) note(&notes.states[i], @intFromEnum(ClaimState.none));
    }
    note(&notes.end, account.position);
    note(&notes.sequence, account.sequence);
}

/// The end of a run: all threads have ended, and every record that no later claim has overwritten
/// is what its producer has said.
pub fn checkEnd() ?[]const u8 {
    if (model.endFinished()) |violation| return violation;
    const notes = &world.notes;
    for (first_sequence..notes.sequence) |sequence| {
        const index = sequence - first_sequence;
        if (notes.end > notes.places[index] + ring.capacity) continue;
        if (checkRecord(notes.places[index], sequence)) |violation| return violation;
    }
    return null;
}

fn checkRecord(position: u64, sequence: u64) ?[]const u8 {
    var copy: [stride]u8 align(8) = undefined;
    const source: [*]const u64 = @ptrCast(@alignCast(ring.recordAt(position)));
    const words: *[stride / 8]u64 = @ptrCast(&copy);
    for (words, 0..) |*word, i| word.* = peek(&source[i]);
    const index = sequence - first_sequence;
    const is_dead = model.isDead(world.notes.claimers[index]);
    if (words[0] != sequence) return if (is_dead) null else "a published record is gone";
    const head = record.parseHeadWord(words[1], ring.record_payload_max) orelse return "no head";
    const verdict = record.verifyInPlace(&copy, salt, sequence, words[1], head.length);
    if (verdict != .sound) return "a published record was damaged";
    const state: ClaimState = @enumFromInt(world.notes.states[index]);
    if (head.flags & record.Flags.aborted != 0) {
        return if (is_dead or state == .aborted) null else "a live producer's record is aborted";
    }
    const tag: u32 = @truncate(words[2]);
    if (tag != world.notes.tags[index]) return "a record has another one's payload";
    return null;
}

/// Compares a record that was found sound with what its producer has said of it.
pub fn checkTaken(position: u64, sequence: u64) void {
    const words: [*]const u64 = @ptrCast(@alignCast(ring.recordAt(position)));
    const is_aborted = model.peek(u64, &words[1]) >> 32 & record.Flags.aborted != 0;
    const index = sequence - first_sequence;
    const state: ClaimState = @enumFromInt(world.notes.states[index]);
    if (is_aborted) {
        const is_dead = model.isDead(world.notes.claimers[index]);
        return expect(is_dead or state == .aborted, "a live producer's record is aborted");
    }
    expect(state == .published, "a record is seen that was not published");
    const tag: u32 = @truncate(model.peek(u64, &words[2]));
    expect(tag == world.notes.tags[index], "a record has another one's payload");
}
