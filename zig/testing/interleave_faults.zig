//! Faults planted in the protocol, so that the interleaving proofs prove that they would find them.
//!
//! The code under test stays as it is: a fault is an access layer that leaves something out or does
//! it in another order.
const AtomicOrder = @import("std").builtin.AtomicOrder;
const Pair = @import("../memory.zig").Pair;
const Returned = @import("../memory.zig").Returned;
const header = @import("../header.zig");
const model = @import("interleave_model.zig");
const world_module = @import("interleave_world.zig");
const ring = &world_module.ring;
const sound = model.memory;
const world = &world_module.world;

pub const Fault = enum {
    /// A producer of many writes down what it claims after it has claimed it.
    intent_after_claim,
    /// It takes the intent back before the record is visible.
    intent_cleared_first,
    /// It does not note that it has won a claim of several records.
    win_not_noted,
    /// Producers do not respect each other's open claims.
    intents_not_respected,
    /// The sequence word is stored before the record that it commits.
    published_before_written,
    /// The sequence word is an ordinary store.
    release_missing,
    /// A single producer tells that it overwrites records after it has done so.
    claim_told_late,
    /// Nothing keeps that order for other processors.
    store_barrier_missing,
    /// A new limit is used before consumers are looked at a second time.
    limit_before_second_look,
    /// It is not announced at all.
    limit_not_announced,
    /// A joining consumer reads the announcement before its bit is visible.
    join_without_fence,
    /// Repair takes everybody for dead.
    hasty,
    /// It does not look whether the record was published meanwhile.
    published_not_seen,
    /// A successor leaves the words of an unpublished batch.
    batch_not_erased,
    /// A sleeper's fence reaches nobody.
    fence_of_sleeper_missing,
    /// A waker has been told to fence by itself and does not.
    fence_of_waker_missing,
    /// A waker takes sleepers for woken before it wakes them.
    served_before_woken,
    /// It does not change the word that they sleep on.
    signal_not_changed,
};

/// The model's access layer with a fault in it.
pub fn Faulty(comptime fault: Fault) type {
    return struct {
        pub const is_hasty = if (fault == .hasty) true else @compileError("sound");

        pub fn load(comptime T: type, word: *const T, comptime order: AtomicOrder) T {
            const is_intent = slotOf(word) != null and @intFromPtr(word) % 128 == 0;
            if (fault == .intents_not_respected and is_intent) return 0;
            if (fault == .published_not_seen and isData(word) and model.holdsLock()) return 0;
            return sound.load(T, word, order);
        }

        pub fn store(
            comptime T: type,
            word: *T,
            value: T,
            comptime order: AtomicOrder,
        ) void {
            const how = if (fault == .release_missing and order == .release) .monotonic else order;
            const line = &world.lines.claim_line;
            switch (fault) {
                .intent_after_claim => if (slotOf(word) != null and value != 0) return,
                .intent_cleared_first => if (isData(word) and order == .release) {
                    sound.store(u64, &ownIntent().sequence, 0, .release);
                },
                .win_not_noted => if (value & header.intent_won != 0) return,
                .claim_told_late => {
                    if (@intFromPtr(word) == @intFromPtr(&line.claim.position)) return;
                    if (@intFromPtr(word) == @intFromPtr(&line.last)) {
                        sound.store(u64, &line.claim.position, value + world_module.stride, how);
                    }
                },
                .batch_not_erased => if (isData(word) and value == 0) return,
                else => {},
            }
            sound.store(T, word, value, how);
        }

        pub fn compareExchangePair(pair: *Pair, expected: Pair, value: Pair) bool {
            const is_won = sound.compareExchangePair(pair, expected, value);
            if (fault == .intent_after_claim and is_won) {
                const intent = ownIntent();
                const count = value.sequence - expected.sequence;
                sound.store(u64, &intent.bytes, value.position - expected.position, .monotonic);
                sound.store(u64, &intent.count, count, .monotonic);
                sound.store(u64, &intent.position, expected.position, .monotonic);
                sound.store(u64, &intent.sequence, expected.sequence, .release);
            }
            return is_won;
        }

        pub fn raise(word: *u64, value: u64) void {
            const line = &world.lines.claim_line;
            const is_announcement = word == &line.limit_announced;
            if (fault == .limit_not_announced and is_announcement) return;
            sound.raise(word, value);
            if (fault == .limit_before_second_look and is_announcement) {
                sound.raise(&line.limit, value);
            }
        }

        pub fn setBits(comptime T: type, word: *T, bits: T) T {
            if (fault != .join_without_fence) return sound.setBits(T, word, bits);
            const old = sound.load(T, word, .monotonic);
            sound.store(T, word, old | bits, .monotonic);
            return old;
        }

        pub fn fullFence() void {
            if (fault == .join_without_fence or fault == .fence_of_waker_missing) return;
            sound.fullFence();
        }

        pub fn storeBarrier() void {
            if (fault != .store_barrier_missing) sound.storeBarrier();
        }

        pub fn edit(
            place: [*]u8,
            bytes: usize,
            comptime function: anytype,
            arguments: anytype,
        ) void {
            if (fault == .published_before_written) {
                const word: *u64 = @ptrCast(@alignCast(place));
                sound.store(u64, word, arguments[1], .release);
            }
            sound.edit(place, bytes, function, arguments);
        }

        pub fn add(comptime T: type, word: *T, value: T) T {
            const line = &world.lines.data;
            const is_signal = @intFromPtr(word) == @intFromPtr(&line.signal);
            if (fault == .signal_not_changed and is_signal) return 0;
            if (fault == .served_before_woken and is_signal) {
                const sleeps = sound.load(u32, &line.sleeps, .monotonic);
                _ = sound.exchange(u32, &line.served, sleeps);
            }
            return sound.add(T, word, value);
        }

        pub fn fenceEveryone() bool {
            return fault == .fence_of_sleeper_missing or sound.fenceEveryone();
        }

        pub const clearBits = sound.clearBits;
        pub const compareExchange = sound.compareExchange;
        pub const inspect = sound.inspect;
        pub const loadBarrier = sound.loadBarrier;
        pub const wakeAll = sound.wakeAll;
    };
}

fn isData(word: *const anyopaque) bool {
    const offset = @intFromPtr(word) -% @intFromPtr(&world.data);
    return offset < world.data.len;
}

/// Producer slot that a word of an intent belongs to.
fn slotOf(word: *const anyopaque) ?usize {
    for (&world.producers, 0..) |*slot, i| {
        const offset = @intFromPtr(word) -% @intFromPtr(&slot.intent);
        if (offset < @sizeOf(header.Intent)) return i;
    }
    return null;
}

fn ownIntent() *header.Intent {
    for (world.notes.owners[0..ring.producers_max], 0..) |owner, i| {
        if (owner == model.self()) return &ring.producers[i].intent;
    }
    unreachable;
}
