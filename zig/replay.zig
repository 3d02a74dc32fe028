//! Replay: a consumer whose place has left the ring, or was never in it, reads on in the log, and
//! goes back to the ring as soon as its place is there.
//!
//! - What leaves the ring is in the log: the persister holds producers back until it is.
//! - The log is read up to `DurabilityLine.logged`. Behind that, the record is in the ring, or in
//!   the log by the time that it has left the ring. So one of both always has it.
//! - Sequences alone carry over: positions in the ring mean nothing in the log.
const std = @import("std");
const constants = @import("constants.zig");
const delivery = @import("delivery.zig");
const header = @import("header.zig");
const reader_module = @import("wal/reader.zig");
const record = @import("record.zig");
const seek = @import("seek.zig");
const Channel = @import("channel.zig").Channel;
const Detail = @import("detail.zig").Detail;
const Reader = reader_module.Reader;
const Sink = delivery.Sink;
const memory = @import("memory.zig").direct;

/// Last sequence that the log has. What was before the ring is there, though nobody writes yet.
fn logged(channel: *const Channel) u64 {
    // Pairs with the release of the persister.
    const told = memory.load(u64, &channel.ring.lines.durability.logged, .acquire);
    return @max(told, channel.ring.first_sequence - 1);
}

/// First sequence that the log has; it may be cut meanwhile.
pub fn oldest(channel: *const Channel) u64 {
    const told = memory.load(u64, &channel.ring.lines.durability.oldest, .acquire);
    if (told != 0) return told;
    const path = pathOf(channel); // Nobody writes it yet.
    return reader_module.readOldest(&path) orelse channel.ring.first_sequence;
}

/// Where a consumer of a channel with a log starts: behind what it has finished by its sequence,
/// as positions in the ring mean nothing where it was in the log. `kept` is the cursor that its
/// name has left in the ring.
pub fn resolve(
    channel: *const Channel,
    start: seek.Start,
    kept: ?header.Cursor,
    name: []const u8,
) seek.Start {
    switch (start) {
        .latest, .earliest, .sequence, .exact => return start,
        .checkpoint => {
            if (kept) |cursor| return .{ .sequence = cursor.sequence };
            const path = pathOf(channel);
            if (reader_module.readCursor(&path, name)) |cursor| {
                return .{ .sequence = @max(1, @min(cursor.sequence, constants.sequence_max)) };
            }
        },
    }
    return .earliest;
}

/// Path of the log's directory, zero-ended; empty, which is found nowhere, where this process has
/// no leave to read it.
pub fn pathOf(channel: *const Channel) [constants.log_path_bytes_max:0]u8 {
    var path: [constants.log_path_bytes_max:0]u8 = @splat(0);
    if (!channel.is_log_granted) return path;
    const text = channel.identity.logPath();
    @memcpy(path[0..text.len], text);
    return path;
}

/// The part of a consumer that reads in the log. A parameter, as each needs the other.
pub fn Replay(comptime Consumer: type, comptime Error: type) type {
    return struct {
        /// Makes the consumer read in the log, from `sequence` on.
        pub fn begin(consumer: *Consumer, sequence: u64, detail: *Detail) Error!void {
            const channel = consumer.channel;
            const last = logged(channel);
            if (sequence > last) {
                detail.expected = @floatFromInt(sequence);
                detail.actual = @floatFromInt(last + 1);
                return error.SequenceGone;
            }
            const path = pathOf(channel);
            const reader = consumer.replay orelse
                try Reader.init(&path, channel.identity.log_id, detail);
            consumer.replay = reader;
            // Whatever comes of it: the next poll reads there, or fails in the same way.
            consumer.position = consumer.acked.position;
            consumer.sequence = sequence;
            reader.seek(sequence) catch |err| {
                detail.* = reader.detail;
                return err;
            };
            consumer.sequence = reader.sequence;
        }

        /// Makes the consumer begin with the oldest record of the log, which may be cut meanwhile:
        /// in the ring, if that has it.
        pub fn beginOldest(consumer: *Consumer, detail: *Detail) Error!void {
            var sequence = oldest(consumer.channel);
            for (0..begins_max) |_| {
                if (consumer.join(.{ .sequence = sequence }, null, detail)) |_| {
                    return end(consumer);
                } else |err| if (err != error.SequenceGone) return err;
                if (begin(consumer, sequence, detail)) |_| return else |err| {
                    const first = detail.actual; // That is still there.
                    const is_cut = first >= 1 and first <= constants.sequence_max;
                    if (err != error.SequenceGone or !is_cut) return err;
                    sequence = @intFromFloat(first);
                }
            }
            return error.SequenceGone;
        }

        /// Tries to begin while segments are being cut.
        const begins_max = 64;

        /// Ends reading in the log.
        pub fn end(consumer: *Consumer) void {
            if (consumer.replay) |reader| reader.deinit();
            consumer.replay = null;
        }

        /// Copies up to `limit` messages into `bytes`, as a poll in the ring does.
        pub fn poll(consumer: *Consumer, bytes: []u8, limit: u32) Error!u32 {
            var sink: Sink = .{ .bytes = bytes, .in_place = false };
            while (sink.count < limit) {
                const reader = consumer.replay.?;
                var last = logged(consumer.channel); // Once: a peer may lower it meanwhile.
                if (reader.sequence > last) {
                    if (sink.count > 0) break;
                    if (try leave(consumer)) return consumer.poll(bytes, limit, false);
                    last = logged(consumer.channel);
                    if (reader.sequence > last) break;
                }
                const found = (try reader.peek(last)).?;
                const body_bytes = std.mem.alignForward(usize, found.payload.len, 8);
                const sink_end = sink.used + delivery.bytes + body_bytes;
                if (sink_end > bytes.len) {
                    if (sink.count == 0) return error.TooLong;
                    break;
                }
                const body = bytes[sink.used + delivery.bytes ..];
                @memcpy(body[0..found.payload.len], found.payload);
                consumer.deliver(&sink, @intCast(found.payload.len), found.flags, sink_end);
                reader.advance();
                consumer.sequence = reader.sequence;
            }
            if (sink.count == 0) consumer.ackSkipped();
            return sink.count;
        }

        /// Whether there is something to read in the log; goes back to the ring if there is not.
        pub fn hasNews(consumer: *Consumer) Error!bool {
            if (consumer.sequence <= logged(consumer.channel)) return true;
            if (try leave(consumer)) return false;
            return consumer.sequence <= logged(consumer.channel);
        }

        /// Goes on in the ring, if the next record's place is there. False if it has left the ring;
        /// then the log has it.
        fn leave(consumer: *Consumer) Error!bool {
            var detail: Detail = .{};
            const acked = consumer.acked.sequence;
            consumer.join(.{ .exact = consumer.sequence }, null, &detail) catch |err| {
                consumer.position = consumer.acked.position;
                consumer.sequence = consumer.replay.?.sequence;
                return if (err == error.SequenceGone) false else err;
            };
            consumer.joined = .{ .position = consumer.position, .sequence = consumer.sequence };
            consumer.acked = .{
                .position = consumer.position,
                .sequence = @min(acked, consumer.sequence),
            };
            end(consumer);
            consumer.storeCursor();
            return true;
        }
    };
}
