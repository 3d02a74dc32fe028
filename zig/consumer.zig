//! Consumer: one reader's place in a ring: with a slot and a cursor, or a mere observer without.
//!
//! Used by one thread only, apart from `park`. Every record is copied first and checked on the copy
//! (view mode checks in place and needs a gating cursor, which keeps sound producers away).
//! A crash leaves the cursor where it was acknowledged last; a consumer of the same name goes on
//! there.
const std = @import("std");
const build_options = @import("build_options");
const channel_module = @import("channel.zig");
const clock = @import("clock.zig");
const constants = @import("constants.zig");
const consumer_slot = @import("consumer_slot.zig");
const delivery = @import("delivery.zig");
const fault_points = @import("testing/fault_points.zig");
const header = @import("header.zig");
const liveness = @import("liveness.zig");
const record = @import("record.zig");
const replay_module = @import("replay.zig");
const repair = @import("repair.zig");
const ring_module = @import("ring.zig");
const seek = @import("seek.zig");
const Channel = channel_module.Channel;
const Detail = @import("detail.zig").Detail;
const Reader = @import("wal/reader.zig").Reader;
const Ring = ring_module.Ring;
const Sink = delivery.Sink;
const Sleeper = @import("sleeper.zig").Sleeper;
const Status = @import("status.zig").Status;
const memory = @import("memory.zig").direct;
const protocol = ring_module.Protocol(memory);
const wait = @import("wait.zig").Protocol(memory);

const allocator = std.heap.c_allocator;

pub const Error = error{
    CorruptRecord,
    CorruptHeader,
    Truncated,
    Lapped,
    TooLong,
    Busy,
    SlotsFull,
    SequenceGone,
    CorruptLog,
    OutOfMemory,
    Os,
};

pub fn statusOf(err: Error) Status {
    return switch (err) {
        error.CorruptRecord => .corrupt_record,
        error.CorruptHeader => .corrupt_header,
        error.Truncated => .truncated,
        error.Lapped => .lapped,
        error.TooLong => .too_long,
        error.Busy => .busy,
        error.SlotsFull => .slots_full,
        error.SequenceGone => .sequence_gone,
        error.CorruptLog => .corrupt_log,
        error.OutOfMemory, error.Os => .os_error,
    };
}

pub const Options = struct {
    /// Empty for an anonymous consumer.
    name: []const u8,
    policy: header.Policy,
    start: seek.Start,
    /// Whether it may read in the channel's log, if there is one. Not in view mode.
    replays: bool = true,
};

/// What stood at a reader's place while nothing was there: another word shows that somebody came.
const Idle = struct { position: u64 = std.math.maxInt(u64), word: u64 = 0 };

const replay = replay_module.Replay(Consumer, Error);

pub const Consumer = struct {
    ring: Ring,
    /// Where the next record to read stands, and its sequence.
    position: u64,
    sequence: u64,
    acked: header.Cursor,
    /// Where it has come into the ring out of the log: records before never stood there for it.
    joined: header.Cursor = .{ .position = 0, .sequence = 0 },
    /// What it reads in while its place is not in the ring.
    replay: ?*Reader = null,
    replays: bool,
    channel: *Channel,
    /// Null for an observer.
    slot: ?*header.ConsumerSlot,
    slot_index: u32,
    policy: header.Policy,
    /// Sequence of the damaged record that the history was told of.
    damage_noted: u64 = 0,
    idle_polls: u32 = 0,
    idle: Idle = .{},
    /// Sequence of the newest record read that somebody is given; what is behind was aborted.
    newest: u64 = 0,
    /// Since when the same claim has been open before us.
    claimed_since: u64 = 0,
    sleeper: Sleeper = .{},
    /// What is wrong with the log, after `CorruptLog` and `SequenceGone`.
    detail: Detail = .{},

    pub fn init(channel: *Channel, options: Options, detail: *Detail) Error!*Consumer {
        const consumer = try allocator.create(Consumer);
        errdefer allocator.destroy(consumer);
        liveness.lock(channel.fd, .registration) catch return error.Os;
        defer liveness.unlock(channel.fd, .registration);
        const taken = try consumer_slot.take(channel, options.name, detail);
        errdefer consumer_slot.drop(channel, taken.index);
        const slot = &channel.ring.consumers[taken.index];
        const is_after_death = consumer_slot.isOfDead(slot);
        if (is_after_death and !taken.is_return) consumer_slot.noteDead(channel, slot);
        if (!taken.is_return) consumer_slot.clear(slot);
        consumer.* = .{
            .ring = channel.ring,
            .position = 0,
            .sequence = 0,
            .acked = .{ .position = 0, .sequence = 0 },
            .replays = options.replays and channel.identity.isDurable(),
            .channel = channel,
            .slot = slot,
            .slot_index = taken.index,
            .policy = options.policy,
        };
        errdefer replay.end(consumer);
        try consumer.start(options, taken.is_return, detail);
        memory.store(u32, &slot.policy, @intFromEnum(options.policy), .monotonic);
        if (is_after_death and taken.is_return) consumer_slot.noteDead(channel, slot);
        channel_module.writeOwner(&slot.owner, options.name);
        memory.store(u32, &slot.owner.state, header.SlotState.taken, .release);
        if (channel.isPoisoned()) return error.Truncated;
        channel.retain();
        return consumer;
    }

    /// A reader without a slot: it holds nobody back and nobody knows of it.
    /// One that does not replay reads in the ring only.
    pub fn initObserver(
        channel: *Channel,
        begin: seek.Start,
        replays: bool,
        detail: *Detail,
    ) Error!*Consumer {
        const consumer = try allocator.create(Consumer);
        errdefer allocator.destroy(consumer);
        consumer.* = .{
            .ring = channel.ring,
            .position = 0,
            .sequence = 0,
            .acked = .{ .position = 0, .sequence = 0 },
            .replays = replays and channel.identity.isDurable(),
            .channel = channel,
            .slot = null,
            .slot_index = 0,
            .policy = .drop,
        };
        errdefer replay.end(consumer);
        try consumer.start(.{ .name = "", .policy = .drop, .start = begin }, false, detail);
        if (channel.isPoisoned()) return error.Truncated;
        channel.retain();
        return consumer;
    }

    pub fn deinit(consumer: *Consumer) void {
        const channel = consumer.channel;
        replay.end(consumer);
        if (consumer.slot) |slot| {
            if (consumer.policy != .hold) consumer.leave();
            const named = channel_module.ownerName(&slot.owner).len > 0;
            const state = if (named) header.SlotState.detached else header.SlotState.free;
            memory.store(u32, &slot.owner.state, state, .release);
            consumer_slot.drop(channel, consumer.slot_index);
            _ = wait.wake(&consumer.ring.lines.space, &consumer.ring.lines.control);
        }
        channel.release();
        allocator.destroy(consumer);
    }

    fn bit(consumer: *const Consumer) u64 {
        return @as(u64, 1) << @intCast(consumer.slot_index);
    }

    fn leave(consumer: *Consumer) void {
        _ = memory.clearBits(u64, &consumer.ring.lines.control.gating, consumer.bit());
    }

    /// Finds the start: in the ring, else in the log.
    fn start(consumer: *Consumer, options: Options, is_return: bool, detail: *Detail) Error!void {
        const channel = consumer.channel;
        const kept: ?header.Cursor = if (!is_return) null else .{
            .position = memory.load(u64, &consumer.slot.?.cursor.position, .acquire),
            .sequence = memory.load(u64, &consumer.slot.?.cursor.sequence, .acquire),
        };
        const is_resolved = channel.identity.isDurable() and options.policy != .hold;
        const begin = if (is_resolved)
            replay_module.resolve(channel, options.start, kept, options.name)
        else
            options.start;
        if (begin == .earliest and consumer.replays) {
            try replay.beginOldest(consumer, detail);
        } else consumer.join(begin, kept, detail) catch |err| {
            const is_logged = consumer.replays and is_resolved and begin == .sequence;
            if (err != error.SequenceGone or !is_logged) return err;
            try replay.begin(consumer, begin.sequence, detail);
        };
        consumer.acked = .{ .position = consumer.position, .sequence = consumer.sequence };
        consumer.storeCursor();
    }

    /// Enters the ring where `begin` says and, for a gating consumer, makes producers respect it.
    pub fn join(
        consumer: *Consumer,
        begin: seek.Start,
        kept: ?header.Cursor,
        detail: *Detail,
    ) Error!void {
        const ring = &consumer.ring;
        const is_gating = consumer.slot != null and consumer.policy.isGating();
        errdefer if (is_gating and consumer.policy != .hold) consumer.leave();
        // Producers may overwrite what is before it without another look at the cursors.
        var floor = if (is_gating) protocol.respectedFrom(ring) else 0;
        for (0..joins_max) |_| {
            const place = try seek.find(ring, begin, kept, floor, detail);
            consumer.position = place.position;
            consumer.sequence = place.sequence;
            if (consumer.slot == null) return;
            const cursor = consumer.cursorAt(place);
            if (protocol.enter(ring, consumer.slot_index, cursor, consumer.policy)) return;
            floor = protocol.respectedFrom(ring);
        }
        return error.CorruptHeader;
    }

    /// A place as the slot tells it: with what we have finished, which may be less.
    fn cursorAt(consumer: *const Consumer, place: header.Cursor) header.Cursor {
        const acked = consumer.acked.sequence;
        const sequence = if (acked == 0) place.sequence else @min(acked, place.sequence);
        return .{ .position = place.position, .sequence = sequence };
    }

    /// Puts our place, and what we have finished, into the slot.
    pub fn storeCursor(consumer: *Consumer) void {
        const slot = consumer.slot orelse return;
        memory.store(u64, &slot.cursor.position, consumer.acked.position, .release);
        memory.store(u64, &slot.cursor.sequence, consumer.acked.sequence, .monotonic);
    }

    /// Tries to join. A producer can spoil one each time that it raises the limit; a hostile word
    /// all.
    const joins_max = 64;

    /// Copies up to `limit` messages into `sink`. Returns how many.
    pub fn poll(consumer: *Consumer, bytes: []u8, limit: u32, in_place: bool) Error!u32 {
        if (limit == 0) return 0;
        if (consumer.replay != null) return replay.poll(consumer, bytes, limit);
        var sink: Sink = .{ .bytes = bytes, .in_place = in_place };
        const ring = &consumer.ring;
        while (true) {
            while (sink.count < limit) {
                const word = memory.load(u64, ring.sequenceWord(consumer.position), .acquire);
                if (word != consumer.sequence) { // Pairs with the release of whoever publishes.
                    const position = consumer.position;
                    if (sink.count > 0) consumer.idle = .{ .position = position, .word = word };
                    break;
                }
                if (consumer.take(&sink) != .taken) break;
            }
            if (sink.count > 0) break;
            consumer.ackSkipped();
            fault_points.hit(.mid_poll);
            try consumer.pollNothing(&sink);
            if (consumer.replay != null) return replay.poll(consumer, bytes, limit);
            if (sink.count == 0) return 0;
            // It has come meanwhile, and with it perhaps a batch, of which nobody sees a part.
        }
        consumer.idle_polls = 0;
        if (ring.is_timestamped) {
            sink.measure(ring.data, if (consumer.slot) |slot| &slot.latency else null);
        }
        if (consumer.channel.isPoisoned()) return error.Truncated;
        return sink.count;
    }

    const Take = enum { taken, full, damaged };

    /// Copies the record at our place out and checks the copy. Moves on only if it is sound.
    inline fn take(consumer: *Consumer, sink: *Sink) Take {
        const ring = &consumer.ring;
        const source = ring.recordAt(consumer.position);
        const word: *u64 = @ptrCast(@alignCast(source + 8));
        const head_word = memory.load(u64, word, .monotonic);
        const head = record.parseHeadWord(head_word, ring.record_payload_max) orelse
            return .damaged;
        const body_bytes = if (sink.in_place) 0 else std.mem.alignForward(usize, head.length, 8);
        const end = sink.used + delivery.bytes + body_bytes;
        if (end > sink.bytes.len) return .full;
        const body = sink.bytes.ptr + sink.used + delivery.bytes;
        const sequence = consumer.sequence;
        const verdict = if (sink.in_place)
            record.verifyInPlace(source, ring.salt, sequence, head_word, head.length)
        else
            record.copyAndVerify(body, source, ring.salt, sequence, head_word, head.length);
        if (verdict == .damaged) return .damaged;
        consumer.deliver(sink, head.length, head.flags, end);
        consumer.position += ring.stride(head.length);
        consumer.sequence += 1;
        return .taken;
    }

    pub inline fn deliver(
        consumer: *Consumer,
        sink: *Sink,
        length: u32,
        flags: u8,
        end: usize,
    ) void {
        if (flags & (record.Flags.aborted | record.Flags.control) != 0) {
            consumer.countUp("aborted", 1);
            return;
        }
        consumer.newest = consumer.sequence;
        const index = consumer.position & (consumer.ring.capacity - 1);
        sink.put(consumer.sequence, index + record.header_bytes, length, flags, end);
    }

    /// Nothing was sound at our place: mostly because nothing is there. Finds out when it matters.
    fn pollNothing(consumer: *Consumer, sink: *Sink) Error!void {
        if (consumer.channel.isPoisoned()) return error.Truncated;
        const word = memory.load(u64, consumer.ring.sequenceWord(consumer.position), .acquire);
        if (!consumer.isWorthALook(word)) return;
        const position = consumer.position;
        try consumer.examine(sink);
        consumer.idle = .{ .position = position, .word = word };
    }

    /// Whether the record's place looks odd, with `word` in the place of its sequence, or it is
    /// time to look at the producers' words anyway.
    inline fn isWorthALook(consumer: *Consumer, word: u64) bool {
        consumer.idle_polls +%= 1;
        if (word >= consumer.sequence) return true;
        if (consumer.idle.position != consumer.position or consumer.idle.word != word) return true;
        return consumer.idle_polls % constants.polls_between_checks == 0;
    }

    /// Whether a poll would have something to say: a message, a gap, damage.
    pub fn peek(consumer: *Consumer) Error!bool {
        const ring = &consumer.ring;
        if (consumer.replay != null) {
            if (try replay.hasNews(consumer)) return true;
            if (consumer.replay != null) return false; // Its place is in neither yet.
        }
        if (protocol.isReady(ring, consumer.position, consumer.sequence)) return true;
        if (consumer.channel.isPoisoned()) return error.Truncated;
        const word = memory.load(u64, ring.sequenceWord(consumer.position), .acquire);
        if (!consumer.isWorthALook(word)) return false;
        switch (protocol.standing(ring, consumer.position, consumer.sequence)) {
            .waiting => if (consumer.isHeaderLost()) return error.CorruptHeader,
            .lapped, .published => return true,
            .claimed => consumer.lookAtOwner(),
        }
        return false;
    }

    /// Looks at the producers' words to learn why there is no sound record.
    fn examine(consumer: *Consumer, sink: *Sink) Error!void {
        @branchHint(.unlikely);
        const ring = &consumer.ring;
        memory.loadBarrier();
        switch (protocol.standing(ring, consumer.position, consumer.sequence)) {
            .waiting => {
                if (consumer.isHeaderLost()) return error.CorruptHeader;
                if (consumer.idle_polls % constants.polls_between_size_checks != 0) return;
                consumer.channel.checkSize();
                if (consumer.channel.isPoisoned()) return error.Truncated;
                return;
            },
            .lapped => return consumer.overrun(),
            .claimed => {
                consumer.lookAtOwner();
                return;
            },
            .published => {},
        }
        if (protocol.isReady(ring, consumer.position, consumer.sequence)) {
            switch (consumer.take(sink)) {
                .taken => return,
                .full => return error.TooLong,
                .damaged => {},
            }
        }
        memory.loadBarrier();
        const standing = protocol.standing(ring, consumer.position, consumer.sequence);
        if (consumer.channel.isPoisoned()) return error.Truncated;
        if (standing == .lapped) return consumer.overrun();
        if (consumer.isHeaderLost()) return error.CorruptHeader;
        consumer.countUp("damaged", 1);
        consumer.noteDamage();
        return error.CorruptRecord;
    }

    /// Tells the history of a record once, however often it is read.
    fn noteDamage(consumer: *Consumer) void {
        const slot = consumer.slot orelse return;
        if (consumer.damage_noted == consumer.sequence) return;
        consumer.damage_noted = consumer.sequence;
        consumer.channel.noteOf(.record_damaged, &slot.owner, consumer.sequence);
    }

    /// A producer is a whole ring ahead, which no sound one does to a consumer that blocks. What a
    /// consumer that spills has missed is in the log.
    fn overrun(consumer: *Consumer) Error!void {
        if (consumer.isGating()) return error.CorruptHeader;
        if (consumer.policy != .spill) return error.Lapped;
        consumer.countUp("laps", 1);
        try replay.begin(consumer, consumer.sequence, &consumer.detail);
    }

    fn isGating(consumer: *const Consumer) bool {
        return consumer.slot != null and consumer.policy.isGating() and consumer.replay == null;
    }

    /// Whether words are gone that stay as long as we are here: every claim ever made, our own bit.
    /// So it is in a file that was cut off and made longer again, which no fault announces.
    pub fn isHeaderLost(consumer: *const Consumer) bool {
        const lines = consumer.ring.lines;
        if (memory.load(u64, &lines.claim_line.claim.sequence, .acquire) == 0) return true;
        const claimed = memory.load(u64, &lines.claim_line.claim.position, .acquire);
        if (claimed < consumer.position) return true;
        if (!consumer.isGating()) return false;
        return memory.load(u64, &lines.control.gating, .acquire) & consumer.bit() == 0;
    }

    /// A claim is open at our place. If that lasts, its owner may be dead.
    fn lookAtOwner(consumer: *Consumer) void {
        if (consumer.slot == null) return; // An observer only looks.
        const now = clock.ticks();
        if (consumer.claimed_since == 0) consumer.claimed_since = now;
        const age_ns = clock.ticksToNs(now -% consumer.claimed_since);
        if (age_ns < constants.liveness_interval_ns) return;
        consumer.claimed_since = 0;
        const outcome = repair.repairClaim(consumer.channel, consumer.position, consumer.sequence);
        if (outcome == .repaired) consumer.countUp("repaired", 1);
    }

    /// Frees the space of everything that was read.
    pub inline fn ackAll(consumer: *Consumer) void {
        consumer.ackTo(.{ .position = consumer.position, .sequence = consumer.sequence });
    }

    inline fn ackTo(consumer: *Consumer, place: header.Cursor) void {
        const slot = consumer.slot orelse {
            consumer.acked = place;
            return;
        };
        fault_points.hit(.before_ack);
        const messages = place.sequence - consumer.acked.sequence;
        const bytes = place.position - consumer.acked.position;
        consumer.acked = place;
        // Pairs with the acquire in `slowestCursor`.
        memory.store(u64, &slot.cursor.position, place.position, .release);
        fault_points.hit(.mid_ack);
        memory.store(u64, &slot.cursor.sequence, place.sequence, .monotonic);
        consumer.countUp("messages", messages);
        consumer.countUp("bytes", bytes);
        consumer.countUp("acks", 1);
        const lines = consumer.ring.lines;
        if (wait.wake(&lines.space, &lines.control)) consumer.countUp("wakeups", 1);
    }

    /// Frees the space up to and including `sequence`.
    pub fn ack(consumer: *Consumer, sequence: u64) Error!void {
        if (sequence + 1 == consumer.sequence) return consumer.ackAll();
        if (sequence < consumer.acked.sequence) return; // Done already.
        if (sequence >= consumer.sequence) return error.SequenceGone; // Not read yet.
        consumer.ackTo(try consumer.placeAfter(sequence));
    }

    /// The place behind a record that was read and not acknowledged.
    fn placeAfter(consumer: *const Consumer, sequence: u64) Error!header.Cursor {
        const ring = &consumer.ring;
        if (consumer.replay != null or sequence < consumer.joined.sequence) {
            return .{ .position = consumer.acked.position, .sequence = sequence + 1 };
        }
        const place = consumer.walkTo(sequence);
        if (consumer.isGating()) return place;
        memory.loadBarrier();
        const claimed = memory.load(u64, &ring.lines.claim_line.claim.position, .acquire);
        if (claimed -| consumer.acked.position <= ring.capacity) return place;
        // Overwritten meanwhile, so that nothing tells where the next one stood: a place that was
        // lapped for sure, where the next poll finds out.
        return .{ .position = consumer.acked.position, .sequence = sequence + 1 };
    }

    /// Walks over records that producers leave alone as long as this consumer gates them. Ends
    /// behind a whole message, so that nobody begins in the middle of one.
    fn walkTo(consumer: *const Consumer, sequence: u64) Error!header.Cursor {
        const ring = &consumer.ring;
        const is_earlier = consumer.acked.sequence < consumer.joined.sequence;
        var place = if (is_earlier) consumer.joined else consumer.acked;
        var whole = place;
        while (place.sequence <= sequence) {
            const word: *u64 = @ptrCast(@alignCast(ring.recordAt(place.position) + 8));
            const head_word = memory.load(u64, word, .monotonic);
            const head = record.parseHeadWord(head_word, ring.record_payload_max) orelse
                return error.CorruptHeader;
            place.position += ring.stride(head.length);
            place.sequence += 1;
            if (place.position > consumer.position) return error.CorruptHeader;
            if (record.endsMessage(head.flags)) whole = place;
        }
        return whole;
    }

    /// Records that nobody is given need nobody's acknowledgement.
    pub inline fn ackSkipped(consumer: *Consumer) void {
        const is_behind = consumer.acked.sequence < consumer.sequence;
        if (is_behind and consumer.newest < consumer.acked.sequence) consumer.ackAll();
    }

    /// Makes the next poll begin behind `sequence`, which was acknowledged or delivered.
    pub fn rewind(consumer: *Consumer, sequence: u64) Error!void {
        if (sequence + 1 >= consumer.sequence) return;
        const place = try consumer.placeAfter(@max(sequence, consumer.acked.sequence -| 1));
        if (place.sequence == consumer.sequence) return; // All of it was acknowledged meanwhile.
        consumer.newest = @min(consumer.newest, place.sequence -| 1);
        if (consumer.replay != null or place.sequence < consumer.joined.sequence) {
            return replay.begin(consumer, place.sequence, &consumer.detail);
        }
        consumer.position = place.position;
        consumer.sequence = place.sequence;
    }

    /// After `Lapped`: goes on at a place half a ring behind the newest. `detail` has the first
    /// lost sequence as `expected` and the first one to come as `actual`.
    pub fn skipGap(consumer: *Consumer, detail: *Detail) Error!void {
        const first_lost = consumer.sequence;
        const place = try seek.afterLap(&consumer.ring, first_lost);
        consumer.ackAll(); // What was read before the gap; the rest below is lost, not read.
        consumer.position = place.position;
        consumer.sequence = place.sequence;
        detail.expected = @floatFromInt(first_lost);
        detail.actual = @floatFromInt(place.sequence);
        consumer.acked = place;
        consumer.countUp("laps", 1);
        consumer.countUp("lost", place.sequence - first_lost);
        consumer.ackAll();
    }

    /// Only the owner writes a counter, so a plain store is enough.
    pub inline fn countUp(consumer: *Consumer, comptime field: []const u8, by: u64) void {
        if (!build_options.counters) return;
        const slot = consumer.slot orelse return;
        const word = &@field(slot.counters, field);
        const value = memory.load(u64, word, .monotonic) +% by; // A peer may have spoilt it.
        memory.store(u64, word, value, .monotonic);
    }

    /// Whether a poll would have something to say: a message, a lap, or damage.
    pub fn hasNews(consumer: *const Consumer) bool {
        const ring = &consumer.ring;
        if (consumer.replay != null) return true; // A poll finds out, and goes to the ring.
        if (protocol.isReady(ring, consumer.position, consumer.sequence)) return true;
        const claimed = memory.load(u64, &ring.lines.claim_line.claim.position, .acquire);
        return claimed > consumer.position and claimed - consumer.position > ring.capacity;
    }

    /// What the log's reader has found wrong.
    pub fn logDetail(consumer: *const Consumer) Detail {
        return if (consumer.replay) |reader| reader.detail else consumer.detail;
    }

    /// Looks, without reading it, whether a claim is open at our place.
    pub fn isClaimed(consumer: *const Consumer) bool {
        const claim = &consumer.ring.lines.claim_line.claim;
        return memory.load(u64, &claim.position, .acquire) > consumer.position;
    }

    /// Makes the next empty poll look at the producers' words. Called from the waiting thread.
    pub fn examineNext(consumer: *Consumer) void {
        memory.store(u32, &consumer.idle_polls, constants.polls_between_checks - 1, .monotonic);
    }

    /// Looks for the next record up to `spins` times.
    pub inline fn spin(consumer: *const Consumer, spins: u32) Status {
        if (consumer.replay != null) return .ok;
        for (0..spins) |_| {
            if (protocol.isReady(&consumer.ring, consumer.position, consumer.sequence)) return .ok;
            std.atomic.spinLoopHint();
        }
        return .timed_out;
    }
};
