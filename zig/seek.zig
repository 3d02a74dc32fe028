//! Seek: where a reader may begin. Only places where a sound record stands, or the end, count.
//!
//! Words in the header that name a place are hints: the record there carries its own sequence and
//! checksum and is what is believed.
const std = @import("std");
const constants = @import("constants.zig");
const header = @import("header.zig");
const repair = @import("repair.zig");
const ring_module = @import("ring.zig");
const Cursor = header.Cursor;
const Detail = @import("detail.zig").Detail;
const Ring = ring_module.Ring;
const memory = @import("memory.zig").direct;
const protocol = ring_module.Protocol(memory);

pub const Start = union(enum) {
    latest,
    earliest,
    /// Where a consumer of this name has acknowledged last; `earliest` if there was none.
    checkpoint,
    sequence: u64,
};

pub const Error = error{ CorruptHeader, SequenceGone };

/// Finds where a reader starts. `kept` is the cursor that its name has left behind, if any.
/// On `SequenceGone`, `detail` has the sequence asked for and the oldest one present.
pub fn find(
    ring: *const Ring,
    start: Start,
    kept: ?Cursor,
    detail: *Detail,
) Error!Cursor {
    switch (start) {
        .latest => return end(ring),
        .earliest => return oldest(ring) orelse end(ring),
        .checkpoint => {
            const cursor = kept orelse return oldest(ring) orelse end(ring);
            return resumeAt(ring, cursor) orelse gone(ring, cursor.sequence, detail);
        },
        .sequence => |sequence| {
            return bySequence(ring, sequence) orelse gone(ring, sequence, detail);
        },
    }
}

fn gone(ring: *const Ring, sequence: u64, detail: *Detail) Error!Cursor {
    detail.expected = @floatFromInt(sequence);
    const first = oldest(ring) orelse try end(ring);
    detail.actual = @floatFromInt(first.sequence);
    return error.SequenceGone;
}

/// The sequence of a sound record at `position`, whatever it is.
fn soundAt(ring: *const Ring, position: u64) ?Cursor {
    if (!ring.isPosition(position)) return null;
    const sequence = memory.load(u64, ring.sequenceWord(position), .acquire);
    if (sequence == 0 or !repair.isSound(ring, position, sequence)) return null;
    return .{ .position = position, .sequence = sequence };
}

/// The place after the newest record. A reader that starts here sees what comes from now on.
fn end(ring: *const Ring) Error!Cursor {
    if (ring.is_many) {
        const pair = protocol.readClaim(ring);
        if (!ring.isPosition(pair.position) or pair.sequence == 0) return error.CorruptHeader;
        return .{ .position = pair.position, .sequence = pair.sequence };
    }
    const line = &ring.lines.claim_line;
    // Producers may overwrite it while we look; by then they have noted a newer one.
    for (0..64) |_| {
        const last = memory.load(u64, &line.last, .acquire);
        if (last == header.nothing_published) return .{ .position = 0, .sequence = 1 };
        const cursor = soundAt(ring, last) orelse continue;
        const stride = repair.soundStride(ring, last, cursor.sequence) orelse continue;
        return .{ .position = last + stride, .sequence = cursor.sequence + 1 };
    }
    return error.CorruptHeader;
}

/// The oldest record that is surely still there, by the block index.
pub fn oldest(ring: *const Ring) ?Cursor {
    return oldestFrom(ring, 0);
}

/// The oldest noted record at or after `floor`.
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
    const claimed = memory.load(u64, &ring.lines.claim_line.claim.position, .acquire);
    if (!ring.isPosition(cursor.position)) return null;
    if (claimed -| cursor.position > ring.capacity) return null;
    if (soundAt(ring, cursor.position)) |found| return found;
    const tail = end(ring) catch return null;
    if (tail.position == cursor.position) return tail;
    // In a channel of many, the claim at the cursor may still be open.
    const is_open = protocol.standing(ring, cursor.position, cursor.sequence) == .claimed;
    return if (is_open) cursor else null;
}

fn bySequence(ring: *const Ring, sequence: u64) ?Cursor {
    var cursor: Cursor = .{ .position = 0, .sequence = 0 };
    for (&ring.lines.index) |*word| { // The nearest noted record before it.
        const noted = soundAt(ring, memory.load(u64, word, .acquire)) orelse continue;
        if (noted.sequence <= sequence and noted.sequence > cursor.sequence) cursor = noted;
    }
    if (cursor.sequence == 0) cursor.sequence = 1;
    while (cursor.sequence < sequence) : (cursor.sequence += 1) {
        const stride = repair.soundStride(ring, cursor.position, cursor.sequence) orelse return null;
        cursor.position += stride;
    }
    if (repair.isSound(ring, cursor.position, sequence)) return cursor;
    const tail = end(ring) catch return null;
    return if (std.meta.eql(tail, cursor)) cursor else null;
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
