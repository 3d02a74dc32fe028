//! Zeros: where bytes are that are not zero, found by whole vectors.
const std = @import("std");

/// Whether all bytes are zero. By blocks, as the compiler makes vectors of them.
pub fn isZero(bytes: []const u8) bool {
    return firstUsed(bytes) == bytes.len;
}

const block_bytes = 256;
const Block = @Vector(block_bytes / 8, u64);

fn isZeroBlock(bytes: *const [block_bytes]u8) bool {
    const block: Block = @bitCast(bytes.*);
    return @reduce(.Or, block) == 0;
}

/// Index of the first byte that is not zero; the length if there is none.
pub fn firstUsed(bytes: []const u8) usize {
    var at: usize = 0;
    while (at + block_bytes <= bytes.len and isZeroBlock(bytes[at..][0..block_bytes])) {
        at += block_bytes;
    }
    while (at + 8 <= bytes.len and std.mem.readInt(u64, bytes[at..][0..8], .little) == 0) at += 8;
    while (at < bytes.len and bytes[at] == 0) at += 1;
    return at;
}

/// Index behind the last byte that is not zero; 0 if there is none.
pub fn endUsed(bytes: []const u8) usize {
    var end = bytes.len;
    while (end >= block_bytes and isZeroBlock(bytes[end - block_bytes ..][0..block_bytes])) {
        end -= block_bytes;
    }
    while (end > 0 and bytes[end - 1] == 0) end -= 1;
    return end;
}

test "wal zeros: bytes that are not zero are found wherever they are" {
    var bytes: [1024]u8 = @splat(0);
    for (0..bytes.len) |from| {
        const rest = bytes[from..];
        try std.testing.expect(isZero(rest));
        try std.testing.expectEqual(0, endUsed(rest));
    }
    for (0..bytes.len) |i| {
        bytes[i] = 1;
        defer bytes[i] = 0;
        try std.testing.expectEqual(i, firstUsed(&bytes));
        try std.testing.expectEqual(i + 1, endUsed(&bytes));
        try std.testing.expectEqual(i == bytes.len - 1, isZero(bytes[0 .. bytes.len - 1]));
    }
}
