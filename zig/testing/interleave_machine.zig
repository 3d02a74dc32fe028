//! The machine that the interleaving proofs run on: threads, store buffers, memory, and the steps
//! that can be taken and taken back. What it models is told in interleave.zig, which chooses the
//! steps.
const std = @import("std");
const Pair = @import("../memory.zig").Pair;

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
    /// Whether `fenceEveryone` works; else it is a fence of the caller alone.
    has_membarrier: bool = false,
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

const buffer_entries_max = 20;

/// What a thread is about to do to shared memory.
pub const Step = union(enum) {
    load: struct { address: usize, bytes: u8 },
    modify: struct { kind: Modification, address: usize, bytes: u8, value: u64 },
    compare: struct { address: usize, bytes: u8, expected: u64, value: u64 },
    modify_pair: struct { address: usize, expected: Pair, value: Pair },
    fence,
    /// Bit t: thread t has yet to be fenced.
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

pub const Modification = enum { exchange, add, set_bits, clear_bits, raise };

pub const Thread = struct {
    stack_pointer: usize,
    step: Step,
    result: u64,
    /// Hash of everything that it has read: where it stands, since it is deterministic.
    history: u64,
    buffer: [buffer_entries_max]Entry,
    buffered: u8,
    /// Entries before this were stored before the last step. Those behind may count as not stored
    /// yet: a death can still prevent them, and somebody else's fence may have come before them.
    settled: u8,
    barriers: u8,
    /// Which part of its work it is in.
    part: u8,
    /// Hash of all that tells its states apart, but for `settled`.
    hash: u64,
};

/// State that belongs to no thread; small, because it is copied for each step.
pub const Common = struct {
    memory_hash: u64,
    asleep: u32 = 0,
    finished: u32 = 0,
    killed: u32 = 0,
    deaths_left: u32,
    lock_owner: ?u8 = null,
};

const Undo = struct { address: usize, value: u64, bytes: u8 };

const stack_bytes = 64 * 1024;
const allocator = std.heap.page_allocator;

/// Everything that changes. One object, whose address is given away at each switch of stacks: the
/// compiler cannot know what runs meanwhile, and must not keep any of it in registers.
pub var machine: Machine = .{};

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
    /// What did not hold, if anything.
    violation: ?[]const u8 = null,
    region_start: usize = 0,
    region_end: usize = 0,
    /// A range that is mapped a second time right behind itself.
    mirror_start: usize = 0,
    mirror_bytes: usize = 0,
    constants: Words = .{},
    unread: Words = .{},
    accesses: Accesses = undefined,
    /// Thread whose condition is looked at from outside of it.
    observer: ?u8 = null,
    /// Whether the thread has touched notes since its last step.
    has_noted: bool = false,
};

/// Begins again from the scenario's first state, each thread before its first step.
pub fn restart() void {
    machine.common = .{ .memory_hash = 0, .deaths_left = machine.scenario.deaths_max };
    machine.violation = null;
    machine.undo.clearRetainingCapacity();
    machine.saved.clearRetainingCapacity();
    machine.mirror_bytes = 0;
    machine.constants = .{};
    machine.unread = .{};
    machine.scenario.begin();
    for (machine.scenario.threads, 0..) |_, i| startThread(@intCast(i));
}

/// A few addresses.
const Words = struct {
    addresses: [8]usize = undefined,
    count: usize = 0,

    pub fn set(words: *Words, addresses: []const usize) void {
        @memcpy(words.addresses[0..addresses.len], addresses);
        words.count = addresses.len;
    }

    pub fn has(words: *const Words, address: usize) bool {
        for (words.addresses[0..words.count]) |word| if (word == address) return true;
        return false;
    }
};

/// Whether the kernel has dropped the thread's locks: it is dead or has ended, and what it had
/// stored is seen by all.
pub fn isGone(thread: usize) bool {
    if (thread == nobody) return true;
    return machine.threads[thread].buffered == 0 and (isFinished(thread) or isDead(thread));
}

pub fn isDead(thread: usize) bool {
    if (thread == nobody) return true;
    const is_killed = machine.common.killed >> @intCast(thread) & 1 != 0;
    return is_killed and machine.threads[thread].buffered == 0;
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

// ---- Stacks.

/// Stops before a step, and returns its result once the search has taken it.
pub fn wait(step: Step) u64 {
    const thread = &machine.threads[machine.current];
    thread.step = step;
    switchToScheduler();
    return machine.threads[machine.current].result;
}

pub fn switchToScheduler() void {
    const thread = &machine.threads[machine.current];
    interleave_switch(&thread.stack_pointer, machine.scheduler_stack_pointer);
}

pub fn startThread(index: u8) void {
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
        .part = 0,
        .hash = 0,
    };
    // SAFETY: inside the thread's stack, which nothing else uses yet.
    const words: [*]usize = @ptrFromInt(top - 8 * saved_words);
    @memset(words[0..saved_words], 0);
    words[return_word] = @intFromPtr(&threadMain);
    resumeThread(index);
    machine.threads[index].hash = threadHash(index);
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

pub fn saveStack(index: u8) void {
    machine.saved.appendSlice(allocator, liveStack(index)) catch @panic("no memory");
}

pub fn restoreStack(index: u8, start: usize) void {
    @memcpy(liveStack(index), machine.saved.items[start..]);
    machine.saved.shrinkRetainingCapacity(start);
}

fn liveStack(index: u8) []u8 {
    const stack = &machine.stacks[index];
    return stack[machine.threads[index].stack_pointer - @intFromPtr(stack) ..];
}

// ---- Memory that can be taken back.

pub fn read(address: usize, bytes: u8) u64 {
    std.debug.assert(address >= machine.region_start and address + bytes <= machine.region_end);
    // SAFETY: inside what the scenario has declared, which is static.
    if (bytes == 4) return @as(*const u32, @ptrFromInt(address)).*;
    return @as(*const u64, @ptrFromInt(address)).*;
}

pub fn poke(address: usize, bytes: u8, value: u64) void {
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

pub fn undoTo(count: usize) void {
    while (machine.undo.items.len > count) {
        const last = machine.undo.pop().?;
        write(last.address, last.bytes, last.value);
    }
}

fn wordHash(address: usize, value: u64) u64 {
    return mix(address - machine.region_start +% 1, value);
}

pub fn mix(state: u64, value: u64) u64 {
    var x = (state ^ value *% 0x9e3779b97f4a7c15) *% 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 29) *% 0x94d049bb133111eb;
    return x ^ x >> 32;
}

/// Where a word is that may be named by its mirror image.
pub fn canonical(address: usize) usize {
    const beyond = address -% machine.mirror_start -% machine.mirror_bytes;
    return if (beyond < machine.mirror_bytes) address - machine.mirror_bytes else address;
}

// ---- Steps.

pub fn canRun(index: u8) bool {
    const bit = @as(u32, 1) << @intCast(index);
    const common = &machine.common;
    if ((common.finished | common.killed | common.asleep) & bit != 0) return false;
    const thread = &machine.threads[index];
    return switch (thread.step) {
        .load => true,
        .until => |condition| isTrueFor(index, condition),
        .finish, .asleep, .ask => true,
        .modify, .compare, .modify_pair, .fence, .sleep, .wake, .unlock => thread.buffered == 0,
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

pub fn canFlush(thread: *const Thread, index: usize) bool {
    if (machine.order == .tso) return index == 0;
    const entry = &thread.buffer[index];
    for (thread.buffer[0..index]) |*older| {
        if (older.address == entry.address or entry.is_release) return false;
        if (older.barriers < entry.barriers) return false;
    }
    return true;
}

/// Threads that the one at `index` has yet to see fenced, if it waits for that.
pub fn deliveries(index: u8) ?u32 {
    if (machine.common.killed >> @intCast(index) & 1 != 0) return null;
    const thread = &machine.threads[index];
    if (thread.buffered > 0) return null;
    return switch (thread.step) {
        .fence_everyone => |mask| mask,
        else => null,
    };
}

pub fn canDie(index: u8) bool {
    const bit = @as(u32, 1) << @intCast(index);
    if (machine.common.deaths_left == 0 or machine.scenario.mortal & bit == 0) return false;
    return (machine.common.finished | machine.common.killed) & bit == 0;
}

pub fn kill(index: u8, stored: u8) void {
    const thread = &machine.threads[index];
    const bit = @as(u32, 1) << @intCast(index);
    machine.common.deaths_left -= 1;
    machine.common.killed |= bit;
    machine.common.asleep &= ~bit;
    thread.buffered = stored;
    thread.history = 0;
    thread.step = .finish;
}

pub fn flush(thread_index: u8, index: usize) void {
    const thread = &machine.threads[thread_index];
    const entry = thread.buffer[index];
    for (index + 1..thread.buffered) |i| thread.buffer[i - 1] = thread.buffer[i];
    thread.buffered -= 1;
    if (index < thread.settled) thread.settled -= 1;
    machine.accesses.noteWrite(thread_index, entry.address);
    poke(entry.address, entry.bytes, entry.value);
}

/// Takes the thread's step and lets it go on to its next one.
pub fn run(index: u8) void {
    const thread = &machine.threads[index];
    const bit = @as(u32, 1) << @intCast(index);
    thread.result = 0;
    switch (thread.step) {
        .load => |step| {
            machine.accesses.noteRead(index, step.address);
            thread.result = read(step.address, step.bytes);
        },
        .modify => |step| {
            std.debug.assert(!machine.constants.has(step.address));
            const old = read(step.address, step.bytes);
            thread.result = old;
            machine.accesses.noteWrite(index, step.address);
            machine.accesses.noteRead(index, step.address);
            poke(step.address, step.bytes, modified(step.kind, old, step.value, step.bytes));
        },
        .compare => |step| {
            const is_equal = read(step.address, step.bytes) == step.expected;
            thread.result = @intFromBool(is_equal);
            machine.accesses.noteWrite(index, step.address);
            machine.accesses.noteRead(index, step.address);
            if (is_equal) poke(step.address, step.bytes, step.value);
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

/// The newest store to `address` in the thread's own buffer.
pub fn ownStore(thread: *const Thread, address: usize) ?u64 {
    var i = thread.buffered;
    while (i > 0) {
        i -= 1;
        if (thread.buffer[i].address == address) return thread.buffer[i].value;
    }
    return null;
}

/// Which words each thread reads and writes, up to which part of its work: learnt while searching.
/// The search is repeated until nothing more is learnt.
pub const Accesses = struct {
    last_read: [threads_max][words_max]u8,
    last_written: [threads_max][words_max]u8,
    has_grown: bool,

    const words_max = 16 * 1024;
    pub const Kind = enum { read, write };

    pub fn noteRead(accesses: *Accesses, thread: u8, address: usize) void {
        accesses.raise(&accesses.last_read[thread], thread, address);
    }

    pub fn noteWrite(accesses: *Accesses, thread: u8, address: usize) void {
        accesses.raise(&accesses.last_written[thread], thread, address);
    }

    fn raise(accesses: *Accesses, parts: []u8, thread: u8, address: usize) void {
        const part = &parts[(address - machine.region_start) / 4];
        const now = machine.threads[thread].part + 1;
        if (part.* >= now) return;
        part.* = now;
        accesses.has_grown = true;
    }

    /// Whether the thread may still do what conflicts with that kind of access to `address`.
    pub fn isComing(
        accesses: *const Accesses,
        thread: usize,
        part: u8,
        address: usize,
        kind: Kind,
    ) bool {
        const word = (address - machine.region_start) / 4;
        if (accesses.last_written[thread][word] > part) return true;
        return kind == .write and accesses.last_read[thread][word] > part;
    }
};

// ---- Hashes.

pub fn stateHash() u64 {
    const common = &machine.common;
    const bits = common.asleep | common.finished << 8 | common.killed << 16;
    var hash = mix(common.memory_hash, @as(u64, bits) << 16 | common.deaths_left);
    hash = mix(hash, common.lock_owner orelse threads_max);
    for (machine.threads[0..machine.scenario.threads.len], 0..) |*thread, i| {
        hash = mix(hash, thread.hash);
        const is_counted = machine.scenario.has_membarrier or canDie(@intCast(i));
        if (is_counted) hash = mix(hash, thread.settled);
    }
    return hash;
}

pub fn threadHash(index: u8) u64 {
    const thread = &machine.threads[index];
    // The step too: `fence_everyone` and `sleep` change theirs on the way.
    const step: u64 = @intFromEnum(thread.step);
    const waited: u64 = if (thread.step == .fence_everyone) thread.step.fence_everyone else 0;
    const part: u64 = thread.part;
    var hash = mix(~thread.history, waited << 24 | step << 16 | part << 8 | thread.buffered);
    for (thread.buffer[0..thread.buffered]) |*entry| {
        hash = mix(hash ^ entry.value, entry.address - machine.region_start);
        if (machine.order == .tso) continue;
        const barriers = entry.barriers - thread.buffer[0].barriers;
        hash = mix(hash, @as(u64, barriers) << 1 | @intFromBool(entry.is_release));
    }
    return hash;
}
