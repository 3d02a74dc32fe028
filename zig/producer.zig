//! Producer: one process's place among a channel's producers, and everything it can do there.
//!
//! Used by one thread only, apart from `park`. A crash leaves the slot as it was: a single
//! producer's successor walks from `ClaimLine.last` to the true end; both cases are in
//! recovery.zig.
const std = @import("std");
const build_options = @import("build_options");
const linux = std.os.linux;
const channel_module = @import("channel.zig");
const clock = @import("clock.zig");
const constants = @import("constants.zig");
const fault_points = @import("testing/fault_points.zig");
const futex = @import("futex.zig");
const header = @import("header.zig");
const liveness = @import("liveness.zig");
const memory_module = @import("memory.zig");
const process = @import("process.zig");
const record = @import("record.zig");
const repair = @import("repair.zig");
const ring_module = @import("ring.zig");
const Channel = channel_module.Channel;
const Claim = ring_module.Claim;
const Detail = @import("detail.zig").Detail;
const Ring = ring_module.Ring;
const Sleeper = @import("sleeper.zig").Sleeper;
const isForgotten = @import("sleeper.zig").isForgotten;
const Status = @import("status.zig").Status;
const memory = memory_module.direct;
const protocol = ring_module.Protocol(memory);
const recovery = @import("recovery.zig").Protocol(memory);
const wait = @import("wait.zig").Protocol(memory);

const allocator = std.heap.c_allocator;

pub const Error = error{
    BackPressured,
    WalFull,
    WalFailed,
    CorruptHeader,
    Truncated,
    TooLong,
    ClaimOpen,
    NoClaim,
    Busy,
    SlotsFull,
    OutOfMemory,
    Os,
};

pub fn statusOf(err: Error) Status {
    return switch (err) {
        error.BackPressured => .back_pressured,
        error.WalFull => .wal_full,
        error.WalFailed => .wal_failed,
        error.CorruptHeader => .corrupt_header,
        error.Truncated => .truncated,
        error.TooLong => .too_long,
        error.ClaimOpen => .claim_open,
        error.NoClaim => .no_claim,
        error.Busy => .busy,
        error.SlotsFull => .slots_full,
        error.OutOfMemory, error.Os => .os_error,
    };
}

/// A claim that the application is filling.
const OpenClaim = struct { claim: Claim, length: u32 };

pub const Producer = struct {
    ring: Ring,
    account: ring_module.Account,
    channel: *Channel,
    slot: *header.ProducerSlot,
    slot_index: u32,
    open_claim: ?OpenClaim = null,
    /// Bytes of the claim that was refused last for want of room: what `park` waits for.
    wanted_bytes: u64 = 0,
    /// Sequence that the thread waits for which sleeps until the log is that far.
    wanted_durable: u64 = 0,
    /// When the slowest consumer's lock was looked at last.
    checked_ticks: u64 = 0,
    sleeper: Sleeper = .{},

    pub fn init(channel: *Channel, name: []const u8, detail: *Detail) Error!*Producer {
        const producer = try allocator.create(Producer);
        errdefer allocator.destroy(producer);
        liveness.lock(channel.fd, .registration) catch return error.Os;
        defer liveness.unlock(channel.fd, .registration);
        const index = try takeSlot(channel, detail);
        errdefer dropSlot(channel, index);
        const slot = &channel.ring.producers[index];
        producer.* = .{
            .ring = channel.ring,
            .account = if (channel.ring.is_many)
                .{ .position = 0, .sequence = 0, .claimed = 0 }
            else
                try recovery.findEnd(&channel.ring),
            .channel = channel,
            .slot = slot,
            .slot_index = index,
        };
        if (memory.load(u32, &slot.owner.state, .acquire) == header.SlotState.taken) {
            const next = protocol.readClaim(&channel.ring).sequence;
            channel.noteOf(.producer_replaced, &slot.owner, next -| 1);
        }
        slot.intent.sequence = 0;
        if (!std.mem.eql(u8, channel_module.ownerName(&slot.owner), name)) resetCounters(slot);
        channel_module.writeOwner(&slot.owner, name);
        memory.store(u32, &slot.owner.state, header.SlotState.taken, .release);
        if (channel.isPoisoned()) return error.Truncated;
        channel.retain();
        return producer;
    }

    /// Gives the slot up and frees the producer. An open claim is aborted.
    pub fn deinit(producer: *Producer) void {
        const channel = producer.channel;
        producer.abort() catch {};
        memory.store(u32, &producer.slot.owner.state, header.SlotState.free, .release);
        dropSlot(channel, producer.slot_index);
        channel.release();
        allocator.destroy(producer);
    }

    /// Publishes one message. Returns the sequence of its last record.
    pub inline fn offer(producer: *Producer, payload: []const u8, user_flags: u8) Error!u64 {
        if (producer.open_claim != null) return error.ClaimOpen;
        if (payload.len > producer.payloadMax()) {
            return producer.offerFragments(payload, user_flags);
        }
        const bytes = producer.ring.stride(payload.len + producer.stampBytes());
        const claim = try producer.take(bytes, 1);
        producer.write(claim.position, claim.sequence, payload, user_flags, bytes);
        return producer.publishClaim(claim, 1, claim.position, payload.len);
    }

    /// Publishes messages that lie one after the other in `payload`, all in one visible step.
    /// `lengths` has one length each; they sum up to `payload.len`. Returns the last sequence.
    pub fn offerBatch(producer: *Producer, payload: [*]const u8, lengths: Lengths) Error!u64 {
        if (producer.open_claim != null) return error.ClaimOpen;
        const ring = &producer.ring;
        const stamp_bytes = producer.stampBytes();
        const payload_max = producer.payloadMax();
        var bytes: u64 = 0;
        for (0..lengths.count) |i| {
            if (lengths.at(i) > payload_max) return error.TooLong;
            bytes += ring.stride(lengths.at(i) + stamp_bytes);
        }
        if (bytes > ring.claim_max or lengths.count == 0) return error.TooLong;
        const claim = try producer.take(bytes, lengths.count);
        var position = claim.position;
        var last = position;
        var source = payload;
        for (0..lengths.count) |i| {
            const length = lengths.at(i);
            const stride = ring.stride(length + stamp_bytes);
            producer.write(position, claim.sequence + i, source[0..length], 0, stride);
            if (i > 0) producer.storeSequence(position, claim.sequence + i);
            last = position;
            position += stride;
            source += length;
        }
        const size = @intFromPtr(source) - @intFromPtr(payload);
        return producer.publishClaim(claim, lengths.count, last, size);
    }

    /// Splits a message over records that become visible together.
    fn offerFragments(producer: *Producer, payload: []const u8, user_flags: u8) Error!u64 {
        @branchHint(.unlikely);
        const ring = &producer.ring;
        const piece_max = producer.payloadMax();
        const stamp_bytes = producer.stampBytes();
        const count = std.math.divCeil(u64, payload.len, piece_max) catch unreachable;
        const tail = payload.len - (count - 1) * piece_max;
        const bytes = (count - 1) * ring.stride(piece_max + stamp_bytes) +
            ring.stride(tail + stamp_bytes);
        if (bytes > ring.claim_max) return error.TooLong;
        const claim = try producer.take(bytes, count);
        var position = claim.position;
        var last = position;
        for (0..count) |i| {
            var flags = user_flags | record.Flags.middle_fragment;
            if (i == 0) flags &= ~record.Flags.last_fragment;
            if (i == count - 1) flags &= ~record.Flags.first_fragment;
            const start = i * piece_max;
            const piece = payload[start..@min(start + piece_max, payload.len)];
            const stride = ring.stride(piece.len + stamp_bytes);
            producer.write(position, claim.sequence + i, piece, flags, stride);
            if (i > 0) producer.storeSequence(position, claim.sequence + i);
            last = position;
            position += stride;
        }
        return producer.publishClaim(claim, count, last, payload.len);
    }

    /// Reserves room for a message of `length` bytes that the application writes itself. Returns
    /// the offset of its payload in the data area.
    pub fn tryClaim(producer: *Producer, length: u32) Error!u64 {
        if (producer.open_claim != null) return error.ClaimOpen;
        if (length > producer.payloadMax()) return error.TooLong;
        const bytes = producer.ring.stride(length + producer.stampBytes());
        const claim = try producer.take(bytes, 1);
        producer.open_claim = .{ .claim = claim, .length = length };
        const start = claim.position & (producer.ring.capacity - 1);
        return start + record.header_bytes + producer.stampBytes();
    }

    /// Publishes the open claim. `payload` is copied in, or is null when it was written in place.
    pub fn publish(producer: *Producer, payload: ?[*]const u8, user_flags: u8) Error!u64 {
        const open = producer.open_claim orelse return error.NoClaim;
        const claim = open.claim;
        if (payload) |source| {
            const bytes = source[0..open.length];
            producer.write(claim.position, claim.sequence, bytes, user_flags, claim.bytes);
        } else {
            const length = open.length + producer.stampBytes();
            const flags = producer.recordFlags(user_flags);
            const ticks = producer.publishTicks();
            const place = producer.ring.recordAt(claim.position);
            const salt = producer.ring.salt;
            record.sealInPlace(place, salt, claim.sequence, flags, ticks, length, claim.bytes);
        }
        producer.open_claim = null;
        return producer.publishClaim(claim, 1, claim.position, open.length);
    }

    /// Gives the open claim back: its sequence is used up by a record that nobody is given.
    pub fn abort(producer: *Producer) Error!void {
        const open = producer.open_claim orelse return error.NoClaim;
        producer.open_claim = null;
        if (producer.channel.isPoisoned()) return error.Truncated;
        recovery.writeAborted(&producer.ring, open.claim, 1);
        producer.makeVisible(open.claim, 1, open.claim.position);
        producer.countUp("aborted", 1);
    }

    /// Longest message of one record.
    pub inline fn payloadMax(producer: *const Producer) u32 {
        return producer.ring.record_payload_max - producer.stampBytes();
    }

    /// Longest message at all: as many fragments as half the ring holds.
    pub fn messageMax(producer: *const Producer) u64 {
        const ring = &producer.ring;
        const pieces = ring.claim_max / ring.strideMax();
        const whole = pieces * @as(u64, producer.payloadMax());
        const rest = ring.claim_max - pieces * ring.strideMax();
        const overhead = record.header_bytes + record.trailer_bytes + producer.stampBytes();
        return whole + (rest -| overhead);
    }

    inline fn stampBytes(producer: *const Producer) u32 {
        return if (producer.ring.is_timestamped) record.timestamp_bytes else 0;
    }

    /// The flags of a record of this channel.
    inline fn recordFlags(producer: *const Producer, flags: u8) u8 {
        return if (producer.ring.is_timestamped) flags | record.Flags.timestamped else flags;
    }

    /// The publish time of a record of this channel.
    inline fn publishTicks(producer: *const Producer) u64 {
        return if (producer.ring.is_timestamped) clock.ticks() else 0;
    }

    inline fn write(
        producer: *Producer,
        position: u64,
        sequence: u64,
        payload: []const u8,
        flags: u8,
        stride: u64,
    ) void {
        const all_flags = producer.recordFlags(flags);
        const ticks = producer.publishTicks();
        const place = producer.ring.recordAt(position);
        record.writeBody(place, producer.ring.salt, sequence, all_flags, ticks, payload, stride);
    }

    inline fn storeSequence(producer: *Producer, position: u64, sequence: u64) void {
        memory.store(u64, producer.ring.sequenceWord(position), sequence, .monotonic);
    }

    inline fn take(producer: *Producer, bytes: u64, records: u64) Error!Claim {
        const ring = &producer.ring;
        if (producer.channel.isPoisoned()) return error.Truncated;
        // On the line that waking reads for each message: costs nothing that could be measured.
        const refusal = memory.load(u32, &ring.lines.control.refusal, .monotonic);
        if (refusal != header.Refusal.none) {
            producer.countUp("log_refused", 1);
            return producer.refuseForLog(refusal, bytes);
        }
        const result = if (ring.is_many)
            protocol.claimShared(ring, &producer.slot.intent, bytes, records)
        else
            protocol.claimAlone(ring, &producer.account, bytes);
        return result catch |err| producer.refuse(err, bytes);
    }

    fn refuse(producer: *Producer, err: ring_module.ClaimError, bytes: u64) Error {
        @branchHint(.unlikely);
        if (producer.channel.isPoisoned()) return error.Truncated;
        if (err == error.BackPressured) {
            producer.wanted_bytes = bytes;
            producer.countUp("back_pressured", 1);
            producer.lookAtSlowest();
        }
        return err;
    }

    fn refuseForLog(producer: *Producer, refusal: u32, bytes: u64) Error {
        @branchHint(.unlikely);
        producer.wanted_bytes = bytes;
        if (!producer.channel.identity.isDurable()) return error.CorruptHeader;
        return if (refusal == header.Refusal.full) error.WalFull else error.WalFailed;
    }

    inline fn publishClaim(
        producer: *Producer,
        claim: Claim,
        records: u64,
        last: u64,
        size: u64,
    ) Error!u64 {
        producer.makeVisible(claim, records, last);
        producer.countUp("messages", records);
        producer.countUp("bytes", size);
        if (producer.channel.isPoisoned()) return error.Truncated;
        return claim.sequence + records - 1;
    }

    inline fn makeVisible(producer: *Producer, claim: Claim, records: u64, last: u64) void {
        const ring = &producer.ring;
        noteBlock(ring, claim.position);
        if (ring.is_many) {
            protocol.publishShared(ring, &producer.slot.intent, claim);
        } else {
            protocol.publishAlone(ring, &producer.account, claim, records, last);
            passLines(ring, claim);
        }
        fault_points.hit(.before_wake);
        if (wait.wake(&ring.lines.data, &ring.lines.control)) producer.countUp("wakeups", 1);
        producer.countUp("publishes", 1);
    }

    /// Only the owner writes a counter, so a plain store is enough.
    inline fn countUp(producer: *Producer, comptime field: []const u8, by: u64) void {
        if (!build_options.counters) return;
        const word = &@field(producer.slot.counters, field);
        const value = memory.load(u64, word, .monotonic) +% by; // A peer may have spoilt it.
        memory.store(u64, word, value, .monotonic);
    }

    /// Looks whether those who hold us back are dead, at most once a millisecond.
    fn lookAtSlowest(producer: *Producer) void {
        const now = clock.ticks();
        if (clock.ticksToNs(now -% producer.checked_ticks) < constants.liveness_interval_ns) return;
        producer.checked_ticks = now;
        if (producer.ring.is_many) producer.lookAtClaims();
        const index = producer.slowest() orelse return;
        if (!repair.detachDeadConsumer(producer.channel, index)) return;
        producer.countUp("repaired", 1);
    }

    /// Ends the claims of dead producers: there may be no consumer to meet them.
    fn lookAtClaims(producer: *Producer) void {
        const channel = producer.channel;
        for (channel.ring.producers[0..channel.ring.producers_max], 0..) |*slot, index| {
            const sequence = memory.load(u64, &slot.intent.sequence, .acquire);
            if (sequence == 0 or !channel.isProducerDead(@intCast(index))) continue;
            const position = memory.load(u64, &slot.intent.position, .monotonic);
            const outcome = repair.repairClaim(channel, position, sequence);
            if (outcome == .repaired) producer.countUp("repaired", 1);
        }
    }

    /// Slot of the gating consumer that is furthest behind.
    pub fn slowest(producer: *const Producer) ?u32 {
        const ring = &producer.ring;
        var rest = memory.load(u64, &ring.lines.control.gating, .acquire);
        var found: ?u32 = null;
        var lowest: u64 = std.math.maxInt(u64);
        while (rest != 0) : (rest &= rest - 1) {
            const index = @ctz(rest);
            if (index >= ring.consumers_max) continue;
            const cursor = memory.load(u64, &ring.consumers[index].cursor.position, .acquire);
            if (cursor >= lowest) continue;
            lowest = cursor;
            found = index;
        }
        return found;
    }

    /// Position of that consumer. Whenever it changes, whoever waits for room is woken.
    fn heldAt(producer: *const Producer) ?u64 {
        const index = producer.slowest() orelse return null;
        return memory.load(u64, &producer.ring.consumers[index].cursor.position, .acquire);
    }

    /// Whether `bytes` could be claimed now.
    fn hasSpace(producer: *Producer, bytes: u64) Error!bool {
        if (producer.channel.isPoisoned()) return error.Truncated;
        const ring = &producer.ring;
        const refusal = memory.load(u32, &ring.lines.control.refusal, .acquire);
        if (refusal != header.Refusal.none) {
            const err = producer.refuseForLog(refusal, bytes);
            return if (err == error.WalFull) false else err;
        }
        if (ring.is_many) {
            const pair = protocol.readClaim(ring);
            if (!ring.isClaim(pair)) return error.CorruptHeader;
            const position = pair.position;
            const end = position + bytes;
            return end <= try protocol.refreshLimit(ring, position, end);
        }
        // Before the shared word is read, which its thread may raise while we wait on another.
        const known = memory.load(u64, &producer.account.limit, .acquire);
        const position = producer.account.position;
        const end = position + bytes;
        return end <= try protocol.refreshLimitAlone(ring, position, end, known);
    }

    /// Whether only a consumer of this very thread could make room: waiting would never end.
    fn isHeldByOwnThread(producer: *const Producer) bool {
        const owner = &producer.ring.consumers[producer.slowest() orelse return false].owner;
        return owner.nonce == process.nonce() and owner.tid == @as(u32, @intCast(linux.gettid()));
    }

    /// Sleeps until what was refused last would fit, at most `timeout_ns`. `blocks_thread`: nothing
    /// else runs on the caller's thread meanwhile.
    pub fn park(producer: *Producer, timeout_ns: u64, blocks_thread: bool) Status {
        const bytes = @max(producer.wanted_bytes, producer.ring.stride(0));
        const line = &producer.ring.lines.space;
        var end = Sleeper.deadline(timeout_ns);
        var has_slept = false;
        while (true) {
            const seen = wait.prepare(line, &producer.ring.lines.control);
            const has_space = producer.hasSpace(bytes) catch |err| return statusOf(err);
            if (has_space) return .ok;
            if (blocks_thread and producer.isHeldByOwnThread()) return .would_deadlock;
            producer.lookAtSlowest();
            if (!has_slept) producer.countUp("waits", 1);
            has_slept = true;
            const held_at = producer.heldAt();
            switch (producer.sleeper.sleep(line, seen, constants.wait_slice_ns, &end)) {
                .look => if (producer.sleeper.slice_ended) {
                    producer.channel.checkSize();
                    if (producer.heldAt() != held_at) producer.noteLateWakeup(bytes, seen);
                },
                .timed_out => {
                    producer.countUp("waits_timed_out", 1);
                    return .timed_out;
                },
                .interrupted => return .interrupted,
                .closed => return .closed,
            }
        }
    }

    /// A slice that ended by time although a consumer made room and nobody woke us is a defect.
    /// That another producer's open claim has ended makes room too, and wakes nobody.
    fn noteLateWakeup(producer: *Producer, bytes: u64, seen: u32) void {
        if (!(producer.hasSpace(bytes) catch false)) return;
        if (isForgotten(&producer.ring.lines.space, seen)) producer.countUp("late_wakeups", 1);
    }
};

/// A producer goes on counting where one of its name was the last in the slot.
fn resetCounters(slot: *header.ProducerSlot) void {
    var counters = std.mem.zeroes(header.ProducerCounters);
    counters.resets = slot.counters.resets; // Stays, should the process end here.
    slot.counters = counters;
    fault_points.hit(.mid_reset);
    // A peer may have spoilt it, so it wraps. Pairs with the acquire in report.zig: who sees it
    // sees counters that began with 0.
    memory.store(u64, &slot.counters.resets, counters.resets +% 1, .release);
}

/// Lengths of a batch: one for all, or an array.
pub const Lengths = struct {
    array: ?[*]const u32,
    each: u32 = 0,
    count: u32,

    inline fn at(lengths: Lengths, i: usize) u32 {
        return if (lengths.array) |array| array[i] else lengths.each;
    }
};

/// Hurries a small record to its reader: pushes its lines out to where other cores find them
/// sooner, and owns the lines of the next record beyond its first, which is being polled.
///
/// Measured on hand-off of 64 and 128 bytes: 295 to 230 ns and 335 to 285 ns by the first half
/// alone. Longer records are streamed, where the processor's own prefetching does better. The line
/// that the next record begins in stays: fetching it back made records that share lines take four
/// times as long.
inline fn passLines(ring: *const Ring, claim: Claim) void {
    if (claim.bytes > passed_bytes_max) return;
    const record_start = ring.recordAt(claim.position);
    const next = record_start + claim.bytes; // Mapped twice: never beyond the mapping.
    const next_line = @intFromPtr(next) / cache_line_bytes;
    var offset: u64 = 0;
    while (offset < claim.bytes) : (offset += cache_line_bytes) {
        const line = record_start + offset;
        if (@intFromPtr(line) / cache_line_bytes != next_line) memory_module.demote(line);
        if (offset > 0) memory_module.prefetchForWrite(next + offset);
    }
}

/// Bytes of a cache line of the processors that `passLines` was measured on.
const cache_line_bytes = 64;
const passed_bytes_max = 4 * cache_line_bytes;

/// Notes the first record of a 1/64 of the ring, for readers that look for a place to start.
inline fn noteBlock(ring: *const Ring, position: u64) void {
    const word = ring.blockOf(position);
    const noted = memory.load(u64, word, .monotonic);
    if (noted >> ring.block_shift == position >> ring.block_shift and noted != 0) return;
    memory.store(u64, word, position, .release);
}

fn takeSlot(channel: *Channel, detail: *Detail) Error!u32 {
    const ring = &channel.ring;
    for (0..ring.producers_max) |i| {
        const index: u32 = @intCast(i);
        if (channel.holds_producer[index]) continue;
        liveness.tryLock(channel.fd, .producer(index)) catch continue;
        if (!recovery.isClear(channel, index)) {
            liveness.unlock(channel.fd, .producer(index));
            continue;
        }
        channel.holds_producer[index] = true;
        return index;
    }
    const owner = &ring.producers[0].owner;
    detail.pid = memory.load(u32, &owner.pid, .monotonic);
    detail.setName(channel_module.ownerName(owner));
    return if (ring.is_many) error.SlotsFull else error.Busy;
}

fn dropSlot(channel: *Channel, index: u32) void {
    channel.holds_producer[index] = false;
    liveness.unlock(channel.fd, .producer(index));
}
