//! What the threads of an interleaving proof do: the access layer that stands in for memory.direct
//! and for the kernel's part of futex.zig, and what they tell the search.
const std = @import("std");
const machine_module = @import("interleave_machine.zig");
const AtomicOrder = std.builtin.AtomicOrder;
const Pair = @import("../memory.zig").Pair;
const Returned = @import("../memory.zig").Returned;
const canonical = machine_module.canonical;
const machine = &machine_module.machine;
const mix = machine_module.mix;
const read = machine_module.read;
const wait = machine_module.wait;

pub const isDead = machine_module.isDead;
pub const isFinished = machine_module.isFinished;
pub const isGone = machine_module.isGone;
pub const endFinished = machine_module.endFinished;
pub const nobody = machine_module.nobody;

/// Declares the shared memory. Accesses elsewhere are mistakes of a scenario.
pub fn shared(bytes: []u8) void {
    machine.region_start = @intFromPtr(bytes.ptr);
    machine.region_end = machine.region_start + bytes.len;
}

/// Declares that the `bytes` after `start` are also seen right behind themselves.
pub fn mirrored(start: [*]u8, bytes: usize) void {
    machine.mirror_start = @intFromPtr(start);
    machine.mirror_bytes = bytes;
}

/// Declares words that nobody changes (checked): loading them is no step of its own.
pub fn constantWords(addresses: []const usize) void {
    machine.constants.set(addresses);
}

/// Declares words that nobody reads (checked): storing them is no step of its own.
pub fn unreadWords(addresses: []const usize) void {
    machine.unread.set(addresses);
}

/// Waits until `condition` holds, which looks at memory as everybody sees it.
pub fn until(condition: *const fn () bool) void {
    _ = wait(.{ .until = condition });
}

/// Sleeps in the kernel while `word` is `expected`.
pub fn sleep(word: *const u32, expected: u32) void {
    _ = wait(.{ .sleep = .{ .address = @intFromPtr(word), .expected = expected } });
}

/// The thread that runs.
pub fn self() u8 {
    return machine.current;
}

/// The same as a step of a thread.
pub fn askGone(thread: u8) bool {
    return wait(.{ .ask = thread }) != 0;
}

/// Takes the one lock that the kernel drops when its holder dies.
pub fn lock() void {
    _ = wait(.lock);
}

pub fn holdsLock() bool {
    return machine.common.lock_owner == machine.current;
}

pub fn unlock() void {
    _ = wait(.unlock);
}

/// Says that all that the thread does from here on follows from `label`, which no other place in it
/// gives, and from shared memory: what it has read before no longer tells states apart.
pub fn forget(label: u64) void {
    machine.threads[machine.current].history = mix(machine.current + 1, label);
}

/// Says that the thread begins a part of its work with other accesses. Only a help for the search,
/// which learns what accesses are still to come.
pub fn beginPart() void {
    machine.threads[machine.current].part += 1;
}

/// Says that the run has come to what may not be. Does not return.
pub fn fail(message: []const u8) noreturn {
    machine.violation = message;
    machine_module.switchToScheduler();
    unreachable;
}

pub fn expect(condition: bool, message: []const u8) void {
    if (!condition) fail(message);
}

/// Writes a word that belongs to the proof and not to the protocol: seen by all at once.
pub fn note(word: *u64, value: u64) void {
    machine.has_noted = true;
    machine_module.poke(@intFromPtr(word), 8, value);
}

/// Shared memory as everybody sees it, without a step.
pub fn peek(comptime T: type, word: *const T) T {
    const address = canonical(@intFromPtr(word));
    if (machine.observer) |thread| machine.accesses.noteRead(thread, address);
    machine.has_noted = true;
    return @intCast(read(address, @sizeOf(T)));
}

/// The access layer. Same shape as memory.direct; the kernel's part of futex.zig too.
pub const memory = struct {
    pub fn load(comptime T: type, word: *const T, comptime _: AtomicOrder) T {
        return @intCast(loadBytes(@intFromPtr(word), @sizeOf(T)));
    }

    pub fn store(comptime T: type, word: *T, value: T, comptime how: AtomicOrder) void {
        if (how == .seq_cst) {
            _ = modify(T, word, .exchange, value);
        } else {
            push(@intFromPtr(word), @sizeOf(T), value, how == .release);
        }
    }

    pub fn exchange(comptime T: type, word: *T, value: T) T {
        return modify(T, word, .exchange, value);
    }

    pub fn add(comptime T: type, word: *T, value: T) T {
        return modify(T, word, .add, value);
    }

    pub fn setBits(comptime T: type, word: *T, bits: T) T {
        return modify(T, word, .set_bits, bits);
    }

    pub fn clearBits(comptime T: type, word: *T, bits: T) T {
        return modify(T, word, .clear_bits, bits);
    }

    pub fn raise(word: *u64, value: u64) void {
        _ = modify(u64, word, .raise, value);
    }

    fn modify(comptime T: type, word: *T, kind: machine_module.Modification, value: T) T {
        const address = @intFromPtr(word);
        const bytes = @sizeOf(T);
        return @intCast(wait(.{ .modify = .{
            .kind = kind,
            .address = address,
            .bytes = bytes,
            .value = value,
        } }));
    }

    pub fn compareExchange(comptime T: type, word: *T, expected: T, value: T) bool {
        return wait(.{ .compare = .{
            .address = @intFromPtr(word),
            .bytes = @sizeOf(T),
            .expected = expected,
            .value = value,
        } }) != 0;
    }

    pub fn compareExchangePair(pair: *Pair, expected: Pair, value: Pair) bool {
        return wait(.{ .modify_pair = .{
            .address = @intFromPtr(pair),
            .expected = expected,
            .value = value,
        } }) != 0;
    }

    pub fn storeBarrier() void {
        machine.threads[machine.current].barriers += 1;
    }

    pub fn loadBarrier() void {}

    pub fn fullFence() void {
        const thread = &machine.threads[machine.current];
        if (thread.buffered > 0) _ = wait(.fence) else thread.history = mix(thread.history, 0);
    }

    pub fn fenceEveryone() bool {
        if (!machine.scenario.has_membarrier) {
            fullFence();
            return false;
        }
        const everyone = (@as(u32, 1) << @intCast(machine.scenario.threads.len)) - 1;
        _ = wait(.{ .fence_everyone = everyone & ~(@as(u32, 1) << @intCast(machine.current)) });
        return true;
    }

    pub fn wakeAll(word: *const u32) void {
        _ = wait(.{ .wake = @intFromPtr(word) });
    }

    /// Runs `function` on a copy of the thread's own bytes and stores word by word what it made of
    /// them, but for the first word, which has to stay.
    pub fn edit(
        place: [*]u8,
        bytes: usize,
        comptime function: anytype,
        arguments: anytype,
    ) void {
        var copy: [record_bytes_max]u8 align(8) = undefined;
        const words: []u64 = @ptrCast(copy[0..bytes]);
        for (words, 0..) |*word, i| word.* = view(@intFromPtr(place) + 8 * i);
        const first = words[0];
        @call(.auto, function, .{@as([*]u8, &copy)} ++ arguments);
        expect(words[0] == first, "a sequence word was written as if it were nothing");
        for (words[1..], 1..) |word, i| push(@intFromPtr(place) + 8 * i, 8, word, false);
    }

    /// Runs `function` on a copy that is read word by word, but for the head of the record.
    pub fn inspect(
        place: [*]const u8,
        bytes: usize,
        comptime function: anytype,
        arguments: anytype,
    ) Returned(function) {
        var copy: [record_bytes_max]u8 align(8) = undefined;
        const words: []u64 = @ptrCast(copy[0..std.mem.alignForward(usize, bytes, 8)]);
        for (words[2..], 2..) |*word, i| word.* = loadBytes(@intFromPtr(place) + 8 * i, 8);
        return @call(.auto, function, .{@as([*]const u8, &copy)} ++ arguments);
    }
};

const record_bytes_max = 256;

fn loadBytes(address_given: usize, bytes: u8) u64 {
    const address = canonical(address_given);
    const thread = &machine.threads[machine.current];
    std.debug.assert(!machine.unread.has(address));
    if (machine_module.ownStore(thread, address)) |value| {
        thread.history = mix(thread.history, value);
        return value;
    }
    if (machine.constants.has(address)) return read(address, bytes);
    return wait(.{ .load = .{ .address = address, .bytes = bytes } });
}

/// What the thread itself sees at `address`, without a step.
fn view(address_given: usize) u64 {
    const address = canonical(address_given);
    const own = machine_module.ownStore(&machine.threads[machine.current], address);
    return own orelse read(address, 8);
}

fn push(address_given: usize, bytes: u8, value: u64, is_release: bool) void {
    const address = canonical(address_given);
    std.debug.assert(!machine.constants.has(address));
    if (machine.unread.has(address)) return;
    const thread = &machine.threads[machine.current];
    if (thread.buffered == 0) thread.barriers = 0;
    thread.buffer[thread.buffered] = .{
        .address = address,
        .value = value,
        .bytes = bytes,
        .is_release = is_release,
        .barriers = thread.barriers,
    };
    thread.buffered += 1;
}
