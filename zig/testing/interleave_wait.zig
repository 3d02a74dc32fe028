//! Sleep and wake-up in every order: no sleeper sleeps on while there is news for it.
const std = @import("std");
const header = @import("../header.zig");
const interleave = @import("interleave.zig");
const wait_module = @import("../wait.zig");
const expect = std.testing.expect;
const memory = interleave.memory;
const Scenario = interleave.Scenario;

const World = extern struct {
    line: header.WaitLine,
    control: header.ControlLine,
    /// What sleepers wait for: each waker stores one word.
    news: [2]u64,
};
var world: World = undefined;

const wait = wait_module.Protocol(memory);

fn begin() void {
    world = std.mem.zeroes(World);
    interleave.shared(std.mem.asBytes(&world));
}

fn waker(comptime index: usize) fn () void {
    return struct {
        fn run() void {
            memory.store(u64, &world.news[index], 1, .release);
            _ = wait.wake(&world.line, &world.control);
        }
    }.run;
}

fn sleeper(comptime index: usize) fn () void {
    return struct {
        fn run() void {
            while (true) {
                const seen = wait.prepare(&world.line, &world.control);
                if (memory.load(u64, &world.news[index], .acquire) != 0) return;
                interleave.sleep(&world.line.signal, seen);
            }
        }
    }.run;
}

test "interleave: x" {
    const scenario: Scenario = .{
        .begin = &begin,
        .threads = &.{ &sleeper(0), &sleeper(1), &waker(0), &waker(1) },
    };
    for ([_]interleave.Order{ .tso, .weak }) |order| {
        const outcome = interleave.explore(&scenario, order);
        std.debug.print("{any}\n", .{outcome});
        outcome.print();
    }
}
