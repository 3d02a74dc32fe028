//! Sizes and tables of the CRC-32C (crc32c.zig), made at compile time. The sizes were measured on a
//! Xeon at about 3.9 GHz, ReleaseFast, -mcpu x86_64_v2.

/// The reflected polynomial: bit 31 is x^0, bit 0 is x^31.
const polynomial: u32 = 0x82F63B78;

/// Bytes of one word, the unit of the instruction.
pub const word_bytes = 8;

/// Streams that hide the three cycles which one `crc32q` takes to answer.
pub const streams = 3;

/// Words per stream from which three streams and a join beat the serial path: 96 bytes take 6.5 ns
/// instead of 9.8; below, the gain is under 1 ns and back-to-back calls lose 3 ns.
pub const stream_words_min = 4;

/// Bytes from which the long path is taken. The table join has a higher threshold of its own.
pub const serial_bytes_end = streams * word_bytes * stream_words_min;

/// Words per stream at most: 6 KiB per block lie in any L1 cache beside their copy, a join is 2 %
/// of a block, and the table of factors is 2 KiB. Longer blocks measured no faster.
pub const stream_words_max = 256;

/// The table join knows two distances. The small block is 192 bytes; the large one is the longest
/// of which one fits into 4 KiB, 4080 bytes.
pub const stream_words_small = 8;
pub const stream_words_large = 170;

/// Bytes that the portable path copies before it sums them; both copies fit any L1 cache.
pub const copy_block_bytes = 4096;

/// `byte_tables[n][b]` is the register after byte `b` and `n` zero bytes: 8 KiB.
pub const byte_tables: [word_bytes][256]u32 = tables: {
    @setEvalBranchQuota(100_000);
    var tables: [word_bytes][256]u32 = undefined;
    for (0..256) |byte| {
        var register: u32 = byte;
        for (0..8) |_| register = stepBit(register);
        tables[0][byte] = register;
    }
    for (1..word_bytes) |zeros| {
        for (0..256) |byte| {
            const register = tables[zeros - 1][byte];
            tables[zeros][byte] = register >> 8 ^ tables[0][register & 0xff];
        }
    }
    break :tables tables;
};

/// Multiplies by x.
pub fn stepBit(register: u32) u32 {
    return register >> 1 ^ (if (register & 1 != 0) polynomial else 0);
}

/// `join_factors[n]` are the factors for the first and the second stream of `n` words: x to the
/// bits that follow the stream, less 33. The product of two reflected registers is one place
/// short of 64 bits, and the step that reduces it multiplies by x^32.
pub const join_factors: [stream_words_max + 1][2]u32 = factors: {
    @setEvalBranchQuota(100_000);
    // powers[n] = x^(64 n - 33), from x^31 on, which is the lowest bit.
    var powers: [2 * stream_words_max + 1]u32 = undefined;
    powers[0] = 0; // No stream is empty.
    powers[1] = 1;
    for (2..powers.len) |words| {
        var register: u32 = powers[words - 1];
        for (0..word_bytes) |_| register = register >> 8 ^ byte_tables[0][register & 0xff];
        powers[words] = register;
    }
    var factors: [stream_words_max + 1][2]u32 = undefined;
    for (&factors, 0..) |*factor, words| factor.* = .{ powers[2 * words], powers[words] };
    break :factors factors;
};

/// The tables of `advance` for one stream of the small and of the large block: 4 KiB each.
pub const join_tables: [2][4][256]u32 = .{
    joinTables(stream_words_small),
    joinTables(stream_words_large),
};

fn joinTables(words: usize) [4][256]u32 {
    @setEvalBranchQuota(200_000);
    var tables: [4][256]u32 = undefined;
    for (&tables, 0..) |*table, place| {
        table[0] = 0;
        for (1..256) |byte| {
            // Linear: a byte with several bits is the sum of its bits.
            if (byte & byte - 1 != 0) {
                table[byte] = table[byte & byte - 1] ^ table[byte & -%byte];
                continue;
            }
            var register: u32 = byte << 8 * place;
            for (0..words * word_bytes) |_| {
                register = register >> 8 ^ byte_tables[0][register & 0xff];
            }
            table[byte] = register;
        }
    }
    return tables;
}
