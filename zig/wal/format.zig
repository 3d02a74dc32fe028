//! The bytes of a write-ahead log: a directory of segments, each a header page and groups of
//! records.
//!
//! Segment `<segment:08x>-<first sequence:020d>.wal`, filled with zeros before it gets its name:
//!
//! | Offset | Size | Part            |
//! | -----: | ---: | :-------------- |
//! |      0 | 4096 | `SegmentHeader` |
//! |   4096 |      | groups, each on a multiple of `group_alignment` |
//!
//! Group: a CONTROL record with a `GroupPayload`, 64 bytes in all, then the ring's records byte for
//! byte, then zeros up to the next group.
//!
//! - A group is written when everything before its `durable_end` is durable, so a group that
//!   verifies proves everything before that offset: damage there is corruption, never a torn tail.
//! - A segment's header is made durable before the segment gets its name, and after everything in
//!   the segments before is: it proves its predecessors whole.
//! - `chain` is a running CRC over the checksums of all records before, so that a group that was
//!   swapped, or a record replaced by another sound one, is found.
//! - Groups begin on sector borders: a device that spoils the sector it was writing when the power
//!   went spoils nothing that was acknowledged before.
const std = @import("std");
const assert = std.debug.assert;
const constants = @import("../constants.zig");
const crc32c = @import("../crc32c.zig");
const record = @import("../record.zig");

pub const magic = "MTWAL001".*;
pub const version = 1;

/// Bytes before the first group.
pub const header_bytes = 4096;

/// Bytes of the record that a group begins with.
pub const group_record_bytes = 64;

/// What a log is, in every segment of it. Chosen once, when the log is made.
pub const LogIdentity = extern struct {
    log_id: [16]u8,
    /// Starts every record's checksum; the channel's.
    salt: u32,
    /// Records start on a multiple of this, as in the ring.
    record_alignment: u32,
    /// Bits of `header.ChannelFlags` that concern records.
    flags: u32,
    schema_hash: u32,
    schema_bytes: u32,
    name_bytes: u32,
    name: [constants.name_bytes_max]u8,
    schema: [constants.schema_bytes_max]u8,
};

/// The first page of a segment. Never changes.
pub const SegmentHeader = extern struct {
    magic: [8]u8 = magic,
    version: u32 = version,
    epoch: u32,
    /// Number of the segment: 1, 2, 3 …
    segment: u32,
    /// Groups start on a multiple of this.
    group_alignment: u32,
    first_sequence: u64,
    /// Number of the first group.
    first_group: u64,
    segment_bytes: u64,
    /// Where the segment before ends; 0 for the first one.
    previous_end: u64,
    created_ns: u64,
    /// The chain before the first group.
    chain: u32,
    reserved_0: u32 = 0,
    boot_id: [16]u8,
    log: LogIdentity,
    reserved_1: [1820]u8 = @splat(0),
    crc: u32 = 0,

    comptime {
        assert(@sizeOf(LogIdentity) == 2184);
        assert(@sizeOf(SegmentHeader) == header_bytes);
        assert(@offsetOf(SegmentHeader, "crc") == header_bytes - 4);
    }

    pub fn computeCrc(header: *const SegmentHeader) u32 {
        const bytes = std.mem.asBytes(header);
        return crc32c.mask(crc32c.checksum(bytes[0..@offsetOf(SegmentHeader, "crc")]));
    }

    /// Checks a copy of the page that was read from a file, where any byte may be wrong.
    pub fn isSound(header: *const SegmentHeader) bool {
        if (!std.mem.eql(u8, &header.magic, &magic) or header.version != version) return false;
        if (header.crc != header.computeCrc()) return false;
        const log = &header.log;
        if (log.name_bytes > constants.name_bytes_max) return false;
        if (log.schema_bytes > constants.schema_bytes_max) return false;
        if (!isPowerOfTwo(log.record_alignment, 8, constants.alignment_max)) return false;
        if (!isPowerOfTwo(header.group_alignment, 512, header_bytes)) return false;
        if (header.segment == 0 or header.first_sequence == 0 or header.first_group == 0) {
            return false;
        }
        if (header.first_sequence > constants.sequence_max) return false;
        return isSegmentBytes(header.segment_bytes);
    }
};

fn isPowerOfTwo(value: u32, min: u32, max: u32) bool {
    return value >= min and value <= max and std.math.isPowerOfTwo(value);
}

/// Whether a segment can have so many bytes: whole pages, and more than its header. Users make
/// none below `segment_bytes_min`, which options.zig sees to.
pub fn isSegmentBytes(bytes: u64) bool {
    return bytes % constants.page_bytes == 0 and bytes > header_bytes and
        bytes <= constants.segment_bytes_max;
}

/// What a group says of itself.
pub const GroupPayload = extern struct {
    /// Number of the group in its log: 1, 2, 3 …
    group: u64,
    /// Offset in this segment up to which everything was durable when this was written.
    durable_end: u64,
    /// Bytes of the records that follow.
    body_bytes: u32,
    /// How many there are; 0 in a group that only settles the one before.
    count: u32,
    /// Running CRC over the checksums of every record before this group.
    chain: u32,
    epoch: u32,
    segment: u32,
    reserved_0: u32 = 0,

    comptime {
        assert(@sizeOf(GroupPayload) == 40);
        const end = record.header_bytes + @sizeOf(GroupPayload) + record.trailer_bytes;
        assert(std.mem.alignForward(usize, end, 8) <= group_record_bytes);
    }
};

/// Writes a group's record. Its sequence is that of the first record that follows, or would.
pub fn writeGroup(
    out: *align(8) [group_record_bytes]u8,
    salt: u32,
    sequence: u64,
    payload: *const GroupPayload,
) void {
    const bytes = std.mem.asBytes(payload);
    record.writeBody(out, salt, sequence, record.Flags.control, 0, bytes, group_record_bytes);
    std.mem.writeInt(u64, out[0..8], sequence, .little);
}

/// A group's record that verifies.
pub const Group = struct {
    first_sequence: u64,
    payload: GroupPayload,
    crc: u32,
};

/// Reads a group's record at the start of `bytes`; null unless it verifies.
pub fn readGroup(bytes: []const u8, salt: u32) ?Group {
    if (bytes.len < group_record_bytes) return null;
    const sequence = std.mem.readInt(u64, bytes[0..8], .little);
    const head_word = std.mem.readInt(u64, bytes[8..16], .little);
    const size = @sizeOf(GroupPayload);
    if (head_word != record.headWord(size, record.Flags.control)) return null;
    if (record.verifyInPlace(bytes.ptr, salt, sequence, head_word, size) != .sound) return null;
    for (bytes[record.header_bytes + size + record.trailer_bytes .. group_record_bytes]) |byte| {
        if (byte != 0) return null;
    }
    var group: Group = .{ .first_sequence = sequence, .payload = undefined, .crc = undefined };
    @memcpy(std.mem.asBytes(&group.payload), bytes[record.header_bytes..][0..size]);
    group.crc = std.mem.readInt(u32, bytes[record.header_bytes + size ..][0..4], .little);
    if (group.payload.reserved_0 != 0) return null;
    return group;
}

/// The chain behind a record with that checksum.
pub inline fn extendChain(chain: u32, crc: u32) u32 {
    return crc32c.update(chain, std.mem.asBytes(&crc));
}

/// Bytes of a segment file's name.
pub const name_bytes = 8 + 1 + 20 + suffix.len;
const suffix = ".wal";

pub const Name = [name_bytes:0]u8;

pub fn segmentName(segment: u32, first_sequence: u64) Name {
    var text: [name_bytes + 1]u8 = undefined;
    const pattern = "{x:0>8}-{d:0>20}" ++ suffix;
    const written = std.fmt.bufPrintZ(&text, pattern, .{ segment, first_sequence }) catch
        unreachable; // 20 digits hold every u64.
    var name: Name = undefined;
    @memcpy(&name, written);
    name[name_bytes] = 0;
    return name;
}

/// What a segment file's name says.
pub const NameParts = struct { segment: u32, first_sequence: u64 };

/// The parts of a file's name; null unless it is exactly one that `segmentName` makes.
pub fn parseName(name: []const u8) ?NameParts {
    if (name.len != name_bytes) return null;
    const segment = std.fmt.parseInt(u32, name[0..8], 16) catch return null;
    const first = std.fmt.parseInt(u64, name[9..29], 10) catch return null;
    const again = segmentName(segment, first);
    return if (std.mem.eql(u8, &again, name))
        .{ .segment = segment, .first_sequence = first }
    else
        null;
}

/// A sound header, for tests.
pub fn exampleHeader(segment_bytes: u64) SegmentHeader {
    var header: SegmentHeader = .{
        .epoch = 1,
        .segment = 1,
        .group_alignment = 512,
        .first_sequence = 1,
        .first_group = 1,
        .segment_bytes = segment_bytes,
        .previous_end = 0,
        .created_ns = 0,
        .chain = 0,
        .boot_id = @splat(2),
        .log = exampleLog(),
    };
    header.crc = header.computeCrc();
    return header;
}

pub fn exampleLog() LogIdentity {
    var log: LogIdentity = .{
        .log_id = @splat(1),
        .salt = 7,
        .record_alignment = 8,
        .flags = 0,
        .schema_hash = 0,
        .schema_bytes = 0,
        .name_bytes = 4,
        .name = @splat(0),
        .schema = @splat(0),
    };
    @memcpy(log.name[0..4], "test");
    return log;
}

test "wal format: names" {
    const name = segmentName(0x1f, 12345);
    try std.testing.expectEqualStrings("0000001f-00000000000000012345.wal", &name);
    const parts = parseName(&name).?;
    try std.testing.expectEqual(0x1f, parts.segment);
    try std.testing.expectEqual(12345, parts.first_sequence);
    for ([_][]const u8{
        "",
        "control",
        "0000001F-00000000000000012345.wal",
        "0000001f-00000000000000012345.waL",
        "0000001f_00000000000000012345.wal",
        "0000001f-+0000000000000012345.wal",
        "+000001f-00000000000000012345.wal",
    }) |wrong| try std.testing.expectEqual(null, parseName(wrong));
}

test "wal format: every flipped bit of a segment's header is found" {
    const header = exampleHeader(constants.segment_bytes_min);
    try std.testing.expect(header.isSound());
    for (0..@sizeOf(SegmentHeader) * 8) |bit| {
        var copy = header;
        std.mem.asBytes(&copy)[bit / 8] ^= @as(u8, 1) << @intCast(bit % 8);
        try std.testing.expect(!copy.isSound());
    }
}

test "wal format: every flipped bit of a group's record is found" {
    var bytes: [group_record_bytes]u8 align(8) = undefined;
    writeGroup(&bytes, 7, 42, &.{
        .group = 3,
        .durable_end = 4096,
        .body_bytes = 128,
        .count = 2,
        .chain = 9,
        .epoch = 1,
        .segment = 5,
    });
    const group = readGroup(&bytes, 7).?;
    try std.testing.expectEqual(42, group.first_sequence);
    try std.testing.expectEqual(5, group.payload.segment);
    try std.testing.expectEqual(null, readGroup(&bytes, 8));
    try std.testing.expectEqual(null, readGroup(bytes[0..63], 7));
    for (0..bytes.len * 8) |bit| {
        var copy = bytes;
        copy[bit / 8] ^= @as(u8, 1) << @intCast(bit % 8);
        try std.testing.expectEqual(null, readGroup(&copy, 7));
    }
}
