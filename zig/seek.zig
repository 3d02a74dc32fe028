//! Seek: where a reader may begin. Only places where a sound record stands, or the end, count.
//!
//! Words in the header that name a place are hints: the record there carries its own sequence and
//! checksum and is what is believed.
const std = @import("std");
const constants = @import("constants.zig");
const header = @import("header.zig");
const record = @import("record.zig");
const ring_module = @import("ring.zig");
const Cursor = header.Cursor;
const Detail = @import("detail.zig").Detail;
const Ring = ring_module.Ring;
const memory = @import("memory.zig").direct;
const protocol = ring_module.Protocol(memory);
const recovery = @import("recovery.zig").Protocol(memory);

pub const Start = union(enum) {
    latest,
    earliest,
    /// Where a consumer of this name has acknowledged last; `earliest` if there was none.
    checkpoint,
    sequence: u64,
};

pub const Error = error{ CorruptHeader, SequenceGone };

/// Finds where a reader starts, not before position `floor`. `kept` is the cursor that its name has
/// left behind, if any. On `SequenceGone`, `detail` has the sequence asked for and the oldest one.
pub fn find(
    ring: *const Ring,
    start: Start,
    kept: ?Cursor,
    floor: u64,
    detail: *Detail,
) Error!Cursor {
    var found: ?Cursor = null;
    var wanted: u64 = undefined;
    switch (start) {
        .latest => return end(ring),
        .earliest => return oldestFrom(ring, floor) orelse end(ring),
        .checkpoint => {
            const cursor = kept orelse return oldestFrom(ring, floor) orelse end(ring);
            wanted = cursor.sequence;
            found = resumeAt(ring, cursor);
        },
        .sequence => |sequence| {
            wanted = sequence;
            found = bySequence(ring, sequence);
        },
    }
    if (found) |cursor| if (cursor.position >= floor) return cursor;
    detail.expected = @floatFromInt(wanted);
    const first = oldestFrom(ring, floor) orelse try end(ring);
    detail.actual = @floatFromInt(first.sequence);
    return error.SequenceGone;
}

/// The sound record that was published at `position`. None is what an earlier lap has left there
/// under a claim that is still open, nor what a later lap has put there.
fn soundAt(ring: *const Ring, position: u64) ?Cursor {
    if (!ring.isPosition(position) or !isWithin(ring, position)) return null;
    // Looked at before the record: one that was published by then is the one that is read.
    const intended = intendedAt(ring, position);
    if (!ring.is_many) {
        const last = memory.load(u64, &ring.lines.claim_line.last, .acquire);
        if (last == header.nothing_published or last < position) return null;
    }
    const sequence = memory.load(u64, ring.sequenceWord(position), .acquire);
    if (sequence == 0 or !recovery.isSound(ring, position, sequence)) return null;
    if (intended) |wanted| if (sequence != wanted) return null;
    memory.loadBarrier();
    return if (isWithin(ring, position)) .{ .position = position, .sequence = sequence } else null;
}

/// Whether `position` is claimed, and no producer has come round to it again.
fn isWithin(ring: *const Ring, position: u64) bool {
    const claimed = memory.load(u64, &ring.lines.claim_line.claim.position, .acquire);
    return claimed > position and claimed - position <= ring.capacity;
}

/// The sequence of a claim at `position` that a producer of many has open, or wanted to have.
fn intendedAt(ring: *const Ring, position: u64) ?u64 {
    if (!ring.is_many) return null;
    for (ring.producers[0..ring.producers_max]) |*slot| {
        const sequence = memory.load(u64, &slot.intent.sequence, .acquire);
        if (sequence == 0) continue;
        if (memory.load(u64, &slot.intent.position, .acquire) != position) continue;
        // Unchanged around the position's read, so that both belong together.
        if (memory.load(u64, &slot.intent.sequence, .acquire) == sequence) return sequence;
    }
    return null;
}

/// The place after the newest record. A reader that starts here sees what comes from now on.
fn end(ring: *const Ring) Error!Cursor {
    if (ring.is_many) {
        const pair = protocol.readClaim(ring);
        if (!ring.isClaim(pair)) return error.CorruptHeader;
        return .{ .position = pair.position, .sequence = pair.sequence };
    }
    const line = &ring.lines.claim_line;
    // Producers may overwrite it while we look; by then they have noted a newer one.
    for (0..64) |_| {
        const last = memory.load(u64, &line.last, .acquire);
        if (last == header.nothing_published) {
            return .{ .position = 0, .sequence = ring.first_sequence };
        }
        var cursor = soundAt(ring, last) orelse continue;
        // Beyond it lies what a producer has published and, killed, did not tell.
        while (cursor.position - last < ring.capacity) {
            const stride = recovery.soundStride(ring, cursor.position, cursor.sequence) orelse
                break;
            cursor.position += stride;
            cursor.sequence += 1;
        }
        const claimed = memory.load(u64, &line.claim.position, .acquire);
        if (cursor.position > last and claimed -| cursor.position <= ring.capacity) return cursor;
    }
    return error.CorruptHeader;
}

/// The oldest record that is surely still there, at or after `floor`, by the block index.
fn oldestFrom(ring: *const Ring, floor: u64) ?Cursor {
    const claimed = memory.load(u64, &ring.lines.claim_line.claim.position, .acquire);
    const lowest = @max(floor, claimed -| ring.capacity);
    var best: ?Cursor = null;
    for (&ring.lines.index) |*word| {
        const position = memory.load(u64, word, .acquire);
        if (position < lowest or position >= claimed) continue;
        if (best) |cursor| if (cursor.position <= position) continue;
        best = soundAt(ring, position) orelse best;
    }
    return best;
}

/// A consumer's own cursor, if the record there, or the end, still is.
fn resumeAt(ring: *const Ring, cursor: Cursor) ?Cursor {
    if (!ring.isPosition(cursor.position)) return null;
    for (0..64) |_| { // A claim may be published between two looks; the next one finds it.
        const claimed = memory.load(u64, &ring.lines.claim_line.claim.position, .acquire);
        if (claimed -| cursor.position > ring.capacity) return null;
        if (soundAt(ring, cursor.position)) |found| return found;
        if (claimed > cursor.position) {
            // The cursor's own sequence is older where its consumer died between the two words.
            if (intendedAt(ring, cursor.position)) |sequence| {
                return .{ .position = cursor.position, .sequence = sequence };
            }
        }
        const tail = end(ring) catch return null;
        if (tail.position == cursor.position) return tail;
    }
    return null;
}

fn bySequence(ring: *const Ring, sequence: u64) ?Cursor {
    var cursor: Cursor = .{ .position = 0, .sequence = 0 };
    for (&ring.lines.index) |*word| { // The nearest noted record before it.
        const noted = soundAt(ring, memory.load(u64, word, .acquire)) orelse continue;
        if (noted.sequence <= sequence and noted.sequence > cursor.sequence) cursor = noted;
    }
    if (cursor.sequence == 0) cursor.sequence = ring.first_sequence;
    if (sequence < cursor.sequence) return null;
    var begin = cursor; // Of the message that the record belongs to.
    while (cursor.sequence < sequence) {
        const stride = recovery.soundStride(ring, cursor.position, cursor.sequence) orelse
            return null;
        const is_last = endsMessage(ring, cursor.position);
        cursor = .{ .position = cursor.position + stride, .sequence = cursor.sequence + 1 };
        if (is_last) begin = cursor;
    }
    if (recovery.isSound(ring, cursor.position, sequence)) return begin;
    // Not published yet, perhaps claimed: what follows the record before stands nowhere else.
    const claimed = memory.load(u64, &ring.lines.claim_line.claim.position, .acquire);
    if (claimed < cursor.position or claimed - cursor.position > ring.capacity) return null;
    return begin;
}

/// Whether the record at `position`, which was found sound, is the last one of its message.
fn endsMessage(ring: *const Ring, position: u64) bool {
    const word: *u64 = @ptrCast(@alignCast(ring.recordAt(position) + 8));
    const head = record.parseHeadWord(memory.load(u64, word, .monotonic), ring.record_payload_max);
    return if (head) |found| record.endsMessage(found.flags) else true;
}

/// Where a reader goes on that was lapped: half a ring behind the producers, so that it is not
/// lapped again at once; the newest record if nothing else is noted.
pub fn afterLap(ring: *const Ring, after: u64) Error!Cursor {
    for (0..64) |_| {
        const claimed = memory.load(u64, &ring.lines.claim_line.claim.position, .acquire);
        const found = oldestFrom(ring, claimed -| ring.capacity / 2) orelse try end(ring);
        if (found.sequence >= after) return found;
    }
    return error.CorruptHeader;
}
