//! Interleave: runs a few threads of the real protocol code in every order that a machine allows.
//!
//! Each thread is a fiber. Every access to shared memory goes through `memory`, an access layer
//! like memory.direct, and stops there; the search then takes each possible next step in turn, goes
//! on from it to the end, comes back (memory, store buffers and the fiber's stack as they were) and
//! takes the next one. States that were met before are not searched again, so a search that ends
//! has seen every state that can be reached.
//!
//! What a machine is here:
//! - Loads take effect in program order, one at a time. A thread sees its own stores at once,
//!   others see them when they leave its store buffer, which each may do at any later moment.
//! - `tso`: stores leave the buffer in order, as on x86-64.
//! - `weak`: a store leaves before older ones to other words, unless it is a release or a
//!   `storeBarrier` stands between them, as on aarch64. Loads are not reordered there either, so
//!   what `loadBarrier` and acquire loads are for is *not* tested.
//! - Read-modify-write, `fullFence` and system calls wait until the buffer is empty.
//! - `fenceEveryone` ends after every other thread was fenced at some moment meanwhile, which is
//!   when all that it had stored by then is out of its buffer.
//! - A killed thread makes no more steps. What it had stored still leaves its buffer, and only then
//!   others can know of its death: the kernel drops its locks on the way out.
//!
//! States are told apart by 64-bit hashes: among a million of them, two are taken for one with a
//! probability of 3e-8. A thread's part of it is the hash of all values it has read.

const std = @import("std");
const core = @import("interleave_machine.zig");
const machine = &core.machine;

pub const Order = core.Order;
pub const Scenario = core.Scenario;

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
        for (moves[0..result.depth]) |*move| {
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

const Move = struct {
    thread: u8,
    kind: enum { run, flush, deliver, kill },
    /// Which store leaves, which thread is fenced, or how many stores were made before death.
    argument: u8 = 0,
    step: core.Step = .finish,
    /// What was read, or what left the buffer.
    value: u64 = 0,
};

const moves_max = 1024;
/// Far above what a scenario should need.
const states_max = 4_000_000;
const allocator = std.heap.page_allocator;

var moves: [moves_max]Move = undefined;
var outcome: Outcome = undefined;
var visited: Visited = .{};
/// Whether moves of no consequence are taken at once (`privateMove`).
var is_reduced = true;

/// Searches all orders.
pub fn explore(chosen: *const Scenario, store_order: Order) Outcome {
    return exploreReduced(chosen, store_order, true);
}

/// The same with or without the reduction to moves that matter (`privateMove`), for the proof of
/// that.
pub fn exploreReduced(chosen: *const Scenario, store_order: Order, wants_reduced: bool) Outcome {
    is_reduced = wants_reduced;
    machine.scenario = chosen;
    machine.order = store_order;
    @memset(std.mem.asBytes(&machine.accesses), 0);
    while (true) {
        machine.accesses.has_grown = false;
        searchOnce();
        if (outcome.violation != null or !machine.accesses.has_grown) break;
    }
    return outcome;
}

fn searchOnce() void {
    outcome = .{ .states = 0, .ends = 0, .violation = null, .depth = 0 };
    visited.clear();
    core.restart();
    if (machine.violation == null) search(0);
    outcome.violation = machine.violation;
}

fn search(depth: usize) void {
    if (!visited.insert(core.stateHash())) return;
    outcome.states += 1;
    if (outcome.states == states_max) machine.violation = "too many states";
    if (if (is_reduced) privateMove() else null) |move| {
        if (take(move, depth)) return takeDeaths(move.thread, depth);
    }
    var is_moving = false;
    for (0..machine.scenario.threads.len) |i| {
        const index: u8 = @intCast(i);
        if (takeAll(index, depth)) is_moving = true;
        takeDeaths(index, depth);
        if (machine.violation != null) return;
    }
    if (is_moving) return;
    outcome.ends += 1;
    if (machine.scenario.end()) |violation| {
        machine.violation = violation;
        outcome.depth = depth;
    }
}

/// Takes each move that a thread can make but for its death. False if there is none.
fn takeAll(index: u8, depth: usize) bool {
    const thread = &machine.threads[index];
    var is_moving = false;
    if (core.canRun(index)) {
        is_moving = true;
        _ = take(.{ .thread = index, .kind = .run }, depth);
    }
    for (0..thread.buffered) |entry| {
        if (!core.canFlush(thread, entry)) continue;
        is_moving = true;
        _ = take(.{ .thread = index, .kind = .flush, .argument = @intCast(entry) }, depth);
    }
    const mask = core.deliveries(index) orelse return is_moving;
    for (0..machine.scenario.threads.len) |other| {
        if (mask >> @intCast(other) & 1 == 0 or machine.threads[other].settled > 0) continue;
        is_moving = true;
        _ = take(.{ .thread = index, .kind = .deliver, .argument = @intCast(other) }, depth);
    }
    return is_moving;
}

fn takeDeaths(index: u8, depth: usize) void {
    if (!core.canDie(index)) return;
    const thread = &machine.threads[index];
    for (thread.settled..@as(usize, thread.buffered) + 1) |stored| {
        _ = take(.{ .thread = index, .kind = .kill, .argument = @intCast(stored) }, depth);
    }
}

/// Takes one move, searches on from there, and takes it back. False if it touched notes.
fn take(move: Move, depth: usize) bool {
    if (machine.violation != null) return true;
    const thread = &machine.threads[move.thread];
    const thread_before = thread.*;
    const common_before = machine.common;
    const undo_before = machine.undo.items.len;
    const saved_before = machine.saved.items.len;
    moves[depth] = move;
    moves[depth].step = thread.step;
    machine.has_noted = false;
    switch (move.kind) {
        .run => {
            core.saveStack(move.thread);
            core.run(move.thread);
            moves[depth].value = thread.result;
        },
        .flush => {
            const entry = thread.buffer[move.argument];
            moves[depth].step = .{ .load = .{ .address = entry.address, .bytes = entry.bytes } };
            moves[depth].value = entry.value;
            core.flush(move.thread, move.argument);
        },
        .deliver => thread.step.fence_everyone &= ~(@as(u32, 1) << @intCast(move.argument)),
        .kill => core.kill(move.thread, move.argument),
    }
    const has_noted = machine.has_noted;
    thread.hash = core.threadHash(move.thread);
    if (machine.violation == null) search(depth + 1) else outcome.depth = depth + 1;
    core.undoTo(undo_before);
    machine.common = common_before;
    thread.* = thread_before;
    if (move.kind == .run) core.restoreStack(move.thread, saved_before);
    return !has_noted;
}

/// A move that changes nothing for any other thread, whatever that does later, and that nothing
/// changes: taking it at once leaves no result out. Only its thread's death still makes a
/// difference.
fn privateMove() ?Move {
    for (0..machine.scenario.threads.len) |i| {
        const index: u8 = @intCast(i);
        const thread = &machine.threads[index];
        for (thread.buffer[0..thread.buffered], 0..) |*entry, at| {
            if (!core.canFlush(thread, at)) continue;
            if (!isPrivate(index, entry.address, .write)) continue;
            return .{ .thread = index, .kind = .flush, .argument = @intCast(at) };
        }
        // A fence that comes as soon as it can forbids nothing that a later one allows.
        if (core.deliveries(index)) |mask| for (0..machine.scenario.threads.len) |other| {
            if (mask >> @intCast(other) & 1 == 0 or machine.threads[other].settled > 0) continue;
            return .{ .thread = index, .kind = .deliver, .argument = @intCast(other) };
        };
        if (!core.canRun(index)) continue;
        // A step settles what was stored before it, which somebody's `fenceEveryone` waits for.
        if (machine.scenario.has_membarrier and thread.settled < thread.buffered) continue;
        const is_private = switch (thread.step) {
            .load => |step| isPrivate(index, step.address, .read),
            .modify => |step| isPrivate(index, step.address, .write),
            .compare => |step| isPrivate(index, step.address, .write),
            .modify_pair => |step| isPrivate(index, step.address, .write) and
                isPrivate(index, step.address + 8, .write),
            .fence => true,
            else => false,
        };
        if (is_private) return .{ .thread = index, .kind = .run };
    }
    return null;
}

fn isPrivate(index: u8, address: usize, kind: core.Accesses.Kind) bool {
    for (machine.threads[0..machine.scenario.threads.len], 0..) |*other, i| {
        if (i == index or core.isGone(i)) continue;
        if (machine.accesses.isComing(i, other.part, address, kind)) return false;
    }
    return true;
}

fn addressOf(step: core.Step) ?usize {
    return switch (step) {
        .load => |load| load.address,
        .modify => |modify| modify.address,
        .compare => |compare| compare.address,
        .modify_pair => |pair| pair.address,
        .sleep => |sleeping| sleeping.address,
        .wake, .asleep => |address| address,
        .fence, .fence_everyone, .until, .ask, .lock, .unlock, .finish => null,
    };
}

/// Proves a scenario: no order of its steps leads to a violation. `states_min` keeps a scenario
/// that has shrunk by mistake from passing for a proof.
pub fn prove(chosen: *const Scenario, orders: []const Order, states_min: u64) !void {
    for (orders) |store_order| {
        const found = explore(chosen, store_order);
        if (found.violation != null) {
            found.print();
            return error.TestUnexpectedResult;
        }
        std.debug.print("{t} {d} {d}\n", .{ store_order, found.states, found.ends });
        try std.testing.expect(found.states >= states_min and found.ends > 0);
    }
}

/// The same scenario with a fault planted in it has to fail.
pub fn expectCaught(chosen: *const Scenario, store_order: Order) !void {
    const found = explore(chosen, store_order);
    std.debug.print("caught {d} {s}\n", .{ found.states, found.violation orelse "NOT" });
    try std.testing.expect(found.violation != null);
    try std.testing.expect(found.states < states_max);
}

/// Set of hashes: open addressing, at most half full. 0 stands for an empty place.
const Visited = struct {
    table: []u64 = &.{},
    count: usize = 0,

    fn clear(set: *Visited) void {
        allocator.free(set.table);
        set.* = .{};
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

/// Classic litmus tests: what the machine allows and what it does not.
const Litmus = struct {
    const model = @import("interleave_model.zig");
    const memory = model.memory;

    var words: [4]u64 align(8) = undefined;

    fn begin() void {
        words = @splat(0);
        model.shared(std.mem.asBytes(&words));
    }

    fn end() ?[]const u8 {
        return if (words[2] == 1 and words[3] == 1) "seen" else null;
    }

    /// Each thread stores one word and loads the other one: can both miss?
    fn storeThenLoad(comptime mine: usize, comptime has_fence: bool) fn () void {
        return struct {
            fn run() void {
                memory.store(u64, &words[mine], 1, .release);
                if (has_fence) memory.fullFence();
                const other = memory.load(u64, &words[1 - mine], .acquire);
                model.note(&words[2 + mine], 1 - other);
            }
        }.run;
    }

    /// One thread stores two words, the other one loads them the other way round: can it miss the
    /// first?
    fn write(comptime how: std.builtin.AtomicOrder, comptime has_barrier: bool) fn () void {
        return struct {
            fn run() void {
                memory.store(u64, &words[0], 1, .monotonic);
                if (has_barrier) memory.storeBarrier();
                memory.store(u64, &words[1], 1, how);
            }
        }.run;
    }

    fn read() void {
        model.note(&words[2], memory.load(u64, &words[1], .acquire));
        model.note(&words[3], 1 - memory.load(u64, &words[0], .acquire));
    }

    fn allows(threads: []const *const fn () void, store_order: Order) bool {
        const scenario: Scenario = .{ .begin = &begin, .threads = threads, .end = &end };
        const full = exploreReduced(&scenario, store_order, false);
        const reduced = explore(&scenario, store_order);
        std.debug.assert((full.violation == null) == (reduced.violation == null));
        return full.violation != null;
    }
};

test "interleave: stores pass loads unless a fence stands between them" {
    const unfenced = [_]*const fn () void{
        &Litmus.storeThenLoad(0, false),
        &Litmus.storeThenLoad(1, false),
    };
    const half = [_]*const fn () void{ &Litmus.storeThenLoad(0, true), unfenced[1] };
    const fenced = [_]*const fn () void{ half[0], &Litmus.storeThenLoad(1, true) };
    for ([_]Order{ .tso, .weak }) |store_order| {
        try std.testing.expect(Litmus.allows(&unfenced, store_order));
        try std.testing.expect(Litmus.allows(&half, store_order));
        try std.testing.expect(!Litmus.allows(&fenced, store_order));
    }
}

test "interleave: stores pass stores in weak order only, unless a release or barrier forbids it" {
    const Threads = [2]*const fn () void;
    const bare: Threads = .{ &Litmus.write(.monotonic, false), &Litmus.read };
    const released: Threads = .{ &Litmus.write(.release, false), &Litmus.read };
    const barred: Threads = .{ &Litmus.write(.monotonic, true), &Litmus.read };
    try std.testing.expect(!Litmus.allows(&bare, .tso));
    try std.testing.expect(Litmus.allows(&bare, .weak));
    try std.testing.expect(!Litmus.allows(&released, .weak));
    try std.testing.expect(!Litmus.allows(&barred, .weak));
}
