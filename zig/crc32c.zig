//! CRC-32C (Castagnoli): the checksum of every record, group and value of the project.
//!
//! Polynomial 0x1EDC6F41, reflected 0x82F63B78; the standard checksum starts from all ones and
//! inverts the result (RFC 3720, 12.1). This file has two levels: `update` and `copyAndUpdate`
//! work on the bare register, `checksum` is the standard number.
//!
//! Which code runs is decided by the processor at run time, on the first call, without a lock: all
//! threads decide alike, so it does not matter who stores the answer.
//!
//! | Kind               | Short input            | Long input                                     |
//! | :----------------- | :--------------------- | :--------------------------------------------- |
//! | `single_table`     | one byte per step      | the same: the baseline of the benchmark        |
//! | `portable`         | eight tables           | the same                                       |
//! | `x86_sse42`        | `crc32q`, serial       | three streams, joined by tables                |
//! | `x86_sse42_pclmul` | `crc32q`, serial       | three streams, joined by carry-less multiply   |
//! | `aarch64_crc`      | `crc32cx`, serial      | three streams, joined by tables                |
//!
//! The instruction takes one word per cycle but answers after three, so three independent streams
//! over three thirds of the input keep it busy. A join advances the register of the first third
//! over the bytes that follow it: a multiplication by a power of x modulo the polynomial.
//!
//! Invariants:
//! - `update(update(s, a), b) == update(s, a ++ b)`, for every kind and every split.
//! - Every kind gives the same result; the tests compare each with the bitwise definition.
//! - `copyAndUpdate` reads each source byte once. What it sums is what it stored, also where
//!   another thread changes the source during the call.
//! - No alignment is assumed, no memory outside the given ranges is touched.
//!
//! Sources: Kounavis and Berry, "A Systematic Approach to Building High Performance Software-based
//! CRC Generators" (tables); Gopal et al., "Fast CRC Computation for iSCSI Polynomial Using CRC32
//! Instruction" (streams). The masking follows LevelDB's log format.
//!
//! Debug builds for x86-64 need `-fllvm`: Zig's own backend cannot encode `crc32`.
const std = @import("std");
const planted = @import("testing/planted.zig");
const builtin = @import("builtin");
const assert = std.debug.assert;
const made = @import("crc32c_tables.zig"); // Sizes and tables.

/// The ways to compute; the names say which processor feature each needs.
pub const Kind = enum { single_table, portable, x86_sse42, x86_sse42_pclmul, aarch64_crc };

const word_bytes = made.word_bytes;
const streams = made.streams;
const stream_words_min = made.stream_words_min;
const serial_bytes_end = made.serial_bytes_end;
const stream_words_max = made.stream_words_max;
const stream_words_small = made.stream_words_small;
const stream_words_large = made.stream_words_large;
const copy_block_bytes = made.copy_block_bytes;
const byte_tables = made.byte_tables;
const join_factors = made.join_factors;
const join_tables = made.join_tables;
const stepBit = made.stepBit;

// Public functions.

/// Returns the standard CRC-32C of `bytes`, which is 0xE3069283 for "123456789".
pub fn checksum(bytes: []const u8) u32 {
    return ~update(~@as(u32, 0), bytes);
}

/// Returns the register after `bytes`, starting from the register `state`.
///
/// Neither the start nor the result is inverted here: `checksum` does that.
/// Cost: a few nanoseconds up to 192 bytes; the fastest kind of this processor is chosen.
pub fn update(state: u32, bytes: []const u8) u32 {
    return run(.sum, @constCast(bytes.ptr), bytes.ptr, bytes.len, state);
}

/// Copies `size` bytes and returns the register after the copied bytes, starting from `state`.
///
/// Each source byte is read once, so the result belongs to what was stored even while another
/// thread writes to the source. Assumes that the ranges do not overlap.
pub fn copyAndUpdate(
    noalias destination: [*]u8,
    noalias source: [*]const u8,
    size: usize,
    state: u32,
) u32 {
    return run(.copy, destination, source, size, state);
}

/// `update` over two words in registers, least significant byte first: a record's head.
pub inline fn updateWords(state: u32, words: [2]u64) u32 {
    const decided = decision.load(.monotonic);
    if (comptime has_instruction) if (@intFromEnum(decided) >= @intFromEnum(Decision.instruction)) {
        return @truncate(step(u64, step(u64, state, words[0]), words[1]));
    };
    return update(state, std.mem.asBytes(&words));
}

/// Returns a checksum that may be stored inside of checksummed bytes.
///
/// The CRC of bytes followed by their own plain CRC is a constant, and thus blind.
pub fn mask(crc: u32) u32 {
    if (planted.is(.plain_crc)) return crc;
    return std.math.rotr(u32, crc, mask_rotation) +% mask_delta;
}

/// Returns the checksum that `mask` was given.
pub fn unmask(masked: u32) u32 {
    return std.math.rotl(u32, masked -% mask_delta, mask_rotation);
}

const mask_rotation = 15;
const mask_delta: u32 = 0xa282ead8;

/// Returns what `update`, `checksum` and `copyAndUpdate` run on this processor.
pub fn kind() Kind {
    return switch (decision.load(.monotonic)) {
        .undecided => decide(),
        .portable => .portable,
        .instruction => if (builtin.cpu.arch == .aarch64) .aarch64_crc else .x86_sse42,
        .instruction_and_multiply => .x86_sse42_pclmul,
    };
}

/// Returns whether `updateWith` may run this kind on this processor.
pub fn isSupported(which: Kind) bool {
    return switch (which) {
        .single_table, .portable => true,
        .x86_sse42 => builtin.cpu.arch == .x86_64 and kind() != .portable,
        .x86_sse42_pclmul, .aarch64_crc => kind() == which,
    };
}

/// `update` by one kind, for tests and benchmarks. Asserts that the processor supports it.
pub fn updateWith(which: Kind, state: u32, bytes: []const u8) u32 {
    assert(isSupported(which));
    const source = bytes.ptr;
    switch (which) {
        .single_table => return updateSingleTable(state, bytes),
        .portable => return updatePortable(state, bytes),
        .x86_sse42, .aarch64_crc => if (comptime has_instruction) {
            return long(.sum, .tables, @constCast(source), source, bytes.len, state);
        },
        .x86_sse42_pclmul => if (comptime has_multiply) {
            return long(.sum, .multiply, @constCast(source), source, bytes.len, state);
        },
    }
    unreachable; // No processor supports a kind that was not compiled for it.
}

// The decision.

/// What the fast paths look at. From `instruction` on, the processor has the CRC instruction.
const Decision = enum(u8) { undecided, portable, instruction, instruction_and_multiply };

/// Publishes nothing but itself, so relaxed accesses do.
var decision: std.atomic.Value(Decision) = .init(.undecided);

fn decide() Kind {
    @branchHint(.cold);
    decision.store(detect(), .monotonic);
    return kind();
}

/// Bit of AT_HWCAP on aarch64: the CRC32 instructions.
const hwcap_crc32 = 1 << 7;

fn detect() Decision {
    switch (builtin.cpu.arch) {
        .x86_64 => {
            const features = cpuidFeatures();
            if (features & (1 << 20) == 0) return .portable; // SSE4.2
            if (features & (1 << 1) == 0) return .instruction; // PCLMULQDQ
            return .instruction_and_multiply;
        },
        .aarch64 => {
            if (comptime builtin.cpu.has(.aarch64, .crc)) return .instruction;
            if (builtin.os.tag != .linux) return .portable;
            // In a program that libc starts, std.os.linux.getauxval knows nothing and returns 0.
            const system = if (builtin.link_libc) std.c else std.os.linux;
            const capabilities = system.getauxval(std.elf.AT_HWCAP);
            return if (capabilities & hwcap_crc32 != 0) .instruction else .portable;
        },
        else => return .portable,
    }
}

/// Returns ECX of CPUID leaf 1.
fn cpuidFeatures() u32 {
    var eax: u32 = 1;
    var ecx: u32 = 0;
    asm volatile ("cpuid"
        : [eax] "+{eax}" (eax),
          [ecx] "+{ecx}" (ecx),
        :
        : .{ .ebx = true, .edx = true });
    return ecx;
}

// The paths. Each exists with and without the copy, made from the same lines. In sum mode the
// destination is the source, and is never written.

const Mode = enum { sum, copy };

inline fn run(
    comptime mode: Mode,
    destination: [*]u8,
    source: [*]const u8,
    size: usize,
    state: u32,
) u32 {
    if (comptime !has_instruction) return slow(mode, destination, source, size, state);
    const decided = decision.load(.monotonic);
    if (@intFromEnum(decided) < @intFromEnum(Decision.instruction)) {
        return slow(mode, destination, source, size, state);
    }
    if (size < serial_bytes_end) return serial(mode, destination, source, size, state);
    if (comptime !has_multiply) return long(mode, .tables, destination, source, size, state);
    if (decided == .instruction_and_multiply) {
        return long(mode, .multiply, destination, source, size, state);
    }
    return long(mode, .tables, destination, source, size, state);
}

/// The first call, and processors without the instruction.
noinline fn slow(
    comptime mode: Mode,
    destination: [*]u8,
    source: [*]const u8,
    size: usize,
    state: u32,
) u32 {
    @branchHint(.cold);
    if (kind() != .portable) return run(mode, destination, source, size, state);
    if (mode == .sum) return updatePortable(state, source[0..size]);
    return copyPortable(destination, source, size, state);
}

/// Copies a block that stays in the cache, then sums the copy.
fn copyPortable(destination: [*]u8, source: [*]const u8, size: usize, state: u32) u32 {
    var register = state;
    var offset: usize = 0;
    while (offset < size) {
        const bytes: usize = @min(size - offset, copy_block_bytes);
        @memcpy(destination[offset..][0..bytes], source[offset..][0..bytes]);
        register = updatePortable(register, destination[offset..][0..bytes]);
        offset += bytes;
    }
    return register;
}

/// One word after the other: the shortest way to the result of short input.
inline fn serial(
    comptime mode: Mode,
    destination: [*]u8,
    source: [*]const u8,
    size: usize,
    state: u32,
) u32 {
    var register: Register = state;
    var offset: usize = 0;
    while (size - offset >= word_bytes) : (offset += word_bytes) {
        register = step(u64, register, take(u64, mode, destination + offset, source + offset));
    }
    if (size & 7 == 0) return @truncate(register);
    inline for (.{ u32, u16, u8 }) |Word| {
        if (size & @sizeOf(Word) != 0) {
            const word = take(Word, mode, destination + offset, source + offset);
            register = step(Word, register, word);
            offset += @sizeOf(Word);
        }
    }
    return @truncate(register);
}

const Join = enum { tables, multiply };

/// Blocks of three streams as long as there is input for one, then the serial path.
noinline fn long(
    comptime mode: Mode,
    comptime join: Join,
    destination: [*]u8,
    source: [*]const u8,
    size: usize,
    state: u32,
) u32 {
    var register = state;
    var offset: usize = 0;
    switch (join) {
        .multiply => while (size - offset >= streams * word_bytes * stream_words_min) {
            const words: usize = @min((size - offset) / (streams * word_bytes), stream_words_max);
            register = multiplyBlock(mode, destination + offset, source + offset, words, register);
            offset += streams * word_bytes * words;
        },
        .tables => inline for (.{ stream_words_large, stream_words_small }) |words| {
            const block_bytes = streams * word_bytes * words;
            while (size - offset >= block_bytes) : (offset += block_bytes) {
                register = tableBlock(mode, words, destination + offset, source + offset, register);
            }
        },
    }
    return serial(mode, destination + offset, source + offset, size - offset, register);
}

/// Sums `words` words per stream. The products of the join are added to the last word, whose step
/// multiplies by x^32 and reduces, so the join costs no step of its own.
inline fn multiplyBlock(
    comptime mode: Mode,
    destination: [*]u8,
    source: [*]const u8,
    words: usize,
    state: u32,
) u32 {
    const factors = join_factors[words];
    const stream_bytes = words * word_bytes;
    var register: [streams]Register = .{ state, 0, 0 };
    var offset: usize = 0;
    while (offset < stream_bytes - word_bytes) : (offset += word_bytes) {
        inline for (0..streams) |stream| {
            const at = stream * stream_bytes + offset;
            const word = take(u64, mode, destination + at, source + at);
            register[stream] = step(u64, register[stream], word);
        }
    }
    var last: [streams]u64 = undefined;
    inline for (0..streams) |stream| {
        const at = stream * stream_bytes + offset;
        last[stream] = take(u64, mode, destination + at, source + at);
    }
    const first = multiply(step(u64, register[0], last[0]), factors[0]);
    const second = multiply(step(u64, register[1], last[1]), factors[1]);
    return @truncate(step(u64, register[2], last[2] ^ first ^ second));
}

/// Sums `words` words per stream and joins by the tables of that distance.
inline fn tableBlock(
    comptime mode: Mode,
    comptime words: usize,
    destination: [*]u8,
    source: [*]const u8,
    state: u32,
) u32 {
    const stream_bytes = words * word_bytes;
    var register: [streams]Register = .{ state, 0, 0 };
    var offset: usize = 0;
    while (offset < stream_bytes) : (offset += word_bytes) {
        inline for (0..streams) |stream| {
            const at = stream * stream_bytes + offset;
            const word = take(u64, mode, destination + at, source + at);
            register[stream] = step(u64, register[stream], word);
        }
    }
    const tables = &join_tables[if (words == stream_words_small) 0 else 1];
    var joined: u32 = @truncate(register[0]);
    inline for (1..streams) |stream| {
        joined = advance(tables, joined) ^ @as(u32, @truncate(register[stream]));
    }
    return joined;
}

/// Returns the register moved over as many zero bytes as the tables stand for.
inline fn advance(tables: *const [4][256]u32, register: u32) u32 {
    return tables[0][register & 0xff] ^ tables[1][register >> 8 & 0xff] ^
        tables[2][register >> 16 & 0xff] ^ tables[3][register >> 24];
}

fn updateSingleTable(state: u32, bytes: []const u8) u32 {
    var register = state;
    for (bytes) |byte| register = stepByte(register, byte);
    return register;
}

inline fn stepByte(register: u32, byte: u8) u32 {
    return register >> 8 ^ byte_tables[0][(register ^ byte) & 0xff];
}

fn updatePortable(state: u32, bytes: []const u8) u32 {
    var register = state;
    var rest = bytes;
    while (rest.len >= word_bytes) : (rest = rest[word_bytes..]) {
        const word = std.mem.readInt(u64, rest[0..word_bytes], .little) ^ register;
        register = 0;
        inline for (0..word_bytes) |place| {
            register ^= byte_tables[word_bytes - 1 - place][word >> 8 * place & 0xff];
        }
    }
    return updateSingleTable(register, rest);
}

// The instructions.

const has_instruction = has_multiply or builtin.cpu.arch == .aarch64;
const has_multiply = builtin.cpu.arch == .x86_64;

/// What the instruction works on: `crc32q` clears the upper half, and a 64-bit variable saves the
/// compiler a move in the chain.
const Register = if (builtin.cpu.arch == .x86_64) u64 else u32;

/// Loads one word, exactly once, and in copy mode stores it.
inline fn take(
    comptime Word: type,
    comptime mode: Mode,
    destination: [*]u8,
    source: [*]const u8,
) Word {
    const from: *align(1) const volatile Word = @ptrCast(source);
    const word = from.*;
    if (mode == .copy) {
        const to: *align(1) Word = @ptrCast(destination);
        to.* = word;
    }
    return word;
}

inline fn step(comptime Word: type, register: Register, word: Word) Register {
    if (builtin.cpu.arch == .x86_64) {
        var result = register;
        switch (Word) {
            u64 => asm ("crc32q %[word], %[result]"
                : [result] "+r" (result),
                : [word] "r" (word),
            ),
            u32 => asm ("crc32l %[word], %[result:k]"
                : [result] "+r" (result),
                : [word] "r" (word),
            ),
            u16 => asm ("crc32w %[word], %[result:k]"
                : [result] "+r" (result),
                : [word] "r" (word),
            ),
            u8 => asm ("crc32b %[word], %[result:k]"
                : [result] "+r" (result),
                : [word] "q" (word),
            ),
            else => comptime unreachable,
        }
        return result;
    }
    const instruction = switch (Word) {
        u64 => "crc32cx %[result:w], %[register:w], %[word]",
        u32 => "crc32cw %[result:w], %[register:w], %[word:w]",
        u16 => "crc32ch %[result:w], %[register:w], %[word:w]",
        u8 => "crc32cb %[result:w], %[register:w], %[word:w]",
        else => comptime unreachable,
    };
    return asm (".arch_extension crc\n" ++ instruction
        : [result] "=r" (-> u32),
        : [register] "r" (register),
          [word] "r" (if (Word == u64) word else @as(u32, word)),
    );
}

/// Returns the carry-less product of two registers.
inline fn multiply(register: u64, factor: u32) u64 {
    const left: @Vector(2, u64) = .{ register, 0 };
    const right: @Vector(2, u64) = .{ factor, 0 };
    const product = asm ("pclmulqdq $0, %[right], %[product]"
        : [product] "=x" (-> @Vector(2, u64)),
        : [left] "0" (left),
          [right] "x" (right),
    );
    return product[0];
}

// Tests.

const testing = std.testing;

/// The definition, bit by bit.
fn updateBitwise(state: u32, bytes: []const u8) u32 {
    var register = state;
    for (bytes) |byte| {
        register ^= byte;
        for (0..8) |_| register = stepBit(register);
    }
    return register;
}

/// The registers after each prefix of `bytes`, by the definition.
fn prefixes(registers: []u32, state: u32, bytes: []const u8) void {
    assert(registers.len == bytes.len + 1);
    registers[0] = state;
    for (bytes, 1..) |byte, size| {
        registers[size] = updateBitwise(registers[size - 1], &.{byte});
    }
}

/// `copyAndUpdate` by one kind.
fn copyWith(which: Kind, destination: [*]u8, source: []const u8, state: u32) u32 {
    switch (which) {
        .single_table, .portable => {
            return copyPortable(destination, source.ptr, source.len, state);
        },
        .x86_sse42, .aarch64_crc => if (comptime has_instruction) {
            return long(.copy, .tables, destination, source.ptr, source.len, state);
        },
        .x86_sse42_pclmul => if (comptime has_multiply) {
            return long(.copy, .multiply, destination, source.ptr, source.len, state);
        },
    }
    unreachable;
}

const kinds = std.enums.values(Kind);
const test_seed = 0xc5c32c;

test "crc32c: check value and the vectors of RFC 3720 B.4, every kind" {
    const read_command = [48]u8{
        0x01, 0xc0, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x14, 0x00, 0x00, 0x00, 0x00, 0x00, 0x04, 0x00,
        0x00, 0x00, 0x00, 0x14, 0x00, 0x00, 0x00, 0x18, 0x28, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    };
    var rising: [32]u8 = undefined;
    var falling: [32]u8 = undefined;
    for (&rising, &falling, 0..) |*up, *down, place| {
        up.* = @intCast(place);
        down.* = @intCast(31 - place);
    }
    const Vector = struct { bytes: []const u8, expected: u32 };
    const vectors = [_]Vector{
        .{ .bytes = "", .expected = 0 },
        .{ .bytes = "123456789", .expected = 0xE3069283 },
        .{ .bytes = &@as([32]u8, @splat(0)), .expected = 0x8A9136AA },
        .{ .bytes = &@as([32]u8, @splat(0xff)), .expected = 0x62A8AB43 },
        .{ .bytes = &rising, .expected = 0x46DD794E },
        .{ .bytes = &falling, .expected = 0x113FDB5C },
        .{ .bytes = &read_command, .expected = 0xD9963A56 },
    };
    for (vectors) |vector| {
        try testing.expectEqual(vector.expected, checksum(vector.bytes));
        for (kinds) |which| {
            if (!isSupported(which)) continue;
            const register = updateWith(which, 0xffffffff, vector.bytes);
            try testing.expectEqual(vector.expected, ~register);
        }
    }
}

test "crc32c: every length to 600 at every misalignment equals the definition, every kind" {
    const length_max = 600;
    var random: std.Random.DefaultPrng = .init(test_seed);
    var buffer: [length_max + word_bytes]u8 align(64) = undefined;
    random.random().bytes(&buffer);
    var expected: [length_max + 1]u32 = undefined;
    for (0..word_bytes) |misalignment| {
        const bytes = buffer[misalignment..][0..length_max];
        const state = random.random().int(u32);
        prefixes(&expected, state, bytes);
        for (expected, 0..) |register, size| {
            try testing.expectEqual(register, update(state, bytes[0..size]));
            for (kinds) |which| {
                if (!isSupported(which)) continue;
                try testing.expectEqual(register, updateWith(which, state, bytes[0..size]));
            }
        }
    }
}

test "crc32c: long input equals the definition, every kind" {
    const size_max = 100 * 1024;
    const buffer = try testing.allocator.alloc(u8, size_max);
    defer testing.allocator.free(buffer);
    const expected = try testing.allocator.alloc(u32, size_max + 1);
    defer testing.allocator.free(expected);
    var random: std.Random.DefaultPrng = .init(test_seed);
    random.random().bytes(buffer);
    prefixes(expected, 0xffffffff, buffer);

    var sizes: [40]usize = undefined;
    for (&sizes) |*size| size.* = random.random().uintAtMost(usize, size_max);
    const large_bytes = streams * word_bytes * stream_words_large;
    const block_bytes = streams * word_bytes * stream_words_max;
    sizes[0..8].* = .{
        large_bytes - 1, large_bytes,         block_bytes - 1, block_bytes, block_bytes + 1,
        2 * block_bytes, 2 * block_bytes + 9, size_max,
    };
    for (sizes) |size| {
        try testing.expectEqual(expected[size], update(0xffffffff, buffer[0..size]));
        for (kinds) |which| {
            if (!isSupported(which)) continue;
            const register = updateWith(which, 0xffffffff, buffer[0..size]);
            try testing.expectEqual(expected[size], register);
        }
    }
}

test "crc32c: the sum of the parts is the sum of the whole, for any split" {
    var random: std.Random.DefaultPrng = .init(test_seed);
    var buffer: [8192]u8 = undefined;
    random.random().bytes(&buffer);
    for (kinds) |which| {
        if (!isSupported(which)) continue;
        for (0..100) |_| {
            const bytes = buffer[0..random.random().uintAtMost(usize, buffer.len)];
            const split = random.random().uintAtMost(usize, bytes.len);
            const first = updateWith(which, 0xffffffff, bytes[0..split]);
            const second = updateWith(which, first, bytes[split..]);
            try testing.expectEqual(updateWith(which, 0xffffffff, bytes), second);
        }
    }
}

test "mask: known values, and unmask is its inverse" {
    try testing.expectEqual(0xa282ead8, mask(0));
    try testing.expectEqual(0xa282ead9, mask(1 << 15));
    try testing.expectEqual(0xa284ead8, mask(1));
    var random: std.Random.DefaultPrng = .init(test_seed);
    for (0..1000) |_| {
        const crc = random.random().int(u32);
        try testing.expectEqual(crc, unmask(mask(crc)));
        try testing.expect(mask(crc) != crc);
    }
}

test "copyAndUpdate: copies exactly, sums the copy, touches nothing beyond, every kind" {
    const length_max = 600;
    const margin = 16;
    var random: std.Random.DefaultPrng = .init(test_seed);
    var source_buffer: [length_max + word_bytes]u8 align(64) = undefined;
    random.random().bytes(&source_buffer);
    const source_before = source_buffer;
    var destination_buffer: [length_max + word_bytes + 2 * margin]u8 align(64) = undefined;
    var expected: [length_max + 1]u32 = undefined;
    for ([_][2]usize{ .{ 0, 0 }, .{ 0, 3 }, .{ 5, 0 }, .{ 7, 1 } }) |misalignment| {
        const source = source_buffer[misalignment[0]..][0..length_max];
        prefixes(&expected, 0xffffffff, source);
        const start = margin + misalignment[1];
        const destination = destination_buffer[start..].ptr;
        for (expected, 0..) |register, size| {
            for (0..kinds.len + 1) |turn| {
                @memset(&destination_buffer, 0xa5);
                const actual = if (turn == kinds.len)
                    copyAndUpdate(destination, source, size, 0xffffffff)
                else if (isSupported(kinds[turn]))
                    copyWith(kinds[turn], destination, source[0..size], 0xffffffff)
                else
                    continue;
                try testing.expectEqual(register, actual);
                try testing.expectEqualSlices(u8, source[0..size], destination[0..size]);
                const before, const after = .{ destination_buffer[0..start], start + size };
                try testing.expect(std.mem.allEqual(u8, before, 0xa5));
                try testing.expect(std.mem.allEqual(u8, destination_buffer[after..], 0xa5));
            }
        }
    }
    try testing.expectEqualSlices(u8, &source_before, &source_buffer);
}

test "copyAndUpdate: long input, every kind" {
    const size_max = 20_000;
    const source = try testing.allocator.alloc(u8, size_max);
    defer testing.allocator.free(source);
    const destination = try testing.allocator.alloc(u8, size_max);
    defer testing.allocator.free(destination);
    var random: std.Random.DefaultPrng = .init(test_seed);
    random.random().bytes(source);
    for ([_]usize{ 1500, 4080, 4096, 4097, 6144, 12_295, size_max }) |size| {
        const expected = updateBitwise(1, source[0..size]);
        for (kinds) |which| {
            if (!isSupported(which)) continue;
            @memset(destination, 0xa5);
            const actual = copyWith(which, destination.ptr, source[0..size], 1);
            try testing.expectEqual(expected, actual);
            try testing.expectEqualSlices(u8, source[0..size], destination[0..size]);
            try testing.expect(std.mem.allEqual(u8, destination[size..], 0xa5));
        }
    }
}

/// A source that another thread changes at the worst moments: the processor's trap flag stops after
/// each instruction, and the handler changes every word. A byte that is read twice differs.
const ChangingSource = struct {
    const is_possible = builtin.cpu.arch == .x86_64 and builtin.os.tag == .linux;
    const trap_flag = "0x100";

    var words: [64]u64 align(64) = @splat(0);
    var changes: u64 = 0;

    fn change(_: std.posix.SIG) callconv(.c) void {
        for (&words) |*word| {
            const place: *volatile u64 = word;
            place.* +%= 0x9e3779b97f4a7c15; // Every byte changes in time, none in step.
        }
        changes += 1;
    }

    // Both step over the red zone, where the caller may keep its variables.

    inline fn start() void {
        asm volatile ("leaq -128(%%rsp), %%rsp\npushfq\norq $" ++ trap_flag ++
                ", (%%rsp)\npopfq\nleaq 128(%%rsp), %%rsp" ::: .{ .memory = true, .cc = true });
    }

    inline fn stop() void {
        asm volatile ("leaq -128(%%rsp), %%rsp\npushfq\nandq $~" ++ trap_flag ++
                ", (%%rsp)\npopfq\nleaq 128(%%rsp), %%rsp" ::: .{ .memory = true, .cc = true });
    }
};

test "copyAndUpdate: sums what it stored while the source changes after every instruction" {
    if (comptime !ChangingSource.is_possible) return error.SkipZigTest;
    const source = std.mem.sliceAsBytes(&ChangingSource.words);
    var before: std.posix.Sigaction = undefined;
    std.posix.sigaction(.TRAP, &.{
        .handler = .{ .handler = ChangingSource.change },
        .mask = std.posix.sigemptyset(),
        .flags = 0,
    }, &before);
    defer std.posix.sigaction(.TRAP, &before, null);
    _ = kind(); // Decided here, as the first call takes another path.
    for ([_]usize{ 7, 64, 77, 96, 200, 512 }) |size| {
        for (0..kinds.len + 1) |turn| {
            if (turn < kinds.len and !isSupported(kinds[turn])) continue;
            var destination: [512]u8 = undefined;
            const first = ChangingSource.changes;
            ChangingSource.start();
            const actual = if (turn == kinds.len)
                copyAndUpdate(&destination, source.ptr, size, 0xffffffff)
            else
                copyWith(kinds[turn], &destination, source[0..size], 0xffffffff);
            ChangingSource.stop();
            try testing.expect(ChangingSource.changes != first);
            try testing.expectEqual(updateBitwise(0xffffffff, destination[0..size]), actual);
        }
    }
}

test "kind: the first call decides, and every call after it alike" {
    const before = kind();
    decision.store(.undecided, .monotonic);
    try testing.expectEqual(0xE3069283, checksum("123456789"));
    try testing.expect(decision.load(.monotonic) != .undecided);
    decision.store(.undecided, .monotonic);
    var copy: [9]u8 = undefined;
    try testing.expectEqual(0x1CF96D7C, copyAndUpdate(&copy, "123456789", 9, 0xffffffff));
    try testing.expectEqualStrings("123456789", &copy);
    decision.store(.undecided, .monotonic);
    try testing.expectEqual(before, kind());
    try testing.expect(isSupported(before));
}

test "kind: aarch64 uses the instruction where the kernel reports it in /proc/self/auxv" {
    if (builtin.cpu.arch != .aarch64 or builtin.os.tag != .linux) return error.SkipZigTest;
    const linux = std.os.linux;
    const opened = linux.openat(linux.AT.FDCWD, "/proc/self/auxv", .{ .CLOEXEC = true }, 0);
    try testing.expectEqual(.SUCCESS, linux.errno(opened));
    const file: i32 = @intCast(opened);
    defer _ = linux.close(file);
    var entries: [64]std.elf.Auxv = undefined;
    const size = linux.read(file, @ptrCast(&entries), @sizeOf(@TypeOf(entries)));
    try testing.expectEqual(.SUCCESS, linux.errno(size));
    for (entries[0 .. size / @sizeOf(std.elf.Auxv)]) |entry| {
        if (entry.a_type != std.elf.AT_HWCAP) continue;
        const has_crc = entry.a_un.a_val & hwcap_crc32 != 0;
        return testing.expectEqual(if (has_crc) Kind.aarch64_crc else .portable, kind());
    }
    return error.TestUnexpectedResult; // Every kernel reports AT_HWCAP.
}
