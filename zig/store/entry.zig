//! Store entry: how a value lies in LMDB, and the ledger that says what the whole store holds.
//!
//! | Value's part | Bytes | What                                                     |
//! | :----------- | ----: | :------------------------------------------------------- |
//! | value        |     n | the caller's bytes                                       |
//! | trailer      |     4 | masked CRC-32C over the key and the value, little-endian |
//!
//! LMDB has no checksums. The trailers tell a damaged value; what they cannot tell is an entry that
//! is missing, or a whole tree of an earlier transaction. That the ledger does: an entry of its own
//! under a key that no caller can have, rewritten by every commit, with the commit's number and a
//! sum over all keys and trailers, whatever their order.
const std = @import("std");
const crc32c = @import("../crc32c.zig");
const key_bytes_max = @import("../constants.zig").store_key_bytes_max;

pub const trailer_bytes = 4;

/// The ledger's key. A caller's key does not begin with a zero byte.
pub const ledger_key = "\x00";

/// The lowest key that a caller can have.
pub const key_first = "\x01";

pub fn isKey(key: []const u8) bool {
    return key.len > 0 and key.len <= key_bytes_max and key[0] != 0;
}

/// Whether `key` may be a beginning of keys; the empty one begins all.
pub fn isPrefix(key: []const u8) bool {
    return key.len == 0 or isKey(key);
}

/// Copies a value and writes its trailer behind it.
pub fn seal(key: []const u8, value: []const u8, out: []u8) void {
    std.debug.assert(out.len == value.len + trailer_bytes);
    const state = crc32c.update(0xffffffff, key);
    const sum = ~crc32c.copyAndUpdate(out.ptr, value.ptr, value.len, state);
    std.mem.writeInt(u32, out[value.len..][0..trailer_bytes], crc32c.mask(sum), .little);
}

/// The trailer of a sealed value; null if that is too short to have one.
pub fn trailerOf(sealed: []const u8) ?u32 {
    if (sealed.len < trailer_bytes) return null;
    return std.mem.readInt(u32, sealed[sealed.len - trailer_bytes ..][0..trailer_bytes], .little);
}

pub const Checked = struct { expected: u32, actual: u32 };

/// Copies a value out of its sealed form. Returns null if the copy verifies, else both checksums.
pub fn open(key: []const u8, sealed: []const u8, out: []u8) ?Checked {
    const size = sealed.len - trailer_bytes;
    const state = crc32c.update(0xffffffff, key);
    const sum = crc32c.mask(~crc32c.copyAndUpdate(out.ptr, sealed.ptr, size, state));
    const stored = trailerOf(sealed).?;
    return if (sum == stored) null else .{ .expected = sum, .actual = stored };
}

/// Verifies a value that was copied out. Returns null if it is right, else both checksums.
pub fn verify(key: []const u8, value: []const u8, trailer: *const [trailer_bytes]u8) ?Checked {
    const sum = crc32c.mask(~crc32c.update(crc32c.update(0xffffffff, key), value));
    const stored = std.mem.readInt(u32, trailer, .little);
    return if (sum == stored) null else .{ .expected = sum, .actual = stored };
}

/// What an entry adds to the ledger's sum. Sums over a set do not depend on its order.
pub fn markOf(key: []const u8, trailer: u32) u64 {
    var word = @as(u64, crc32c.checksum(key)) << 32 | trailer;
    // The finish of splitmix64 (Steele, Lea, Flood, 2014): near words become far ones.
    word = (word ^ word >> 30) *% 0xbf58476d1ce4e5b9;
    word = (word ^ word >> 27) *% 0x94d049bb133111eb;
    return word ^ word >> 31;
}

/// What the store holds after a commit, besides the ledger itself. Little-endian.
pub const Ledger = extern struct {
    /// LMDB's number of the transaction that wrote it.
    transaction: u64 = 0,
    entries: u64 = 0,
    /// Over all entries, `markOf`, modulo 2^64.
    sum: u64 = 0,

    pub const sealed_bytes = @sizeOf(Ledger) + trailer_bytes;

    comptime {
        std.debug.assert(@sizeOf(Ledger) == 24);
    }

    pub fn add(ledger: *Ledger, key: []const u8, trailer: u32) void {
        ledger.entries += 1;
        ledger.sum +%= markOf(key, trailer);
    }

    pub fn remove(ledger: *Ledger, key: []const u8, trailer: u32) void {
        ledger.entries -|= 1;
        ledger.sum -%= markOf(key, trailer);
    }

    /// The ledger in its sealed form, or null if that does not verify.
    pub fn read(sealed: []const u8) ?Ledger {
        if (sealed.len != sealed_bytes) return null;
        var ledger: Ledger = undefined;
        return if (open(ledger_key, sealed, std.mem.asBytes(&ledger)) == null) ledger else null;
    }

    pub fn write(ledger: *const Ledger, out: []u8) void {
        seal(ledger_key, std.mem.asBytes(ledger), out);
    }
};

const testing = std.testing;

test "store entry: every flipped bit of a sealed value, and another key, does not verify" {
    const value = "snapshot";
    var sealed: [value.len + trailer_bytes]u8 = undefined;
    seal("key", value, &sealed);
    var out: [value.len]u8 = undefined;
    try testing.expectEqual(null, open("key", &sealed, &out));
    try testing.expectEqualStrings(value, &out);
    try testing.expectEqual(null, verify("key", &out, sealed[value.len..]));
    try testing.expect(verify("kez", &out, sealed[value.len..]) != null);
    try testing.expect(open("kez", &sealed, &out) != null);
    for (0..sealed.len * 8) |bit| {
        const mask = @as(u8, 1) << @intCast(bit % 8);
        sealed[bit / 8] ^= mask;
        try testing.expect(open("key", &sealed, &out) != null);
        sealed[bit / 8] ^= mask;
    }
    try testing.expectEqual(null, trailerOf("abc"));
}

test "store entry: the ledger's sum depends on what is there and not on how it came there" {
    var one: Ledger = .{ .transaction = 7 };
    one.add("a", 1);
    one.add("b", 2);
    one.remove("a", 1);
    var other: Ledger = .{ .transaction = 7 };
    other.add("b", 2);
    try testing.expectEqual(one, other);
    other.remove("b", 2);
    other.add("b", 3);
    try testing.expect(one.sum != other.sum);
    var sealed: [Ledger.sealed_bytes]u8 = undefined;
    one.write(&sealed);
    try testing.expectEqual(one, Ledger.read(&sealed).?);
    sealed[3] ^= 1;
    try testing.expectEqual(null, Ledger.read(&sealed));
    try testing.expectEqual(null, Ledger.read(sealed[1..]));
}

test "store entry: keys" {
    try testing.expect(isKey("a"));
    try testing.expect(isKey("a" ** key_bytes_max));
    try testing.expect(!isKey("") and !isKey("\x00a") and !isKey("a" ** (key_bytes_max + 1)));
    try testing.expect(isPrefix("") and !isPrefix(ledger_key));
}
