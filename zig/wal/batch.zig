//! Batch: the records of a log's next group, copied out of the ring.
//!
//! A peer may write there at any time, also behind a check. What is checked is the copy, and only
//! that gets into the log: whatever peers do, a log is sound.
const std = @import("std");
const constants = @import("../constants.zig");
const format = @import("format.zig");
const memory = @import("../memory.zig").direct;
const protocol = @import("../ring.zig").Protocol(memory);
const record = @import("../record.zig");
const scan = @import("scan.zig");
const Consumer = @import("../consumer.zig").Consumer;

pub const Error = error{ Truncated, CorruptRecord };

/// Bytes of the longest record of any ring.
const stride_max = record.stride(constants.record_payload_max, constants.alignment_max);

/// Room for one record.
pub const Copy = [stride_max]u8;

/// Room for the largest group, and for the record that does not fit into it any more.
pub const Body = struct { bytes: [constants.group_bytes_max + stride_max]u8 align(8) };

pub const Batch = struct {
    /// Where the ring goes on behind it.
    position: u64,
    sequence: u64,
    bytes: u64 = 0,
    count: u32 = 0,
    chain: u32,
    has_critical: bool = false,
    /// The next record is there and does not fit.
    is_cut: bool = false,

    /// Copies what is published from the consumer's place on: up to `room` bytes, which are no more
    /// than a group may have. `chain` is the log's.
    pub fn collect(
        consumer: *const Consumer,
        chain: u32,
        room: u64,
        body: *Body,
    ) Error!Batch {
        var batch: Batch = .{
            .position = consumer.position,
            .sequence = consumer.sequence,
            .chain = chain,
        };
        while (protocol.isReady(&consumer.ring, batch.position, batch.sequence)) {
            const copy: *align(8) Copy = @alignCast(body.bytes[batch.bytes..][0..stride_max]);
            const found = copyAt(consumer, batch.position, batch.sequence, copy) orelse {
                if (batch.count > 0) break;
                if (consumer.channel.isPoisoned()) return error.Truncated;
                return error.CorruptRecord;
            };
            // A hostile ring may seem to go on for ever.
            if (batch.bytes + found.stride > consumer.ring.capacity) break;
            if (batch.bytes + found.stride > room) {
                batch.is_cut = true;
                break;
            }
            batch.chain = format.extendChain(batch.chain, found.crc);
            if (found.flags & record.Flags.critical != 0) batch.has_critical = true;
            batch.bytes += found.stride;
            batch.count += 1;
            batch.position += found.stride;
            batch.sequence += 1;
        }
        return batch;
    }
};

/// Copies the record that was published at a place in the ring, if it is sound.
pub fn copyAt(
    consumer: *const Consumer,
    position: u64,
    sequence: u64,
    copy: *align(8) Copy,
) ?scan.Record {
    const ring = &consumer.ring;
    const source = ring.recordAt(position);
    const word: *const u64 = @ptrCast(@alignCast(source + 8));
    const head_word = memory.load(u64, word, .monotonic);
    const head = record.parseHeadWord(head_word, ring.record_payload_max) orelse return null;
    if (head.flags & record.Flags.control != 0) return null;
    const stride = ring.stride(head.length);
    const crc = record.copyWhole(copy, source, ring.salt, sequence, head_word, head.length, stride);
    return .{
        .length = head.length,
        .flags = head.flags,
        .crc = crc orelse return null,
        .stride = stride,
    };
}
