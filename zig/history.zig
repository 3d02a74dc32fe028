//! History: what has gone wrong in a channel and what came of it, for whoever looks later.
//!
//! | Offset | Size     | Field      | Notes                                               |
//! | -----: | -------: | :--------- | :-------------------------------------------------- |
//! |      0 |        4 | count      | entries ever begun; the next one's number less 1    |
//! |      4 |      124 | reserved_0 | zero                                                |
//! |    128 | 32 × 128 | entries    | entry `number` lies at `(number - 1) % 32`          |
//!
//! Invariants:
//! - Anybody may write, without a lock: each writer draws a number, which names the place.
//! - An entry's word with its number is cleared first and stored last, and a checksum covers all of
//!   it. So one whose writer was killed over it is none, as is one that two have written at once,
//!   which takes a writer that is overtaken by 32 others.
//! - A reader takes what verifies. Nothing here is ever waited for, or decided by.
//!
//! What a crash leaves behind: the entry that was being written is missing, with the one that it
//! replaces.
const std = @import("std");
const assert = std.debug.assert;
const clock = @import("clock.zig");
const constants = @import("constants.zig");
const crc32c = @import("crc32c.zig");
const fault_points = @import("testing/fault_points.zig");

/// What has happened.
pub const Kind = enum(u16) {
    /// A claim that a dead producer had left open was ended: nobody waits for it any more.
    claim_ended = 1,
    /// A dead consumer does not hold producers back any more; its cursor is kept.
    consumer_detached = 2,
    /// A producer took the slot of one that had died.
    producer_replaced = 3,
    /// A consumer took the slot of one that had died. The persister is one, too.
    consumer_replaced = 4,
    /// A consumer was removed for good.
    consumer_removed = 5,
    /// A consumer has met a record that does not verify.
    record_damaged = 6,
    /// The log's torn tail was saved aside when it was opened.
    log_repaired = 7,
    /// The log has no room, or has reached its cap.
    log_full = 8,
    /// The log goes on after it was full or had failed.
    log_resumed = 9,
    /// The log could not be written or synced; it is not written any more.
    log_failed = 10,
    /// What was to be written, or the log itself, is damaged; it is not written any more.
    log_damaged = 11,
    /// Segments were cut that a consumer still needed. Once for each opening of the log.
    segments_cut = 12,
};

/// Entries that are kept. Arbitrary: a page's worth, and more than a person reads.
pub const entries_max = 32;

pub const Event = struct {
    kind: Kind,
    /// Whom it is about.
    name: []const u8,
    pid: u32,
    /// Where in the channel; what exactly depends on the kind.
    sequence: u64 = 0,
    /// The operating system's error, where there was one.
    errno: u32 = 0,
};

pub const Entry = extern struct {
    /// 1, 2, 3 …; 0 while it is being written.
    number: u32,
    kind: u16,
    errno: u16,
    /// Wall clock, ns since 1970.
    time_ns: u64,
    sequence: u64,
    pid: u32,
    /// Masked CRC-32C of the entry with 0 in this place.
    crc: u32,
    /// Ends at the first zero.
    name: [constants.name_bytes_max]u8,

    comptime {
        assert(@sizeOf(Entry) == words_count * 8);
        assert(@offsetOf(Entry, "name") == 32);
    }

    fn computeCrc(entry: *const Entry) u32 {
        var copy = entry.*;
        copy.crc = 0;
        return crc32c.mask(crc32c.checksum(std.mem.asBytes(&copy)));
    }

    pub fn nameText(entry: *const Entry) []const u8 {
        return std.mem.sliceTo(&entry.name, 0);
    }
};

const words_count = 16;
const Words = [words_count]u64;

pub const History = extern struct {
    count: u32 align(constants.line_bytes) = 0,
    reserved_0: [124]u8 = @splat(0),
    entries: [entries_max]Entry = @splat(std.mem.zeroes(Entry)),

    comptime {
        assert(@sizeOf(History) == 128 + entries_max * 128);
    }

    /// Writes an entry down. Thread: any, any process. Cost: a microsecond; not for a hot path.
    pub fn note(history: *History, event: Event) void {
        // Names the place: no two writers have the same one, unless 32 others come between.
        const number = @atomicRmw(u32, &history.count, .Add, 1, .monotonic) +% 1;
        var entry = std.mem.zeroes(Entry);
        entry.number = number;
        entry.kind = @intFromEnum(event.kind);
        entry.errno = @truncate(event.errno);
        entry.time_ns = clock.realtimeNs();
        entry.sequence = event.sequence;
        entry.pid = event.pid;
        const size = @min(event.name.len, entry.name.len);
        @memcpy(entry.name[0..size], event.name[0..size]);
        entry.crc = entry.computeCrc();
        const source: *align(8) const Words = @ptrCast(&entry);
        const words: *Words = @ptrCast(history.placeOf(number));
        @atomicStore(u64, &words[0], 0, .seq_cst);
        for (words[1..], source[1..], 1..) |*word, value, i| {
            if (i == words_count / 2) fault_points.hit(.mid_note);
            @atomicStore(u64, word, value, .monotonic);
        }
        // Pairs with the acquire in `read`.
        @atomicStore(u64, &words[0], source[0], .release);
    }

    fn placeOf(history: *History, number: u32) *align(8) Entry {
        return &history.entries[(number -% 1) % entries_max];
    }

    /// Copies the entries that verify, the oldest first. Returns how many.
    pub fn read(history: *const History, out: *[entries_max]Entry) u32 {
        var count: u32 = 0;
        for (&history.entries, 0..) |*place, index| {
            const words: *const Words = @ptrCast(@alignCast(place));
            var copy: Words = undefined;
            // Pairs with the release in `note`.
            for (&copy, words) |*value, *word| value.* = @atomicLoad(u64, word, .acquire);
            const entry: Entry = @bitCast(copy);
            if (entry.number == 0 or (entry.number -% 1) % entries_max != index) continue;
            if (std.enums.fromInt(Kind, entry.kind) == null) continue;
            if (entry.crc != entry.computeCrc()) continue;
            out[count] = entry;
            count += 1;
        }
        std.mem.sort(Entry, out[0..count], {}, isOlder);
        return count;
    }

    fn isOlder(_: void, left: Entry, right: Entry) bool {
        return left.number < right.number;
    }
};

// Tests.

const testing = std.testing;

test "History: zeroed memory is empty, and is the default value" {
    const zeroed = std.mem.zeroes(History);
    var out: [entries_max]Entry = undefined;
    try testing.expectEqual(0, zeroed.read(&out));
    const fresh: History = .{};
    try testing.expectEqualSlices(u8, std.mem.asBytes(&zeroed), std.mem.asBytes(&fresh));
}

test "History.note: the newest 32 are kept, the oldest of them first" {
    var history: History = .{};
    var out: [entries_max]Entry = undefined;
    for (1..100) |i| {
        history.note(.{ .kind = .claim_ended, .name = "maker", .pid = 7, .sequence = i });
        const count = history.read(&out);
        try testing.expectEqual(@min(i, entries_max), count);
        for (out[0..count], i + 1 - count..) |entry, sequence| {
            try testing.expectEqual(sequence, entry.sequence);
            try testing.expectEqual(sequence, entry.number);
        }
        try testing.expectEqualStrings("maker", out[0].nameText());
        try testing.expectEqual(7, out[0].pid);
    }
}

test "History.note: a name and an error have their full length and no more" {
    var history: History = .{};
    const name: [100]u8 = @splat('n');
    history.note(.{ .kind = .log_failed, .name = &name, .pid = 1, .errno = 5 });
    var out: [entries_max]Entry = undefined;
    try testing.expectEqual(1, history.read(&out));
    try testing.expectEqualStrings(name[0..constants.name_bytes_max], out[0].nameText());
    try testing.expectEqual(5, out[0].errno);
    try testing.expectEqual(@intFromEnum(Kind.log_failed), out[0].kind);
}

test "History.read: an entry whose writer died after any of its words is not shown" {
    var history: History = .{};
    const old: [constants.name_bytes_max]u8 = @splat('o');
    for (0..entries_max) |i| {
        history.note(.{ .kind = .claim_ended, .name = &old, .pid = 1, .sequence = i });
    }
    const before = history;
    const new: [constants.name_bytes_max]u8 = @splat('n'); // So that no word is as it was.
    history.note(.{ .kind = .log_failed, .name = &new, .pid = 2, .sequence = 1 << 40 });
    const after: *const Words = @ptrCast(&history.entries[0]);
    for (1..words_count) |end| { // The first word is cleared, then those behind it are stored.
        var torn = before;
        torn.count += 1;
        const words: *Words = @ptrCast(&torn.entries[0]);
        words[0] = 0;
        for (1..end) |i| words[i] = after[i];
        var out: [entries_max]Entry = undefined;
        try testing.expectEqual(entries_max - 1, torn.read(&out));
        try testing.expectEqual(1, out[0].sequence);
        words[0] = after[0]; // Nor would it be if the processor had not kept the order.
        try testing.expectEqual(entries_max - 1, torn.read(&out));
    }
}

test "History.read: no flipped bit is shown" {
    var history: History = .{};
    history.note(.{ .kind = .claim_ended, .name = "maker", .pid = 7, .sequence = 9 });
    var out: [entries_max]Entry = undefined;
    for (0..@sizeOf(Entry) * 8) |bit| {
        var copy = history;
        std.mem.asBytes(&copy.entries[0])[bit / 8] ^= @as(u8, 1) << @intCast(bit % 8);
        try testing.expectEqual(0, copy.read(&out));
    }
}

test "History: spoilt memory gives entries or none, never a trap" {
    var random: std.Random.DefaultPrng = .init(0x415707);
    var history: History = .{};
    var out: [entries_max]Entry = undefined;
    @memset(std.mem.asBytes(&history), 0xff);
    for (0..20) |_| {
        history.note(.{ .kind = .claim_ended, .name = "maker", .pid = 7 });
        try testing.expect(history.read(&out) <= 1);
        random.random().bytes(std.mem.asBytes(&history));
    }
}

test "History.note: writers at once lose nothing that a reader could miss" {
    const Writer = struct {
        fn run(history: *History, name: []const u8) void {
            for (0..entries_max / 4) |_| {
                history.note(.{ .kind = .claim_ended, .name = name, .pid = 1 });
            }
        }
    };
    var history: History = .{};
    var threads: [4]std.Thread = undefined;
    for (&threads, [_][]const u8{ "a", "b", "c", "d" }) |*thread, name| {
        thread.* = try std.Thread.spawn(.{}, Writer.run, .{ &history, name });
    }
    for (threads) |thread| thread.join();
    var out: [entries_max]Entry = undefined;
    try testing.expectEqual(entries_max, history.read(&out));
}
