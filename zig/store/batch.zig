//! Store batch: the operations of one commit, packed one after the other.
//!
//! | Offset | Size | Field                                            |
//! | -----: | ---: | :----------------------------------------------- |
//! |      0 |    1 | kind: put, delete, delete all keys with a prefix |
//! |      1 |    1 | reserved, zero                                   |
//! |      2 |    2 | bytes of the key                                 |
//! |      4 |    4 | bytes of the value; zero where there is none     |
//! |      8 |      | key, then value, without padding                 |
const std = @import("std");
const store_entry = @import("entry.zig");

pub const OperationKind = enum(u8) { put = 1, delete = 2, delete_prefix = 3 };

/// The head of an operation.
pub const OperationHead = extern struct {
    kind: u8,
    reserved_0: u8,
    key_bytes: u16 align(1),
    value_bytes: u32 align(1),

    comptime {
        std.debug.assert(@sizeOf(OperationHead) == 8);
    }
};

pub const Operation = struct { kind: OperationKind, key: []const u8, value: []const u8 };

pub const Batch = struct {
    bytes: []const u8,

    /// Takes the next operation off; null at the end. Every byte is verified, each time.
    pub fn next(batch: *Batch) error{InvalidBatch}!?Operation {
        if (batch.bytes.len == 0) return null;
        if (batch.bytes.len < @sizeOf(OperationHead)) return error.InvalidBatch;
        var head: OperationHead = undefined;
        @memcpy(std.mem.asBytes(&head), batch.bytes[0..@sizeOf(OperationHead)]);
        const rest = batch.bytes[@sizeOf(OperationHead)..];
        const size = @as(usize, head.key_bytes) + head.value_bytes;
        const kind = std.enums.fromInt(OperationKind, head.kind) orelse return error.InvalidBatch;
        if (head.reserved_0 != 0 or size > rest.len) return error.InvalidBatch;
        if (kind != .put and head.value_bytes != 0) return error.InvalidBatch;
        const key = rest[0..head.key_bytes];
        const is_right = if (kind == .delete_prefix)
            store_entry.isPrefix(key)
        else
            store_entry.isKey(key);
        if (!is_right) return error.InvalidBatch;
        batch.bytes = rest[size..];
        return .{ .kind = kind, .key = key, .value = rest[head.key_bytes..size] };
    }

    /// Whether all of it can be read.
    pub fn isSound(batch: Batch) bool {
        var rest = batch;
        while (rest.next() catch return false) |_| {}
        return true;
    }
};

const testing = std.testing;

test "store batch: reads what is packed, and no truncation of it" {
    const bytes = "\x01\x00\x01\x00\x02\x00\x00\x00kvv" ++
        "\x02\x00\x02\x00\x00\x00\x00\x00ab" ++ "\x03\x00\x00\x00\x00\x00\x00\x00";
    var batch: Batch = .{ .bytes = bytes };
    const put = (try batch.next()).?;
    try testing.expectEqual(.put, put.kind);
    try testing.expectEqualStrings("k", put.key);
    try testing.expectEqualStrings("vv", put.value);
    try testing.expectEqualStrings("ab", (try batch.next()).?.key);
    try testing.expectEqual(.delete_prefix, (try batch.next()).?.kind);
    try testing.expectEqual(null, try batch.next());
    for (0..bytes.len) |size| {
        const cut: Batch = .{ .bytes = bytes[0..size] };
        const is_whole = size == 0 or size == 11 or size == 21;
        try testing.expectEqual(is_whole, cut.isSound());
    }
}

test "store batch: refuses unknown kinds, reserved bits, wrong keys and values without a place" {
    for ([_][]const u8{
        "\x00\x00\x01\x00\x00\x00\x00\x00k",
        "\x04\x00\x01\x00\x00\x00\x00\x00k",
        "\x01\x01\x01\x00\x00\x00\x00\x00k",
        "\x01\x00\x00\x00\x00\x00\x00\x00",
        "\x01\x00\x01\x00\x00\x00\x00\x00\x00",
        "\x02\x00\x01\x00\x01\x00\x00\x00kv",
        "\x01\x00\x01\x00\xff\xff\xff\xffk",
    }) |bytes| {
        const batch: Batch = .{ .bytes = bytes };
        try testing.expect(!batch.isSound());
    }
}
