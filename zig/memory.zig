//! How shared words are read and written: the one place that says what an access is, so that the
//! interleaving test (testing/interleave.zig) can put its own in place and try every order.
//!
//! `direct` is what the library uses: plain atomics, inlined to one instruction each.
const std = @import("std");
const builtin = @import("builtin");
const AtomicOrder = std.builtin.AtomicOrder;

/// Two words that change together: where the next claim starts and which sequence it carries.
pub const Pair = extern struct {
    position: u64 align(16),
    sequence: u64,
};

pub const direct = struct {
    pub inline fn load(comptime T: type, word: *const T, comptime order: AtomicOrder) T {
        return @atomicLoad(T, word, order);
    }

    pub inline fn store(comptime T: type, word: *T, value: T, comptime order: AtomicOrder) void {
        @atomicStore(T, word, value, order);
    }

    pub inline fn exchange(comptime T: type, word: *T, value: T) T {
        return @atomicRmw(T, word, .Xchg, value, .seq_cst);
    }

    pub inline fn add(comptime T: type, word: *T, value: T) T {
        return @atomicRmw(T, word, .Add, value, .seq_cst);
    }

    pub inline fn setBits(comptime T: type, word: *T, bits: T) T {
        return @atomicRmw(T, word, .Or, bits, .seq_cst);
    }

    pub inline fn clearBits(comptime T: type, word: *T, bits: T) T {
        return @atomicRmw(T, word, .And, ~bits, .seq_cst);
    }

    /// Raises `word` to `value` where it is lower.
    pub inline fn raise(word: *u64, value: u64) void {
        _ = @atomicRmw(u64, word, .Max, value, .seq_cst);
    }

    /// Replaces `word` if it still is `expected`. True on success.
    pub inline fn compareExchange(comptime T: type, word: *T, expected: T, value: T) bool {
        return @cmpxchgStrong(T, word, expected, value, .seq_cst, .monotonic) == null;
    }

    /// Replaces both words of `pair` if both still are `expected`. True on success.
    pub inline fn compareExchangePair(pair: *Pair, expected: Pair, value: Pair) bool {
        const words: *u128 = @ptrCast(pair);
        const before: u128 = @bitCast(expected);
        const after: u128 = @bitCast(value);
        return @cmpxchgStrong(u128, words, before, after, .seq_cst, .monotonic) == null;
    }

    /// Lets `function` write `bytes` at `place`, all but the sequence word, which are the caller's
    /// alone until it publishes them.
    pub inline fn edit(
        place: [*]u8,
        bytes: usize,
        comptime function: anytype,
        arguments: anytype,
    ) void {
        _ = bytes; // For the model, which has to know what may change.
        @call(.auto, function, .{place} ++ arguments);
    }

    /// Lets `function` read `bytes` at `place`, all but the head of the record there.
    pub inline fn inspect(
        place: [*]const u8,
        bytes: usize,
        comptime function: anytype,
        arguments: anytype,
    ) Returned(function) {
        _ = bytes; // As above.
        return @call(.auto, function, .{place} ++ arguments);
    }

    /// Keeps stores before it ahead of stores after it, for every observer.
    pub inline fn storeBarrier() void {
        switch (builtin.cpu.arch) {
            .aarch64 => asm volatile ("dmb ishst" ::: .{ .memory = true }),
            else => asm volatile ("" ::: .{ .memory = true }), // x86-64 keeps stores in order.
        }
    }

    /// Keeps loads before it ahead of loads after it.
    pub inline fn loadBarrier() void {
        switch (builtin.cpu.arch) {
            .aarch64 => asm volatile ("dmb ishld" ::: .{ .memory = true }),
            else => asm volatile ("" ::: .{ .memory = true }), // x86-64 keeps loads in order.
        }
    }

    /// Keeps every access before it ahead of every access after it.
    pub inline fn fullFence() void {
        switch (builtin.cpu.arch) {
            .x86_64 => asm volatile ("lock orl $0, (%%rsp)" ::: .{ .memory = true }),
            .aarch64 => asm volatile ("dmb ish" ::: .{ .memory = true }),
            else => @compileError("no full fence for this processor"),
        }
    }
};

/// What a function returns.
pub fn Returned(comptime function: anytype) type {
    return @typeInfo(@TypeOf(function)).@"fn".return_type.?;
}

/// Fetches the line at `address` for writing ahead of time, so that the store finds it owned.
pub inline fn prefetchForWrite(address: [*]const u8) void {
    @prefetch(address, .{ .rw = .write, .locality = 3, .cache = .data });
}

/// Pushes the line at `address` from this core's caches to one that all cores share (CLDEMOTE, a
/// hint; x86-64 processors without it take it for a NOP). A reader then need not ask this core.
pub inline fn demote(address: [*]const u8) void {
    if (builtin.cpu.arch != .x86_64) return;
    asm volatile (".byte 0x0f, 0x1c, 0x00"
        :
        : [address] "{rax}" (address),
    );
}
