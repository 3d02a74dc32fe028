//! Interleave: runs a few threads of the real protocol code in every order that a machine allows.
//!
//! Each thread is a fiber. Every access to shared memory goes through `memory`, an access layer like
//! memory.direct, and stops there; the search then takes each possible next step in turn, goes on from
//! it to the end, comes back (memory, store buffers and the fiber's stack as they were) and takes the
//! next one. States that were met before are not searched again, so a search that ends has seen every
//! state that can be reached.
//!
//! What a machine is here:
//! - Loads take effect in program order, one at a time. A thread sees its own stores at once, others
//!   see them when they leave its store buffer, which each may do at any later moment.
//! - `tso`: stores leave the buffer in order, as on x86-64.
//! - `weak`: a store leaves before older ones to other words, unless it is a release or a `storeBarrier`
//!   stands between them, as on aarch64. Loads are not reordered there either, so what `loadBarrier`
//!   and acquire loads are for is *not* tested.
//! - Read-modify-write, `fullFence` and system calls wait until the buffer is empty.
//! - `fenceEveryone` ends after every other thread's buffer was empty at some moment meanwhile.
//! - A killed thread makes no more steps. What it had stored still leaves its buffer, and only then
//!   others can know of its death: the kernel drops its locks on the way out.
//!
//! States are told apart by 64-bit hashes: among a million of them, two are taken for one with a
//! probability of 3e-8. A thread's part of it is the hash of all values it has read.
const std = @import("std");
const fiber = std.Io.fiber;
const AtomicOrder = std.builtin.AtomicOrder;
const Pair = @import("../memory.zig").Pair;

pub const threads_max = 5;

/// How stores leave a store buffer.
pub const Order = enum { tso, weak };

/// What is searched: threads, and what has to hold when nothing moves any more.
pub const Scenario = struct {
    /// Puts shared memory into its first state, and declares it with `shared`.
    begin: *const fn () void,
    threads: []const *const fn () void,
    /// Says what is wrong in a state where no thread can move, or null. By default a thread that is
    /// neither finished nor dead is stuck there.
    end: *const fn () ?[]const u8 = endFinished,
    /// Threads that may be killed at any moment, as bits, and how many of them in one run.
    mortal: u32 = 0,
    deaths_max: u32 = 0,
    has_membarrier: bool = true,
};

pub const Outcome = struct {
    states: u64,
    /// States in which nothing moves any more.
    ends: u64,
    /// What did not hold, if anything.
    violation: ?[]const u8,
};

/// A store that others do not see yet.
const Entry = struct {
    address: usize,
    value: u64,
    bytes: u8,
    is_release: bool,
    /// Number of barriers before it among the stores in the buffer.
    barriers: u8,
};

const buffer_entries_max = 32;

/// What a thread is about to do to shared memory.
const Step = union(enum) {
    load: struct { address: usize, bytes: u8 },
    modify: struct { kind: Modification, address: usize, bytes: u8, value: u64 },
    modify_pair: struct { address: usize, expected: Pair, value: Pair },
    fence,
    /// Bit t: thread t has yet to be seen with an empty buffer.
    fence_everyone: u32,
    sleep: struct { address: usize, expected: u32 },
    wake: usize,
    until: *const fn () bool,
    lock,
    unlock,
    finish,
};

const Modification = enum { exchange, add, set_bits, clear_bits, raise };

const Thread = struct {
    context: fiber.Context,
    step: Step,
    result: u64,
    /// Hash of everything that it has read: where it stands, since it is deterministic.
    history: u64,
    buffer: [buffer_entries_max]Entry,
    buffered: u8,
    /// Entries before this were stored before the last step, so that a death cannot undo them.
    settled: u8,
    barriers: u8,
};

/// State that belongs to no thread; small, because it is copied for each step.
const Common = struct {
    memory_hash: u64,
    asleep: u32 = 0,
    finished: u32 = 0,
    killed: u32 = 0,
    deaths_left: u32,
    lock_owner: ?u8 = null,
};

const Undo = struct { address: usize, value: u64, bytes: u8 };

const Move = struct {
    thread: u8,
    kind: enum { run, flush, deliver, kill },
    /// Which store leaves, which thread is fenced, or how many stores were made before death.
    argument: u8 = 0,
};

const stack_bytes = 64 * 1024;
/// Bytes below a stack pointer that its function may use (x86-64 System V).
const red_zone_bytes = 128;
const moves_max = 4096;
const allocator = std.heap.page_allocator;

var stacks: [threads_max][stack_bytes]u8 align(64) = undefined;
var threads: [threads_max]Thread = undefined;
var scheduler: fiber.Context = undefined;
var current: u8 = 0;
var common: Common = undefined;
var scenario: *const Scenario = undefined;
var order: Order = .tso;
var undo: std.ArrayList(Undo) = .empty;
var saved: std.ArrayList(u8) = .empty;
var visited: Visited = .{};
var moves: [moves_max]Move = undefined;
var outcome: Outcome = undefined;

/// A range that is mapped a second time right behind itself.
var mirror_start: usize = 0;
var mirror_bytes: usize = 0;
var region_start: usize = 0;
var region_end: usize = 0;
var constants: []const usize = &.{};
var unread: []const usize = &.{};

/// Searches all orders. Every state is visited once.
pub fn explore(chosen: *const Scenario, store_order: Order) Outcome {
    scenario = chosen;
    order = store_order;
    common = .{ .memory_hash = 0, .deaths_left = chosen.deaths_max };
    outcome = .{ .states = 0, .ends = 0, .violation = null };
    undo.clearRetainingCapacity();
    saved.clearRetainingCapacity();
    visited.clear();
    mirror_bytes = 0;
    constants = &.{};
    unread = &.{};
    chosen.begin();
    for (chosen.threads, 0..) |_, i| startThread(@intCast(i));
    search(0);
    return outcome;
}

/// Declares the shared memory. Accesses elsewhere are mistakes of a scenario.
pub fn shared(bytes: []u8) void {
    region_start = @intFromPtr(bytes.ptr);
    region_end = region_start + bytes.len;
}

/// Declares that the `bytes` after `start` are also seen right behind themselves.
pub fn mirrored(start: [*]u8, bytes: usize) void {
    mirror_start = @intFromPtr(start);
    mirror_bytes = bytes;
}

/// Declares words that nobody changes (checked): loading them is no step of its own.
pub fn constantWords(addresses: []const usize) void {
    constants = addresses;
}

/// Declares words that nobody reads (checked): storing them is no step of its own.
pub fn unreadWords(addresses: []const usize) void {
    unread = addresses;
}

pub fn isDead(thread: usize) bool {
    return common.killed >> @intCast(thread) & 1 != 0 and threads[thread].buffered == 0;
}

pub fn isFinished(thread: usize) bool {
    return common.finished >> @intCast(thread) & 1 != 0;
}

pub fn isAsleep(thread: usize) bool {
    return common.asleep >> @intCast(thread) & 1 != 0;
}

pub fn endFinished() ?[]const u8 {
    for (scenario.threads, 0..) |_, i| {
        if (!isFinished(i) and !isDead(i)) return "a thread is stuck";
    }
    return null;
}

// ---- What threads do besides accesses.

/// Waits until `condition` holds, which looks at memory as everybody sees it.
pub fn until(condition: *const fn () bool) void {
    _ = wait(.{ .until = condition });
}

/// Sleeps in the kernel while `word` is `expected`.
pub fn sleep(word: *const u32, expected: u32) void {
    _ = wait(.{ .sleep = .{ .address = @intFromPtr(word), .expected = expected } });
}

/// Takes the one lock that the kernel drops when its holder dies.
pub fn lock() void {
    _ = wait(.lock);
}

pub fn unlock() void {
    _ = wait(.unlock);
}

/// Says that the run has come to what may not be. Does not return.
pub fn fail(message: []const u8) noreturn {
    outcome.violation = message;
    switchToScheduler();
    unreachable;
}

pub fn expect(condition: bool, message: []const u8) void {
    if (!condition) fail(message);
}

/// Writes a word that belongs to the proof and not to the protocol: seen by all at once.
pub fn note(word: *u64, value: u64) void {
    poke(@intFromPtr(word), 8, value);
}

/// Shared memory as everybody sees it, without a step.
pub fn peek(comptime T: type, word: *const T) T {
    return @intCast(read(@intFromPtr(word), @sizeOf(T)));
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

    fn modify(comptime T: type, word: *T, kind: Modification, value: T) T {
        const address = @intFromPtr(word);
        const bytes = @sizeOf(T);
        return @intCast(wait(.{ .modify = .{
            .kind = kind,
            .address = address,
            .bytes = bytes,
            .value = value,
        } }));
    }

    pub fn compareExchangePair(pair: *Pair, expected: Pair, value: Pair) bool {
        return wait(.{ .modify_pair = .{
            .address = @intFromPtr(pair),
            .expected = expected,
            .value = value,
        } }) != 0;
    }

    pub fn storeBarrier() void {
        threads[current].barriers += 1;
    }

    pub fn loadBarrier() void {}

    pub fn fullFence() void {
        if (threads[current].buffered > 0) _ = wait(.fence);
    }

    pub fn fenceEveryone() bool {
        if (!scenario.has_membarrier) {
            fullFence();
            return false;
        }
        const everyone = (@as(u32, 1) << @intCast(scenario.threads.len)) - 1;
        _ = wait(.{ .fence_everyone = everyone & ~(@as(u32, 1) << @intCast(current)) });
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

    /// Runs `function` on a copy that is read word by word.
    pub fn inspect(
        comptime T: type,
        place: [*]const u8,
        bytes: usize,
        comptime function: anytype,
        arguments: anytype,
    ) T {
        var copy: [record_bytes_max]u8 align(8) = undefined;
        const words: []u64 = @ptrCast(copy[0..std.mem.alignForward(usize, bytes, 8)]);
        words[0] = 0; // The sequence word: its readers load it by itself.
        for (words[1..], 1..) |*word, i| word.* = loadBytes(@intFromPtr(place) + 8 * i, 8);
        return @call(.auto, function, .{@as([*]const u8, &copy)} ++ arguments);
    }
};

const record_bytes_max = 256;

// ---- Inside a thread.

/// Stops before a step, and returns its result once the search has taken it.
fn wait(step: Step) u64 {
    const thread = &threads[current];
    thread.step = step;
    switchToScheduler();
    return threads[current].result;
}

fn switchToScheduler() void {
    const message: fiber.Switch = .{ .old = &threads[current].context, .new = &scheduler };
    _ = fiber.contextSwitch(&message);
}

fn loadBytes(address_given: usize, bytes: u8) u64 {
    const address = canonical(address_given);
    const thread = &threads[current];
    std.debug.assert(!isIn(unread, address));
    if (ownStore(thread, address)) |value| {
        thread.history = mix(thread.history, value);
        return value;
    }
    if (isIn(constants, address)) return read(address, bytes);
    return wait(.{ .load = .{ .address = address, .bytes = bytes } });
}

/// What the thread itself sees at `address`, without a step.
fn view(address_given: usize) u64 {
    const address = canonical(address_given);
    return ownStore(&threads[current], address) orelse read(address, 8);
}

fn ownStore(thread: *const Thread, address: usize) ?u64 {
    var i = thread.buffered;
    while (i > 0) {
        i -= 1;
        if (thread.buffer[i].address == address) return thread.buffer[i].value;
    }
    return null;
}

fn push(address_given: usize, bytes: u8, value: u64, is_release: bool) void {
    const address = canonical(address_given);
    std.debug.assert(!isIn(constants, address));
    if (isIn(unread, address)) return;
    const thread = &threads[current];
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

fn canonical(address: usize) usize {
    if (address -% mirror_start -% mirror_bytes < mirror_bytes) return address - mirror_bytes;
    return address;
}

fn isIn(words: []const usize, address: usize) bool {
    return std.mem.indexOfScalar(usize, words, address) != null;
}

// ---- Memory that can be taken back.

fn read(address: usize, bytes: u8) u64 {
    std.debug.assert(address >= region_start and address + bytes <= region_end);
    // SAFETY: inside what the scenario has declared, which is static.
    if (bytes == 4) return @as(*const u32, @ptrFromInt(address)).*;
    return @as(*const u64, @ptrFromInt(address)).*;
}

fn poke(address: usize, bytes: u8, value: u64) void {
    const old = read(address, bytes);
    if (old == value) return;
    undo.append(allocator, .{ .address = address, .value = old, .bytes = bytes }) catch
        @panic("no memory");
    common.memory_hash ^= wordHash(address, old) ^ wordHash(address, value);
    write(address, bytes, value);
}

fn write(address: usize, bytes: u8, value: u64) void {
    // SAFETY: as in `read`, which came first.
    if (bytes == 4) {
        @as(*u32, @ptrFromInt(address)).* = @intCast(value);
    } else {
        @as(*u64, @ptrFromInt(address)).* = value;
    }
}

fn undoTo(count: usize) void {
    while (undo.items.len > count) {
        const last = undo.pop().?;
        write(last.address, last.bytes, last.value);
    }
}

fn wordHash(address: usize, value: u64) u64 {
    return mix(address - region_start +% 1, value);
}

fn mix(state: u64, value: u64) u64 {
    var x = (state ^ value *% 0x9e3779b97f4a7c15) *% 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 29) *% 0x94d049bb133111eb;
    return x ^ x >> 32;
}

// ---- The search.

fn startThread(index: u8) void {
    const top = @intFromPtr(&stacks[index]) + stack_bytes - 64;
    const thread = &threads[index];
    thread.* = .{
        .context = undefined,
        .step = .finish,
        .result = 0,
        .history = mix(index, 1),
        .buffer = undefined,
        .buffered = 0,
        .settled = 0,
        .barriers = 0,
    };
    thread.context = switch (@import("builtin").cpu.arch) {
        // As after a call: the return address, which is never used, breaks the alignment.
        .x86_64 => .{ .rsp = top - 8, .rbp = 0, .rip = @intFromPtr(&threadMain) },
        .aarch64 => .{ .sp = top, .fp = 0, .pc = @intFromPtr(&threadMain) },
        else => @compileError("no fibers for this processor"),
    };
    resumeThread(index);
}

fn threadMain() callconv(.c) noreturn {
    scenario.threads[current]();
    _ = wait(.finish);
    unreachable;
}

fn resumeThread(index: u8) void {
    current = index;
    threads[index].settled = threads[index].buffered;
    const message: fiber.Switch = .{ .old = &scheduler, .new = &threads[index].context };
    _ = fiber.contextSwitch(&message);
}

fn search(depth: usize) void {
    if (!visited.insert(stateHash())) return;
    outcome.states += 1;
    var is_moving = false;
    for (0..scenario.threads.len) |i| {
        const index: u8 = @intCast(i);
        const thread = &threads[index];
        if (canRun(index)) {
            is_moving = true;
            take(.{ .thread = index, .kind = .run }, depth);
        }
        for (0..thread.buffered) |entry| {
            if (!canFlush(thread, entry)) continue;
            is_moving = true;
            take(.{ .thread = index, .kind = .flush, .argument = @intCast(entry) }, depth);
        }
        if (deliveries(index)) |mask| {
            for (0..scenario.threads.len) |other| {
                if (mask >> @intCast(other) & 1 == 0 or threads[other].buffered > 0) continue;
                is_moving = true;
                take(.{ .thread = index, .kind = .deliver, .argument = @intCast(other) }, depth);
            }
        }
        if (canDie(index)) {
            for (thread.settled..@as(usize, thread.buffered) + 1) |stored| {
                take(.{ .thread = index, .kind = .kill, .argument = @intCast(stored) }, depth);
            }
        }
        if (outcome.violation != null) return;
    }
    if (is_moving) return;
    outcome.ends += 1;
    if (scenario.end()) |violation| {
        outcome.violation = violation;
        report(depth);
    }
}

fn take(move: Move, depth: usize) void {
    if (outcome.violation != null) return;
    const thread = &threads[move.thread];
    const thread_before = thread.*;
    const common_before = common;
    const undo_before = undo.items.len;
    const saved_before = saved.items.len;
    moves[depth] = move;
    switch (move.kind) {
        .run => {
            saveStack(move.thread);
            run(move.thread);
        },
        .flush => flush(thread, move.argument),
        .deliver => thread.step.fence_everyone &= ~(@as(u32, 1) << @intCast(move.argument)),
        .kill => kill(move.thread, move.argument),
    }
    if (outcome.violation != null) {
        report(depth + 1);
    } else {
        search(depth + 1);
    }
    undoTo(undo_before);
    common = common_before;
    thread.* = thread_before;
    if (move.kind == .run) restoreStack(move.thread, saved_before);
}

fn canRun(index: u8) bool {
    const bit = @as(u32, 1) << @intCast(index);
    if ((common.finished | common.killed | common.asleep) & bit != 0) return false;
    const thread = &threads[index];
    return switch (thread.step) {
        .load => true,
        .until => |condition| condition(),
        .finish => true,
        .modify, .modify_pair, .fence, .sleep, .wake, .unlock => thread.buffered == 0,
        .fence_everyone => |mask| mask == 0,
        .lock => thread.buffered == 0 and (common.lock_owner == null or
            isDead(common.lock_owner.?)),
    };
}

fn canFlush(thread: *const Thread, index: usize) bool {
    if (order == .tso) return index == 0;
    const entry = &thread.buffer[index];
    for (thread.buffer[0..index]) |*older| {
        if (older.address == entry.address or entry.is_release) return false;
        if (older.barriers < entry.barriers) return false;
    }
    return true;
}

/// Threads that the one at `index` has yet to see fenced, if it waits for that.
fn deliveries(index: u8) ?u32 {
    if (common.killed >> @intCast(index) & 1 != 0) return null;
    const thread = &threads[index];
    if (thread.buffered > 0) return null;
    return switch (thread.step) {
        .fence_everyone => |mask| mask,
        else => null,
    };
}

fn canDie(index: u8) bool {
    const bit = @as(u32, 1) << @intCast(index);
    if (common.deaths_left == 0 or scenario.mortal & bit == 0) return false;
    return (common.finished | common.killed) & bit == 0;
}

fn kill(index: u8, stored: u8) void {
    const thread = &threads[index];
    const bit = @as(u32, 1) << @intCast(index);
    common.deaths_left -= 1;
    common.killed |= bit;
    common.asleep &= ~bit;
    thread.buffered = stored;
    thread.history = 0;
    thread.step = .finish;
}

fn flush(thread: *Thread, index: usize) void {
    const entry = thread.buffer[index];
    for (index + 1..thread.buffered) |i| thread.buffer[i - 1] = thread.buffer[i];
    thread.buffered -= 1;
    if (index < thread.settled) thread.settled -= 1;
    poke(entry.address, entry.bytes, entry.value);
}

/// Takes the thread's step and lets it go on to its next one.
fn run(index: u8) void {
    const thread = &threads[index];
    const bit = @as(u32, 1) << @intCast(index);
    switch (thread.step) {
        .load => |step| thread.result = read(step.address, step.bytes),
        .modify => |step| {
            const old = read(step.address, step.bytes);
            thread.result = old;
            poke(step.address, step.bytes, modified(step.kind, old, step.value, step.bytes));
        },
        .modify_pair => |step| {
            const low = step.address;
            const high = low + 8;
            const is_equal = read(low, 8) == step.expected.position and
                read(high, 8) == step.expected.sequence;
            thread.result = @intFromBool(is_equal);
            if (is_equal) {
                poke(low, 8, step.value.position);
                poke(high, 8, step.value.sequence);
            }
        },
        .sleep => |step| {
            if (read(step.address, 4) == step.expected) {
                common.asleep |= bit; // Goes on where it is woken: with this very step, as `until`.
                thread.step = .{ .until = &always };
                return;
            }
        },
        .wake => |address| wakeAll(address),
        .lock => common.lock_owner = index,
        .unlock => common.lock_owner = null,
        .finish => {
            common.finished |= bit;
            thread.history = 0;
            return;
        },
        .fence, .fence_everyone, .until => {},
    }
    thread.history = mix(thread.history, thread.result);
    resumeThread(index);
}

fn always() bool {
    return true;
}
