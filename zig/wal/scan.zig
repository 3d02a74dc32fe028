//! Scanning a log's bytes: does the next group stand where it should, whole and right? Nothing here
//! does any I/O; opening, reading and verifying share it.
//!
//! Every byte comes from a file and may be wrong: lengths are bounded before they are used.
const std = @import("std");
const constants = @import("../constants.zig");
const format = @import("format.zig");
const record = @import("../record.zig");
const zeros = @import("zeros.zig");

/// Bytes that a group can have at most, its padding included: what a reader has to see at once.
pub const group_bytes_most = format.group_record_bytes + constants.group_bytes_max +
    format.header_bytes;

/// Where the next group stands, and what it has to say.
pub const Place = struct {
    offset: u64,
    group: u64,
    sequence: u64,
    chain: u32,

    /// The first group of a segment.
    pub fn first(header: *const format.SegmentHeader) Place {
        return .{
            .offset = format.header_bytes,
            .group = header.first_group,
            .sequence = header.first_sequence,
            .chain = header.chain,
        };
    }
};

/// What is wrong with a log. Values are ABI.
pub const Fault = enum(u32) {
    none = 0,
    /// The control file is missing, or neither slot of it verifies.
    control = 1,
    /// A segment that has to be there is not.
    segment_missing = 2,
    /// A segment's header does not verify.
    segment_header = 3,
    /// A segment of another log, or under another one's name.
    segment_foreign = 4,
    /// Segments do not fit together: one does not begin where its predecessor ends.
    segment_order = 5,
    /// No sound group where one has to be.
    group = 6,
    /// A record does not verify.
    record = 7,
    /// A sound group or record that is another one than belongs there.
    order = 8,
    /// Bytes that have to be zero are not.
    padding = 9,
    /// The file is shorter or longer than its header says.
    size = 10,
    /// A slot of the control file does not verify; the other one does.
    control_slot = 11,
    /// The log ends before a sequence that was acknowledged.
    regressed = 12,
};

/// Something that does not verify.
pub const Bad = struct {
    fault: Fault,
    offset: u64,
    /// Sequence that belongs there.
    sequence: u64,
};

/// A group that verifies.
pub const Sound = struct {
    group: format.Group,
    /// Bytes to the next group.
    bytes: u64,
};

pub const Result = union(enum) { sound: Sound, bad: Bad };

/// Looks at the group at `place`, which `bytes` begin with. Moves `place` behind it if it is sound.
pub fn next(header: *const format.SegmentHeader, place: *Place, bytes: []const u8) Result {
    const log = &header.log;
    const group = format.readGroup(bytes, log.salt) orelse return bad(.group, place, 0);
    const payload = &group.payload;
    if (payload.segment != header.segment or payload.group != place.group or
        group.first_sequence != place.sequence or payload.chain != place.chain or
        payload.durable_end > place.offset)
    {
        return bad(.order, place, 0);
    }
    if (payload.body_bytes > constants.group_bytes_max) return bad(.order, place, 0);
    const end = format.group_record_bytes + @as(u64, payload.body_bytes);
    const total = std.mem.alignForward(u64, end, header.group_alignment);
    if (total > bytes.len) return bad(.size, place, 0);
    var chain = place.chain;
    var at: u64 = format.group_record_bytes;
    for (0..payload.count) |i| {
        const found = readRecord(log, place.sequence + i, bytes[at..end]) orelse
            return bad(.record, &.{
                .offset = place.offset,
                .group = 0,
                .sequence = place.sequence + i,
                .chain = 0,
            }, at);
        chain = format.extendChain(chain, found.crc);
        at += found.stride;
    }
    if (at != end) return bad(.order, place, at);
    const used = zeros.firstUsed(bytes[end..total]);
    if (end + used < total) return bad(.padding, place, end + used);
    place.offset += total;
    place.group += 1;
    place.sequence += payload.count;
    place.chain = format.extendChain(chain, group.crc);
    return .{ .sound = .{ .group = group, .bytes = total } };
}

fn bad(fault: Fault, place: *const Place, at: u64) Result {
    return .{ .bad = .{ .fault = fault, .offset = place.offset + at, .sequence = place.sequence } };
}

/// A record that verifies.
pub const Record = struct {
    length: u32,
    flags: u8,
    crc: u32,
    /// Bytes to the next record.
    stride: u64,
};

/// Reads the record that `bytes` begin with; null unless it is the one of that sequence, and sound.
pub fn readRecord(log: *const format.LogIdentity, sequence: u64, bytes: []const u8) ?Record {
    if (bytes.len < record.header_bytes + record.trailer_bytes) return null;
    if (std.mem.readInt(u64, bytes[0..8], .little) != sequence) return null;
    const head_word = std.mem.readInt(u64, bytes[8..16], .little);
    const head = record.parseHeadWord(head_word, constants.record_payload_max) orelse return null;
    if (head.flags & record.Flags.control != 0) return null;
    const stride = record.stride(head.length, log.record_alignment);
    if (stride > bytes.len) return null;
    const verdict = record.verifyInPlace(bytes.ptr, log.salt, sequence, head_word, head.length);
    if (verdict != .sound) return null;
    const end = record.header_bytes + head.length + record.trailer_bytes;
    if (!zeros.isZero(bytes[std.mem.alignForward(usize, end, 8)..stride])) return null;
    const crc = std.mem.readInt(u32, bytes[record.header_bytes + head.length ..][0..4], .little);
    return .{ .length = head.length, .flags = head.flags, .crc = crc, .stride = stride };
}

/// A later group that proves that everything before `offset` was durable once. `bytes` begin at
/// `from` in the segment.
pub fn findProof(
    header: *const format.SegmentHeader,
    bytes: []const u8,
    from: u64,
    offset: u64,
) ?struct { offset: u64, group: format.Group } {
    const alignment = header.group_alignment;
    var at = std.mem.alignForward(u64, from, alignment);
    while (at + format.group_record_bytes <= from + bytes.len) : (at += alignment) {
        if (at <= offset) continue;
        const group = format.readGroup(bytes[at - from ..], header.log.salt) orelse continue;
        if (group.payload.segment != header.segment) continue;
        if (group.payload.durable_end <= offset or group.payload.durable_end > at) continue;
        return .{ .offset = at, .group = group };
    }
    return null;
}

/// How many bytes there are up to the last one that is not zero.
pub const usedBytes = zeros.endUsed;
