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
const AtomicOrder = std.builtin.AtomicOrder;
const Pair = @import("../memory.zig").Pair;
const Returned = @import("../memory.zig").Returned;

pub const threads_max = 5;
/// A thread that was dead before all began.
pub const nobody = 255;

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
    /// What did not hold, if anything, after how many moves.
    violation: ?[]const u8,
    depth: usize,

    /// Prints the moves that lead to the violation, the words by their offset in shared memory.
    pub fn print(result: *const Outcome) void {
        std.debug.print("{s}, after:\n", .{result.violation orelse return});
        for (machine.moves[0..result.depth]) |*move| {
            std.debug.print("  {d} {t}", .{ move.thread, move.kind });
            if (move.kind == .kill) std.debug.print(" after {d} stores", .{move.argument});
            if (move.kind == .run) std.debug.print(" {t}", .{move.step});
            if (addressOf(move.step)) |address| {
                std.debug.print(" +{d}", .{address - machine.region_start});
            }
            std.debug.print(": {d}\n", .{move.value});
        }
    }
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
    /// Asleep on that word; a step again once it is woken.
    asleep: usize,
    wake: usize,
    until: *const fn () bool,
    /// Asks whether that thread is gone.
    ask: u8,
    lock,
    unlock,
    finish,
};

const Modification = enum { exchange, add, set_bits, clear_bits, raise };

const Thread = struct {
    stack_pointer: usize,
    step: Step,
    result: u64,
    /// Hash of everything that it has read: where it stands, since it is deterministic.
    history: u64,
    buffer: [buffer_entries_max]Entry,
    buffered: u8,
    /// Entries before this were stored before the last step, so that a death cannot undo them.
    settled: u8,
    barriers: u8,
    /// How often it has forgotten.
    phase: u8,
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
    step: Step = .finish,
    /// What was read, or what left the buffer.
    value: u64 = 0,
};

const stack_bytes = 64 * 1024;
const moves_max = 4096;
/// Far above what a scenario should need.
const states_max = 4_000_000;
const allocator = std.heap.page_allocator;

/// Everything that changes. One object, whose address is given away at each switch of stacks: the
/// compiler cannot know what runs meanwhile, and must not keep any of it in registers.
var machine: Machine = .{};

const Machine = struct {
    stacks: [threads_max][stack_bytes]u8 align(64) = undefined,
    threads: [threads_max]Thread = undefined,
    scheduler_stack_pointer: usize = 0,
    current: u8 = 0,
    common: Common = undefined,
    scenario: *const Scenario = undefined,
    order: Order = .tso,
    undo: std.ArrayList(Undo) = .empty,
    /// Stacks as they were before the moves that lead here.
    saved: std.ArrayList(u8) = .empty,
    visited: Visited = .{},
    moves: [moves_max]Move = undefined,
    outcome: Outcome = undefined,
    region_start: usize = 0,
    region_end: usize = 0,
    /// A range that is mapped a second time right behind itself.
    mirror_start: usize = 0,
    mirror_bytes: usize = 0,
    constants: []const usize = &.{},
    unread: []const usize = &.{},
    accesses: Accesses = undefined,
    /// Thread whose condition is looked at from outside of it.
    observer: ?u8 = null,
    /// Whether the thread has touched notes since its last step.
    has_noted: bool = false,
};

/// Searches all orders.
pub fn explore(chosen: *const Scenario, store_order: Order) Outcome {
    machine.scenario = chosen;
    machine.order = store_order;
    @memset(std.mem.asBytes(&machine.accesses), 0);
    while (true) {
        machine.accesses.has_grown = false;
        searchOnce();
        if (machine.outcome.violation != null or !machine.accesses.has_grown) break;
    }
    return machine.outcome;
}

fn searchOnce() void {
    machine.common = .{ .memory_hash = 0, .deaths_left = machine.scenario.deaths_max };
    machine.outcome = .{ .states = 0, .ends = 0, .violation = null, .depth = 0 };
    machine.undo.clearRetainingCapacity();
    machine.saved.clearRetainingCapacity();
    machine.visited.clear();
    machine.mirror_bytes = 0;
    machine.constants = &.{};
    machine.unread = &.{};
    machine.scenario.begin();
    for (machine.scenario.threads, 0..) |_, i| startThread(@intCast(i));
    if (machine.outcome.violation == null) search(0);
}

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
    machine.constants = addresses;
}

/// Declares words that nobody reads (checked): storing them is no step of its own.
pub fn unreadWords(addresses: []const usize) void {
    machine.unread = addresses;
}

/// Whether the kernel has dropped the thread's locks: it is dead or has ended, and what it had stored
/// is seen by all.
pub fn isGone(thread: usize) bool {
    if (thread == nobody) return true;
    return machine.threads[thread].buffered == 0 and (isFinished(thread) or isDead(thread));
}

pub fn isDead(thread: usize) bool {
    if (thread == nobody) return true;
    return machine.common.killed >> @intCast(thread) & 1 != 0 and machine.threads[thread].buffered == 0;
}

pub fn isFinished(thread: usize) bool {
    return machine.common.finished >> @intCast(thread) & 1 != 0;
}

pub fn isAsleep(thread: usize) bool {
    return machine.common.asleep >> @intCast(thread) & 1 != 0;
}

pub fn endFinished() ?[]const u8 {
    for (machine.scenario.threads, 0..) |_, i| {
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

pub fn unlock() void {
    _ = wait(.unlock);
}

/// Says that all that the thread does from here on follows from `label`, which no other place in it
/// gives, and from shared memory: what it has read before no longer tells states apart.
pub fn forget(label: u64) void {
    const thread = &machine.threads[machine.current];
    thread.history = mix(machine.current + 1, label);
    thread.phase += 1;
}

/// Says that the run has come to what may not be. Does not return.
pub fn fail(message: []const u8) noreturn {
    machine.outcome.violation = message;
    switchToScheduler();
    unreachable;
}

pub fn expect(condition: bool, message: []const u8) void {
    if (!condition) fail(message);
}

/// Writes a word that belongs to the proof and not to the protocol: seen by all at once.
pub fn note(word: *u64, value: u64) void {
    machine.has_noted = true;
    poke(@intFromPtr(word), 8, value);
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

// ---- Inside a thread.

/// Stops before a step, and returns its result once the search has taken it.
fn wait(step: Step) u64 {
    const thread = &machine.threads[machine.current];
    thread.step = step;
    switchToScheduler();
    return machine.threads[machine.current].result;
}

fn switchToScheduler() void {
    const thread = &machine.threads[machine.current];
    interleave_switch(&thread.stack_pointer, machine.scheduler_stack_pointer);
}

fn loadBytes(address_given: usize, bytes: u8) u64 {
    const address = canonical(address_given);
    const thread = &machine.threads[machine.current];
    std.debug.assert(!isIn(machine.unread, address));
    if (ownStore(thread, address)) |value| {
        thread.history = mix(thread.history, value);
        return value;
    }
    if (isIn(machine.constants, address)) return read(address, bytes);
    return wait(.{ .load = .{ .address = address, .bytes = bytes } });
}

/// What the thread itself sees at `address`, without a step.
fn view(address_given: usize) u64 {
    const address = canonical(address_given);
    return ownStore(&machine.threads[machine.current], address) orelse read(address, 8);
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
    std.debug.assert(!isIn(machine.constants, address));
    if (isIn(machine.unread, address)) return;
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

fn canonical(address: usize) usize {
    if (address -% machine.mirror_start -% machine.mirror_bytes < machine.mirror_bytes) return address - machine.mirror_bytes;
    return address;
}

fn isIn(words: []const usize, address: usize) bool {
    for (words) |word| if (word == address) return true;
    return false;
}

// ---- Memory that can be taken back.

fn read(address: usize, bytes: u8) u64 {
    std.debug.assert(address >= machine.region_start and address + bytes <= machine.region_end);
    // SAFETY: inside what the scenario has declared, which is static.
    if (bytes == 4) return @as(*const u32, @ptrFromInt(address)).*;
    return @as(*const u64, @ptrFromInt(address)).*;
}

fn poke(address: usize, bytes: u8, value: u64) void {
    const old = read(address, bytes);
    if (old == value) return;
    machine.undo.append(allocator, .{ .address = address, .value = old, .bytes = bytes }) catch
        @panic("no memory");
    machine.common.memory_hash ^= wordHash(address, old) ^ wordHash(address, value);
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
    while (machine.undo.items.len > count) {
        const last = machine.undo.pop().?;
        write(last.address, last.bytes, last.value);
    }
}

fn wordHash(address: usize, value: u64) u64 {
    return mix(address - machine.region_start +% 1, value);
}

fn mix(state: u64, value: u64) u64 {
    var x = (state ^ value *% 0x9e3779b97f4a7c15) *% 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 29) *% 0x94d049bb133111eb;
    return x ^ x >> 32;
}

// ---- The search.

fn startThread(index: u8) void {
    const top = @intFromPtr(&machine.stacks[index]) + stack_bytes - 64;
    machine.threads[index] = .{
        .stack_pointer = top - 8 * saved_words,
        .step = .finish,
        .result = 0,
        .history = mix(index, 1),
        .buffer = undefined,
        .buffered = 0,
        .settled = 0,
        .barriers = 0,
        .phase = 0,
    };
    // SAFETY: inside the thread's stack, which nothing else uses yet.
    const words: [*]usize = @ptrFromInt(top - 8 * saved_words);
    @memset(words[0..saved_words], 0);
    words[return_word] = @intFromPtr(&threadMain);
    resumeThread(index);
}

fn threadMain() callconv(.c) noreturn {
    machine.scenario.threads[machine.current]();
    _ = wait(.finish);
    unreachable;
}

fn resumeThread(index: u8) void {
    machine.current = index;
    const thread = &machine.threads[index];
    thread.settled = thread.buffered;
    interleave_switch(&machine.scheduler_stack_pointer, thread.stack_pointer);
}

/// Saves the registers that a function must keep and the stack pointer, and goes on where
/// `new_stack_pointer` was saved. (std.Io.fiber.contextSwitch loses its argument in ReleaseSafe.)
extern fn interleave_switch(
    old_stack_pointer: *usize,
    new_stack_pointer: usize,
) callconv(.c) void;

const is_arm = @import("builtin").cpu.arch == .aarch64;
/// Words that `interleave_switch` leaves on a stack, and which of them it returns to. One word more
/// on x86-64, where a function begins with its return address on the stack.
const saved_words = if (is_arm) 20 else 8;
const return_word = if (is_arm) 11 else 6;

comptime {
    asm (if (is_arm)
            \\interleave_switch:
            \\  sub sp, sp, #160
            \\  stp x19, x20, [sp]
            \\  stp x21, x22, [sp, #16]
            \\  stp x23, x24, [sp, #32]
            \\  stp x25, x26, [sp, #48]
            \\  stp x27, x28, [sp, #64]
            \\  stp x29, x30, [sp, #80]
            \\  stp d8, d9, [sp, #96]
            \\  stp d10, d11, [sp, #112]
            \\  stp d12, d13, [sp, #128]
            \\  stp d14, d15, [sp, #144]
            \\  mov x9, sp
            \\  str x9, [x0]
            \\  mov sp, x1
            \\  ldp x19, x20, [sp]
            \\  ldp x21, x22, [sp, #16]
            \\  ldp x23, x24, [sp, #32]
            \\  ldp x25, x26, [sp, #48]
            \\  ldp x27, x28, [sp, #64]
            \\  ldp x29, x30, [sp, #80]
            \\  ldp d8, d9, [sp, #96]
            \\  ldp d10, d11, [sp, #112]
            \\  ldp d12, d13, [sp, #128]
            \\  ldp d14, d15, [sp, #144]
            \\  add sp, sp, #160
            \\  ret
        else
            \\interleave_switch:
            \\  pushq %rbp
            \\  pushq %rbx
            \\  pushq %r12
            \\  pushq %r13
            \\  pushq %r14
            \\  pushq %r15
            \\  movq %rsp, (%rdi)
            \\  movq %rsi, %rsp
            \\  popq %r15
            \\  popq %r14
            \\  popq %r13
            \\  popq %r12
            \\  popq %rbx
            \\  popq %rbp
            \\  ret
    );
}

fn search(depth: usize) void {
    if (!machine.visited.insert(stateHash())) return;
    machine.outcome.states += 1;
    if (machine.outcome.states == states_max) machine.outcome.violation = "too many states";
    if (privateMove()) |move| {
        if (take(move, depth)) return takeDeaths(move.thread, depth);
    }
    var is_moving = false;
    for (0..machine.scenario.threads.len) |i| {
        const index: u8 = @intCast(i);
        if (takeAll(index, depth)) is_moving = true;
        takeDeaths(index, depth);
        if (machine.outcome.violation != null) return;
    }
    if (is_moving) return;
    machine.outcome.ends += 1;
    if (machine.scenario.end()) |violation| {
        machine.outcome.violation = violation;
        machine.outcome.depth = depth;
    }
}

/// Takes each move that a thread can make but for its death. False if there is none.
fn takeAll(index: u8, depth: usize) bool {
    const thread = &machine.threads[index];
    var is_moving = false;
    if (canRun(index)) {
        is_moving = true;
        _ = take(.{ .thread = index, .kind = .run }, depth);
    }
    for (0..thread.buffered) |entry| {
        if (!canFlush(thread, entry)) continue;
        is_moving = true;
        _ = take(.{ .thread = index, .kind = .flush, .argument = @intCast(entry) }, depth);
    }
    const mask = deliveries(index) orelse return is_moving;
    for (0..machine.scenario.threads.len) |other| {
        if (mask >> @intCast(other) & 1 == 0 or machine.threads[other].buffered > 0) continue;
        is_moving = true;
        _ = take(.{ .thread = index, .kind = .deliver, .argument = @intCast(other) }, depth);
    }
    return is_moving;
}

fn takeDeaths(index: u8, depth: usize) void {
    if (!canDie(index)) return;
    const thread = &machine.threads[index];
    for (thread.settled..@as(usize, thread.buffered) + 1) |stored| {
        _ = take(.{ .thread = index, .kind = .kill, .argument = @intCast(stored) }, depth);
    }
}

/// Takes one move, searches on from there, and takes it back. False if it touched notes.
fn take(move: Move, depth: usize) bool {
    if (machine.outcome.violation != null) return true;
    const thread = &machine.threads[move.thread];
    const thread_before = thread.*;
    const common_before = machine.common;
    const undo_before = machine.undo.items.len;
    const saved_before = machine.saved.items.len;
    machine.moves[depth] = move;
    machine.moves[depth].step = thread.step;
    machine.has_noted = false;
    switch (move.kind) {
        .run => {
            saveStack(move.thread);
            run(move.thread);
            machine.moves[depth].value = thread.result;
        },
        .flush => {
            const entry = thread.buffer[move.argument];
            machine.moves[depth].step = .{ .load = .{ .address = entry.address, .bytes = entry.bytes } };
            machine.moves[depth].value = entry.value;
            flush(move.thread, move.argument);
        },
        .deliver => thread.step.fence_everyone &= ~(@as(u32, 1) << @intCast(move.argument)),
        .kill => kill(move.thread, move.argument),
    }
    const has_noted = machine.has_noted;
    if (machine.outcome.violation == null) search(depth + 1) else machine.outcome.depth = depth + 1;
    undoTo(undo_before);
    machine.common = common_before;
    thread.* = thread_before;
    if (move.kind == .run) restoreStack(move.thread, saved_before);
    return !has_noted;
}

/// A move that changes nothing for any other thread, whatever that does later, and that nothing
/// changes: taking it at once leaves no result out. Only its thread's death still makes a difference.
fn privateMove() ?Move {
    for (0..machine.scenario.threads.len) |i| {
        const index: u8 = @intCast(i);
        const thread = &machine.threads[index];
        for (thread.buffer[0..thread.buffered], 0..) |*entry, at| {
            if (!canFlush(thread, at)) continue;
            if (!isPrivate(index, entry.address, .write)) continue;
            return .{ .thread = index, .kind = .flush, .argument = @intCast(at) };
        }
        if (!canRun(index)) continue;
        const is_private = switch (thread.step) {
            .load => |step| isPrivate(index, step.address, .read),
            .modify => |step| isPrivate(index, step.address, .write),
            .modify_pair => |step| isPrivate(index, step.address, .write) and
                isPrivate(index, step.address + 8, .write),
            .fence => true,
            else => false,
        };
        if (is_private) return .{ .thread = index, .kind = .run };
    }
    return null;
}

fn isPrivate(index: u8, address: usize, kind: Accesses.Kind) bool {
    for (machine.threads[0..machine.scenario.threads.len], 0..) |*other, i| {
        if (i == index or isGone(i)) continue;
        if (machine.accesses.isComing(i, other.phase, address, kind)) return false;
    }
    return true;
}

/// Which words each thread reads and writes, up to which phase: learnt while searching. The search is
/// repeated until nothing more is learnt.
const Accesses = struct {
    last_read: [threads_max][words_max]u8,
    last_written: [threads_max][words_max]u8,
    has_grown: bool,

    const words_max = 16 * 1024;
    const Kind = enum { read, write };

    fn noteRead(accesses: *Accesses, thread: u8, address: usize) void {
        accesses.raise(&accesses.last_read[thread], thread, address);
    }

    fn noteWrite(accesses: *Accesses, thread: u8, address: usize) void {
        accesses.raise(&accesses.last_written[thread], thread, address);
    }

    fn raise(accesses: *Accesses, phases: []u8, thread: u8, address: usize) void {
        const phase = &phases[(address - machine.region_start) / 4];
        const now = machine.threads[thread].phase + 1;
        if (phase.* >= now) return;
        phase.* = now;
        accesses.has_grown = true;
    }

    /// Whether the thread may still do what conflicts with that kind of access to `address`.
    fn isComing(accesses: *const Accesses, thread: usize, phase: u8, address: usize, kind: Kind) bool {
        const word = (address - machine.region_start) / 4;
        if (accesses.last_written[thread][word] > phase) return true;
        return kind == .write and accesses.last_read[thread][word] > phase;
    }
};

fn canRun(index: u8) bool {
    const bit = @as(u32, 1) << @intCast(index);
    if ((machine.common.finished | machine.common.killed | machine.common.asleep) & bit != 0) return false;
    const thread = &machine.threads[index];
    return switch (thread.step) {
        .load => true,
        .until => |condition| isTrueFor(index, condition),
        .finish, .asleep, .ask => true,
        .modify, .modify_pair, .fence, .sleep, .wake, .unlock => thread.buffered == 0,
        .fence_everyone => |mask| mask == 0,
        .lock => thread.buffered == 0 and (machine.common.lock_owner == null or
            isDead(machine.common.lock_owner.?)),
    };
}

fn isTrueFor(index: u8, condition: *const fn () bool) bool {
    machine.observer = index;
    defer machine.observer = null;
    return condition();
}

fn canFlush(thread: *const Thread, index: usize) bool {
    if (machine.order == .tso) return index == 0;
    const entry = &thread.buffer[index];
    for (thread.buffer[0..index]) |*older| {
        if (older.address == entry.address or entry.is_release) return false;
        if (older.barriers < entry.barriers) return false;
    }
    return true;
}

/// Threads that the one at `index` has yet to see fenced, if it waits for that.
fn deliveries(index: u8) ?u32 {
    if (machine.common.killed >> @intCast(index) & 1 != 0) return null;
    const thread = &machine.threads[index];
    if (thread.buffered > 0) return null;
    return switch (thread.step) {
        .fence_everyone => |mask| mask,
        else => null,
    };
}

fn canDie(index: u8) bool {
    const bit = @as(u32, 1) << @intCast(index);
    if (machine.common.deaths_left == 0 or machine.scenario.mortal & bit == 0) return false;
    return (machine.common.finished | machine.common.killed) & bit == 0;
}

fn kill(index: u8, stored: u8) void {
    const thread = &machine.threads[index];
    const bit = @as(u32, 1) << @intCast(index);
    machine.common.deaths_left -= 1;
    machine.common.killed |= bit;
    machine.common.asleep &= ~bit;
    thread.buffered = stored;
    thread.history = 0;
    thread.step = .finish;
}

fn flush(thread_index: u8, index: usize) void {
    const thread = &machine.threads[thread_index];
    const entry = thread.buffer[index];
    for (index + 1..thread.buffered) |i| thread.buffer[i - 1] = thread.buffer[i];
    thread.buffered -= 1;
    if (index < thread.settled) thread.settled -= 1;
    machine.accesses.noteWrite(thread_index, entry.address);
    poke(entry.address, entry.bytes, entry.value);
}

/// Takes the thread's step and lets it go on to its next one.
fn run(index: u8) void {
    const thread = &machine.threads[index];
    const bit = @as(u32, 1) << @intCast(index);
    thread.result = 0;
    switch (thread.step) {
        .load => |step| {
            machine.accesses.noteRead(index, step.address);
            thread.result = read(step.address, step.bytes);
        },
        .modify => |step| {
            const old = read(step.address, step.bytes);
            thread.result = old;
            machine.accesses.noteWrite(index, step.address);
            machine.accesses.noteRead(index, step.address);
            poke(step.address, step.bytes, modified(step.kind, old, step.value, step.bytes));
        },
        .modify_pair => |step| {
            const low = step.address;
            const high = low + 8;
            const is_equal = read(low, 8) == step.expected.position and
                read(high, 8) == step.expected.sequence;
            thread.result = @intFromBool(is_equal);
            for ([_]usize{ low, high }) |address| {
                machine.accesses.noteWrite(index, address);
                machine.accesses.noteRead(index, address);
            }
            if (is_equal) {
                poke(low, 8, step.value.position);
                poke(high, 8, step.value.sequence);
            }
        },
        .sleep => |step| {
            machine.accesses.noteRead(index, step.address);
            if (read(step.address, 4) == step.expected) {
                machine.common.asleep |= bit;
                thread.step = .{ .asleep = step.address };
                return;
            }
        },
        .wake => |address| wakeAll(address),
        .ask => |thread_asked| thread.result = @intFromBool(isGone(thread_asked)),
        .lock => machine.common.lock_owner = index,
        .unlock => machine.common.lock_owner = null,
        .finish => {
            machine.common.finished |= bit;
            thread.history = 0;
            return;
        },
        .fence, .fence_everyone, .until, .asleep => {},
    }
    thread.history = mix(thread.history, thread.result);
    resumeThread(index);
}

fn modified(kind: Modification, old: u64, value: u64, bytes: u8) u64 {
    const result = switch (kind) {
        .exchange => value,
        .add => old +% value,
        .set_bits => old | value,
        .clear_bits => old & ~value,
        .raise => @max(old, value),
    };
    return if (bytes == 4) result & std.math.maxInt(u32) else result;
}

fn wakeAll(address: usize) void {
    for (0..machine.scenario.threads.len) |i| {
        const bit = @as(u32, 1) << @intCast(i);
        if (machine.common.asleep & bit == 0 or machine.threads[i].step.asleep != address) continue;
        machine.common.asleep &= ~bit;
    }
}

fn addressOf(step: Step) ?usize {
    return switch (step) {
        .load => |load| load.address,
        .modify => |modify| modify.address,
        .modify_pair => |pair| pair.address,
        .sleep => |sleeping| sleeping.address,
        .wake, .asleep => |address| address,
        .fence, .fence_everyone, .until, .ask, .lock, .unlock, .finish => null,
    };
}

fn saveStack(index: u8) void {
    machine.saved.appendSlice(allocator, liveStack(index)) catch @panic("no memory");
}

fn restoreStack(index: u8, start: usize) void {
    @memcpy(liveStack(index), machine.saved.items[start..]);
    machine.saved.shrinkRetainingCapacity(start);
}

fn liveStack(index: u8) []u8 {
    const stack = &machine.stacks[index];
    return stack[machine.threads[index].stack_pointer - @intFromPtr(stack) ..];
}

fn stateHash() u64 {
    var hash = mix(machine.common.memory_hash, machine.common.asleep | machine.common.finished << 8 | machine.common.killed << 16);
    if (machine.common.lock_owner) |owner| hash = mix(hash, owner);
    for (machine.threads[0..machine.scenario.threads.len], 0..) |*thread, i| {
        hash = mix(hash, thread.history);
        hash = mix(hash, @as(u64, thread.phase) << 8 | thread.buffered);
        for (thread.buffer[0..thread.buffered]) |*entry| {
            hash = mix(hash ^ entry.value, entry.address - machine.region_start);
            if (machine.order == .tso) continue;
            const barriers = entry.barriers - thread.buffer[0].barriers;
            hash = mix(hash, @as(u64, barriers) << 1 | @intFromBool(entry.is_release));
        }
        if (thread.step == .fence_everyone) hash = mix(hash, thread.step.fence_everyone);
        if (canDie(@intCast(i))) hash = mix(hash, thread.settled);
    }
    return mix(hash, machine.common.deaths_left);
}

/// Set of hashes: open addressing, at most half full. 0 stands for an empty place.
const Visited = struct {
    table: []u64 = &.{},
    count: usize = 0,

    fn clear(set: *Visited) void {
        @memset(set.table, 0);
        set.count = 0;
    }

    /// True if the hash is new.
    fn insert(set: *Visited, hash: u64) bool {
        if (2 * (set.count + 1) > set.table.len) set.grow();
        const place = set.find(@max(hash, 1));
        if (place.* != 0) return false;
        place.* = @max(hash, 1);
        set.count += 1;
        return true;
    }

    fn find(set: *Visited, hash: u64) *u64 {
        var i = hash & (set.table.len - 1);
        while (set.table[i] != 0 and set.table[i] != hash) i = (i + 1) & (set.table.len - 1);
        return &set.table[i];
    }

    fn grow(set: *Visited) void {
        const old = set.table;
        set.table = allocator.alloc(u64, @max(1 << 16, 2 * old.len)) catch @panic("no memory");
        @memset(set.table, 0);
        for (old) |hash| {
            if (hash != 0) set.find(hash).* = hash;
        }
        allocator.free(old);
    }
};
