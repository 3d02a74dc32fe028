//! Sleep and wake-up in every order: no sleeper sleeps on while there is news for it.
//!
//! Where no process has `membarrier` and none has told so yet, that does not hold: a waker between
//! its store and its look misses a sleeper that lies down at this moment, which sleeps until the
//! next wake-up or the end of its slice. The last test here shows both.
const std = @import("std");
const Faulty = @import("interleave_faults.zig").Faulty;
const interleave = @import("interleave.zig");
const model = @import("interleave_model.zig");
const wait_module = @import("../wait.zig");
const world_module = @import("interleave_world.zig");
const Scenario = interleave.Scenario;
const memory = model.memory;
const world = &world_module.world;

/// Every process has membarrier.
fn begin() void {
    beginUnfenced();
    model.constantWords(&.{@intFromPtr(&world.lines.control.fence_required)});
}

/// None has, and none has told so yet.
fn beginUnfenced() void {
    world.* = std.mem.zeroes(world_module.World);
    model.shared(std.mem.asBytes(world));
}

/// One that has none has told so when it opened the channel.
fn beginFenced() void {
    beginUnfenced();
    world.lines.control.fence_required = 1;
}

/// What a waker or sleeper may get wrong by itself.
const Habit = enum { sound, looks_too_early };

fn Actors(comptime layer: type, comptime habit: Habit) type {
    return struct {
        const wait = wait_module.Protocol(layer);

        fn waker(comptime index: usize) fn () void {
            return struct {
                fn run() void {
                    const lines = &world.lines;
                    if (habit == .looks_too_early) _ = wait.wake(&lines.data, &lines.control);
                    layer.store(u64, &world.news[index], 1, .release);
                    if (habit == .sound) _ = wait.wake(&lines.data, &lines.control);
                }
            }.run;
        }

        /// Waits for the news of the wakers from `first` to `last`, one after the other.
        fn sleeper(comptime first: usize, comptime last: usize) fn () void {
            return struct {
                fn run() void {
                    for (first..last + 1) |index| sleepUntil(index);
                }
            }.run;
        }

        fn sleepUntil(index: usize) void {
            while (true) {
                model.forget(index);
                const seen = wait.prepare(&world.lines.data, &world.lines.control);
                if (layer.load(u64, &world.news[index], .acquire) != 0) return;
                model.sleep(&world.lines.data.signal, seen);
            }
        }

        /// Two sleepers, two wakers.
        const two: Scenario = .{
            .begin = &begin,
            .has_membarrier = true,
            .threads = &.{ &sleeper(0, 0), &sleeper(1, 1), &waker(0), &waker(1) },
        };
        /// One who lies down again.
        const again: Scenario = .{
            .begin = &begin,
            .has_membarrier = true,
            .threads = &.{ &sleeper(0, 1), &waker(0), &waker(1) },
        };
        const dead_sleeper: Scenario = .{
            .begin = &begin,
            .has_membarrier = true,
            .threads = &.{ &sleeper(1, 1), &sleeper(1, 1), &waker(1) },
            .mortal = 1,
            .deaths_max = 1,
        };
        const dead_waker: Scenario = .{
            .begin = &begin,
            .has_membarrier = true,
            .threads = &.{ &waker(0), &sleeper(1, 1), &waker(1) },
            .mortal = 1,
            .deaths_max = 1,
        };
        const fenced: Scenario = .{
            .begin = &beginFenced,
            .threads = &.{ &sleeper(0, 0), &sleeper(1, 1), &waker(0), &waker(1) },
        };
        const unfenced: Scenario = .{
            .begin = &beginUnfenced,
            .threads = &.{ &sleeper(0, 0), &waker(0) },
        };
        /// The second waker comes when the word has been seen.
        const told: Scenario = .{
            .begin = &beginUnfenced,
            .threads = &.{ &sleeper(0, 0), &waker(0), &latecomer },
        };

        fn latecomer() void {
            model.until(&isTold);
            layer.store(u64, &world.news[1], 1, .release);
            _ = wait.wake(&world.lines.data, &world.lines.control);
        }
        fn isTold() bool {
            const is_told = model.peek(u32, &world.lines.control.fence_required) != 0;
            return is_told and model.isGone(1);
        }
    };
}

const sound = Actors(memory, .sound);

// No thread here stores twice before it passes a fence, so both orders are the same.
const orders: []const interleave.Order = &.{.tso};

test "interleave: nobody sleeps on with membarrier" {
    try interleave.prove(&sound.two, orders, 200_000);
    try interleave.prove(&sound.again, orders, 7_000);
}

test "interleave: nobody sleeps on because a sleeper or a waker dies" {
    try interleave.prove(&sound.dead_sleeper, orders, 3_000);
    try interleave.prove(&sound.dead_waker, orders, 2_000);
}

test "interleave: nobody sleeps on without membarrier once that is told" {
    try interleave.prove(&sound.fenced, orders, 90_000);
}

test "interleave: without membarrier, a first sleeper may miss news until the next wake-up" {
    try interleave.expectCaught(&sound.unfenced, .tso);
    try interleave.prove(&sound.told, orders, 50);
}

test "interleave: planted faults in sleep and wake-up are caught" {
    const early = Actors(memory, .looks_too_early);
    try interleave.expectCaught(&early.again, .tso);
    try interleave.expectCaught(&Actors(Faulty(.fence_of_sleeper_missing), .sound).again, .tso);
    try interleave.expectCaught(&Actors(Faulty(.fence_of_waker_missing), .sound).fenced, .tso);
    try interleave.expectCaught(&Actors(Faulty(.served_before_woken), .sound).dead_waker, .tso);
    try interleave.expectCaught(&Actors(Faulty(.signal_not_changed), .sound).again, .tso);
}
