//! Catch-up: the place in a ring where a persister goes on, when its log has more than the ring's
//! cursor says, or less.
//!
//! - More: its predecessor died between writing and telling. What the log has is passed over, and
//!   has to be the same in both: a log goes on in another ring when its own was removed, and this
//!   may be the one that was removed.
//! - Less: a log that is not synced with each group has lost its end, or somebody has put an older
//!   one in its place. The ring may still have what is missing.
const std = @import("std");
const batch = @import("batch.zig");
const memory = @import("../memory.zig").direct;
const protocol = @import("../ring.zig").Protocol(memory);
const record = @import("../record.zig");
const replay = @import("../replay.zig");
const scan = @import("scan.zig");
const Consumer = @import("../consumer.zig").Consumer;
const Detail = @import("../detail.zig").Detail;
const Reader = @import("reader.zig").Reader;

pub const Error = error{ Corrupt, Os, OutOfMemory };

/// Makes `wanted`, the first sequence that the log has not, the next one that is read.
pub fn goTo(consumer: *Consumer, wanted: u64, detail: *Detail) Error!void {
    detail.expected = @floatFromInt(consumer.sequence);
    detail.actual = @floatFromInt(wanted);
    if (consumer.sequence < wanted) return skipLogged(consumer, wanted, detail);
    if (consumer.sequence > wanted) return goBack(consumer, wanted, detail);
}

fn goBack(consumer: *Consumer, wanted: u64, detail: *Detail) Error!void {
    const known = consumer.sequence;
    consumer.join(.{ .exact = wanted }, null, detail) catch {
        detail.expected = @floatFromInt(known);
        return differs(.regressed, detail);
    };
    consumer.acked = .{ .position = consumer.position, .sequence = consumer.sequence };
    consumer.storeCursor();
}

fn skipLogged(consumer: *Consumer, wanted: u64, detail: *Detail) Error!void {
    const path = replay.pathOf(consumer.channel);
    const log_id = consumer.channel.identity.log_id;
    const reader = Reader.init(&path, log_id, detail) catch |err| return narrow(err);
    defer reader.deinit();
    reader.seek(consumer.sequence) catch |err| {
        if (err == error.Os or err == error.OutOfMemory) return narrow(err);
    }; // What is not to be found is not the same: the first look repeats that.
    var copy: batch.Copy align(8) = undefined;
    while (consumer.sequence < wanted) {
        const found = copyNext(consumer, &copy) orelse return differs(.regressed, detail);
        while (reader.sequence < consumer.sequence) {
            _ = reader.peek(wanted - 1) catch return differs(.order, detail);
            reader.advance();
        }
        const logged = (reader.peek(wanted - 1) catch null) orelse return differs(.order, detail);
        const payload = copy[record.header_bytes..];
        const is_same = logged.sequence == consumer.sequence and logged.flags == found.flags and
            std.mem.eql(u8, logged.payload, payload[0..found.length]);
        if (!is_same) return differs(.order, detail);
        consumer.position += found.stride;
        consumer.sequence += 1;
    }
}

fn narrow(err: anyerror) Error {
    return switch (err) {
        error.Os => error.Os,
        error.OutOfMemory => error.OutOfMemory,
        else => error.Corrupt,
    };
}

fn differs(fault: scan.Fault, detail: *Detail) Error {
    detail.errno = @intFromEnum(fault);
    return error.Corrupt;
}

/// Copies the record at the consumer's place, if it is published and sound.
fn copyNext(consumer: *const Consumer, copy: *align(8) batch.Copy) ?scan.Record {
    const ring = &consumer.ring;
    if (!protocol.isReady(ring, consumer.position, consumer.sequence)) return null;
    return batch.copyAt(consumer, consumer.position, consumer.sequence, copy);
}
