//! Record: the bytes of one message, the same in a ring, in a log and on a wire. Little-endian.
//!
//! | Offset      | Size | Field            | Written by | Unit    |
//! | ----------: | ---: | :--------------- | :--------- | :------ |
//! |           0 |    8 | sequence         | producer, last: the commit word | messages |
//! |           8 |    4 | length           | producer   | bytes of payload |
//! |          12 |    1 | flags            | producer   | bits, `Flags` |
//! |          13 |    3 | reserved, zero   | producer   |         |
//! |          16 | length | payload        | producer   | bytes   |
//! | 16 + length |    4 | masked CRC-32C over all before it | producer | |
//! |             |      | zeros up to the channel's alignment | producer | |
//!
//! - The CRC starts from the channel's random salt, so a payload that contains the image of a
//!   record (an earlier lap's bytes, or a client's forgery) does not verify as one. SQLite's WAL
//!   salts its frames for the same reason.
//! - The CRC is masked (rotated and offset, as in LevelDB): a CRC over bytes that end in their own
//!   CRC is a constant and would see nothing.
//! - What a crash leaves: a record whose sequence word is not yet the expected one. Nobody reads
//!   it.
const std = @import("std");
const crc32c = @import("crc32c.zig");
const fault_points = @import("testing/fault_points.zig");

pub const header_bytes = 16;
pub const trailer_bytes = 4;

/// Bits of the flags byte.
pub const Flags = struct {
    /// Belongs to the library, not to the application: never delivered.
    pub const control: u8 = 1 << 0;
    /// A claim that was given back or whose owner died: never delivered, its sequence is used up.
    pub const aborted: u8 = 1 << 1;
    /// First record of a message that was split; with `last_fragment`, one in its middle.
    pub const first_fragment: u8 = 1 << 2;
    /// Last record of a message that was split; with `first_fragment`, one in its middle.
    pub const last_fragment: u8 = 1 << 3;
    /// The payload begins with 8 bytes of publish time in ticks.
    pub const timestamped: u8 = 1 << 4;
    /// Wants the strongest durability that its channel has.
    pub const critical: u8 = 1 << 5;
    /// Two bits free for the application.
    pub const user: u8 = 3 << 6;

    pub const middle_fragment: u8 = first_fragment | last_fragment;
};

/// Whether a record is a whole message or the last part of one.
pub inline fn endsMessage(flags: u8) bool {
    const part = flags & Flags.middle_fragment;
    return part == 0 or part == Flags.last_fragment;
}

/// Bytes from the start of a record to the start of the next one.
pub inline fn stride(length: usize, alignment: usize) usize {
    return std.mem.alignForward(usize, header_bytes + length + trailer_bytes, alignment);
}

/// The second word of a record: length, flags and reserved zeros.
pub inline fn headWord(length: u32, flags: u8) u64 {
    return @as(u64, length) | @as(u64, flags) << 32;
}

/// Length and flags out of the second word; null when a reserved bit is set, the length is above
/// `length_max` or below the timestamp's, so that a hostile word is never used.
pub inline fn parseHeadWord(word: u64, length_max: u32) ?struct { length: u32, flags: u8 } {
    if (word >> 40 != 0) return null;
    const length: u32 = @truncate(word);
    if (length > length_max) return null;
    const flags: u8 = @truncate(word >> 32);
    if (flags & Flags.timestamped != 0 and length < timestamp_bytes) return null;
    return .{ .length = length, .flags = flags };
}

/// The CRC's start: the channel's salt, and the two head words that every record begins with.
pub inline fn beginCrc(salt: u32, sequence: u64, head_word: u64) u32 {
    return crc32c.updateWords(~salt, .{ sequence, head_word });
}

/// The trailer's word from the state of the CRC over head and payload.
pub inline fn finishCrc(state: u32) u32 {
    return crc32c.mask(~state);
}

/// Bytes of the publish time that the payload of a `timestamped` record begins with.
pub const timestamp_bytes = 8;

/// Writes everything but the sequence word and returns; the caller publishes by storing it last.
///
/// `ticks` is the publish time, used when `flags` has `timestamped`. Assumes that `destination` has
/// `stride_bytes`, is 8-aligned and is the caller's alone. Scalars rather than a struct: a struct
/// went through the stack, and the stall of reading it back was a fifth of the whole.
pub inline fn writeBody(
    destination: [*]u8,
    salt: u32,
    sequence: u64,
    flags: u8,
    ticks: u64,
    payload: []const u8,
    stride_bytes: usize,
) void {
    const stamp_bytes: u32 = if (flags & Flags.timestamped != 0) timestamp_bytes else 0;
    const length = @as(u32, @intCast(payload.len)) + stamp_bytes;
    const head_word = headWord(length, flags);
    var state = beginCrc(salt, sequence, head_word);
    if (stamp_bytes != 0) {
        std.mem.writeInt(u64, destination[header_bytes..][0..timestamp_bytes], ticks, .little);
        state = crc32c.update(state, std.mem.asBytes(&ticks));
    }
    const body = destination + header_bytes + stamp_bytes;
    state = crc32c.copyAndUpdate(body, payload.ptr, payload.len, state);
    fault_points.hit(.mid_copy);
    seal(destination, head_word, length, state, stride_bytes);
}

/// Writes the record whose payload already lies in place, all but the sequence word.
/// `length` counts the timestamp too, if there is one.
pub fn sealInPlace(
    destination: [*]u8,
    salt: u32,
    sequence: u64,
    flags: u8,
    ticks: u64,
    length: u32,
    stride_bytes: usize,
) void {
    const head_word = headWord(length, flags);
    if (flags & Flags.timestamped != 0) {
        std.mem.writeInt(u64, destination[header_bytes..][0..timestamp_bytes], ticks, .little);
    }
    var state = beginCrc(salt, sequence, head_word);
    state = crc32c.update(state, destination[header_bytes .. header_bytes + length]);
    seal(destination, head_word, length, state, stride_bytes);
}

inline fn seal(
    destination: [*]u8,
    head_word: u64,
    length: u32,
    state: u32,
    stride_bytes: usize,
) void {
    const head: *u64 = @ptrCast(@alignCast(destination + 8));
    @atomicStore(u64, head, head_word, .monotonic);
    var end: usize = header_bytes + length;
    std.mem.writeInt(u32, destination[end..][0..4], finishCrc(state), .little);
    end += trailer_bytes;
    // By hand: a call to memset costs more than the few words there are.
    while (end % 8 != 0) : (end += 1) destination[end] = 0;
    const words: [*]u64 = @ptrCast(@alignCast(destination));
    for (end / 8..stride_bytes / 8) |i| words[i] = 0;
}

/// What a copy of a record turned out to be.
pub const Verdict = enum { sound, damaged };

/// Copies the payload of a record out of shared memory and checks the copy, so that what was
/// checked is what is used, whatever a peer writes meanwhile.
///
/// Assumes that `source` has `length + 24` readable bytes; `length` was bounded by the caller.
pub inline fn copyAndVerify(
    noalias destination: [*]u8,
    noalias source: [*]const u8,
    salt: u32,
    sequence: u64,
    head_word: u64,
    length: u32,
) Verdict {
    var state = beginCrc(salt, sequence, head_word);
    state = crc32c.copyAndUpdate(destination, source + header_bytes, length, state);
    return checkTrailer(source + header_bytes + length, length, state);
}

/// Copies a whole record out of shared memory, with zeros up to `stride_bytes`, and checks the
/// copy. Returns its checksum as it stands in the copy; null if the record is damaged.
///
/// Assumes what `copyAndVerify` does, and that `destination` has `stride_bytes` and is 8-aligned.
pub fn copyWhole(
    noalias destination: [*]u8,
    noalias source: [*]const u8,
    salt: u32,
    sequence: u64,
    head_word: u64,
    length: u32,
    stride_bytes: usize,
) ?u32 {
    var state = beginCrc(salt, sequence, head_word);
    state = crc32c.copyAndUpdate(destination + header_bytes, source + header_bytes, length, state);
    if (checkTrailer(source + header_bytes + length, length, state) == .damaged) return null;
    std.mem.writeInt(u64, destination[0..8], sequence, .little);
    seal(destination, head_word, length, state, stride_bytes);
    return finishCrc(state);
}

/// Checks a record where it lies. For mappings that the reader's cursor protects, and for files.
pub fn verifyInPlace(
    source: [*]const u8,
    salt: u32,
    sequence: u64,
    head_word: u64,
    length: u32,
) Verdict {
    var state = beginCrc(salt, sequence, head_word);
    state = crc32c.update(state, source[header_bytes .. header_bytes + length]);
    return checkTrailer(source + header_bytes + length, length, state);
}

inline fn checkTrailer(trailer: [*]const u8, length: u32, state: u32) Verdict {
    if (std.mem.readInt(u32, trailer[0..4], .little) != finishCrc(state)) return .damaged;
    var padding: u8 = 0;
    const end = header_bytes + length + trailer_bytes;
    for (0..std.mem.alignForward(usize, end, 8) - end) |i| padding |= trailer[trailer_bytes + i];
    return if (padding == 0) .sound else .damaged;
}

test "record: the golden bytes" {
    var bytes: [64]u8 align(8) = @splat(0xaa);
    writeBody(&bytes, 0, 1, Flags.user, 0, "hello", stride(5, 8));
    std.mem.writeInt(u64, bytes[0..8], 1, .little);
    var hex: [64]u8 = undefined;
    const golden = @embedFile("record-v1.hex");
    const text = std.fmt.bufPrint(&hex, "{x}", .{bytes[0..32]}) catch unreachable;
    try std.testing.expectEqualStrings(std.mem.trim(u8, golden, "\n"), text);
}

test "record: every flipped bit of a record is found" {
    const payload = "0123456789abcdef!";
    const salt = 0x12345678;
    const size = comptime stride(payload.len, 8);
    var bytes: [size]u8 align(8) = undefined;
    writeBody(&bytes, salt, 7, 0, 0, payload, size);
    std.mem.writeInt(u64, bytes[0..8], 7, .little);
    for (0..size * 8) |bit| {
        var copy = bytes;
        copy[bit / 8] ^= @as(u8, 1) << @intCast(bit % 8);
        const head_word = std.mem.readInt(u64, copy[8..16], .little);
        const sequence = std.mem.readInt(u64, copy[0..8], .little);
        const head = parseHeadWord(head_word, payload.len) orelse continue;
        var out: [64]u8 = undefined;
        const verdict = copyAndVerify(&out, &copy, salt, sequence, head_word, head.length);
        try std.testing.expect(verdict == .damaged);
    }
}

test "record: another salt does not verify" {
    const size = comptime stride(8, 64);
    var bytes: [size]u8 align(8) = undefined;
    writeBody(&bytes, 1, 7, 0, 0, "12345678", size);
    const head_word = headWord(8, 0);
    try std.testing.expectEqual(.sound, verifyInPlace(&bytes, 1, 7, head_word, 8));
    try std.testing.expectEqual(.damaged, verifyInPlace(&bytes, 2, 7, head_word, 8));
}
