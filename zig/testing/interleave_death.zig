//! Death at every step: producers, repairers, a single producer and its successor.
const std = @import("std");
const interleave = @import("interleave.zig");
const ring_module = @import("../ring.zig");
const world_module = @import("interleave_world.zig");
const memory = interleave.memory;
const Scenario = interleave.Scenario;
const first_sequence = world_module.first_sequence;
const ring = &world_module.ring;
const world = &world_module.world;

/// One of two producers dies, and a reader repairs.
fn One(comptime layer: type) type {
    return struct {
        const actors = world_module.Actors(layer);

        fn first() void {
            actors.offer(0, 1, 10);
        }
        fn second() void {
            actors.offer(1, 1, 20);
        }
        fn reader() void {
            actors.readAll(0);
        }
        const scenario: Scenario = .{
            .begin = &world_module.beginWith(.{}),
            .threads = &.{ &first, &second, &reader },
            .mortal = 0b001,
            .deaths_max = 1,
        };
    };
}

/// Two producers for the same place, one of them for two records; both may die.
fn Two(comptime layer: type) type {
    return struct {
        const actors = world_module.Actors(layer);

        fn first() void {
            actors.offer(0, 2, 10);
        }
        fn second() void {
            actors.offer(1, 1, 20);
        }
        fn reader() void {
            actors.readAll(0);
        }
        const scenario: Scenario = .{
            .begin = &world_module.beginWith(.{ .capacity = 128 }),
            .threads = &.{ &first, &second, &reader },
            .mortal = 0b011,
            .deaths_max = 2,
        };
    };
}

/// One has died before it could claim; the others, of whom one may die, claim the place that it
/// wanted, for another number of records, and the one behind it.
fn Loser(comptime layer: type, comptime slot: u32, comptime wanted: u64, comptime count: u64) type {
    return struct {
        const actors = world_module.Actors(layer);
        const mortal_slot = if (slot == 0) 1 else 0;

        fn begin() void {
            world_module.beginWith(.{ .producers = 3, .capacity = 128 })();
            world.producers[slot].intent = .{
                .sequence = first_sequence,
                .position = 0,
                .bytes = wanted * world_module.stride,
                .count = wanted,
            };
            world.notes.owners = .{ 0, 0, 1 };
            world.notes.owners[slot] = interleave.nobody;
        }
        fn first() void {
            actors.offer(mortal_slot, count, 10);
        }
        fn second() void {
            actors.offer(2, 1, 20);
        }
        fn reader() void {
            actors.readAll(0);
        }
        const scenario: Scenario = .{
            .begin = &begin,
            .threads = &.{ &first, &second, &reader },
            .mortal = 0b001,
            .deaths_max = 1,
        };
    };
}

/// The repairer dies too, and another one goes on.
fn Repairer(comptime layer: type) type {
    return struct {
        const actors = world_module.Actors(layer);

        fn first() void {
            actors.offer(0, 2, 10);
        }
        fn reader() void {
            actors.readAll(0);
        }
        fn other() void {
            actors.readAll(1);
        }
        const scenario: Scenario = .{
            .begin = &world_module.beginWith(.{ .producers = 1, .consumers = 2, .gating = 3 }),
            .threads = &.{ &first, &reader, &other },
            .mortal = 0b011,
            .deaths_max = 2,
        };
    };
}

/// A new producer takes the slot of one that has died or left, and publishes.
fn Takeover(comptime layer: type) type {
    return struct {
        const actors = world_module.Actors(layer);

        fn first() void {
            actors.offer(0, 1, 10);
        }
        fn second() void {
            actors.offer(1, 1, 20);
        }
        fn heir() void {
            interleave.until(&isFree);
            interleave.lock();
            const is_clear = actors.recovery.isClear(&world_module.channel, 0);
            if (is_clear) {
                interleave.note(&world.notes.owners[0], 2);
                layer.store(u64, &world.producers[0].intent.sequence, 0, .monotonic);
            }
            interleave.unlock();
            if (is_clear) actors.offer(0, 1, 30);
        }
        fn isFree() bool {
            return interleave.isGone(0);
        }
        fn reader() void {
            actors.readAll(0);
        }
        const scenario: Scenario = .{
            .begin = &world_module.beginWith(.{}),
            .threads = &.{ &first, &second, &heir, &reader },
            .mortal = 0b0001,
            .deaths_max = 1,
        };
    };
}

/// A single producer dies in a batch, and its successor goes on with single records.
fn Successor(comptime layer: type) type {
    return struct {
        const actors = world_module.Actors(layer);

        fn first() void {
            var account: ring_module.Account = .{
                .position = 0,
                .sequence = first_sequence,
                .claimed = 0,
            };
            actors.offerAlone(&account, 1, 10);
            actors.offerAlone(&account, 2, 11);
        }
        fn heir() void {
            interleave.until(&isFree);
            var account = actors.recovery.findEnd(ring) catch
                interleave.fail("a sound header is taken for a corrupt one");
            world_module.noteSuccession(&account);
            actors.offerAlone(&account, 1, 20);
            actors.offerAlone(&account, 1, 21);
        }
        fn isFree() bool {
            return interleave.isDead(0);
        }
        fn reader() void {
            actors.readAll(0);
        }
        const scenario: Scenario = .{
            .begin = &world_module.beginWith(.{ .is_many = false }),
            .threads = &.{ &first, &heir, &reader },
            .mortal = 0b001,
            .deaths_max = 1,
            .end = &endAny,
        };
    };
}

fn endAny() ?[]const u8 {
    return null;
}

fn check(name: []const u8, scenario: *const Scenario) void {
    for ([_]interleave.Order{ .tso, .weak }) |order| {
        const outcome = interleave.explore(scenario, order);
        std.debug.print("{s} {t}: {d} {d}\n", .{ name, order, outcome.states, outcome.ends });
        outcome.print();
        if (outcome.violation != null) break;
    }
}

test "interleave: death" {
    check("one", &One(memory).scenario);
    check("two", &Two(memory).scenario);
    check("loser 0 1 2", &Loser(memory, 0, 1, 2).scenario);
    check("loser 0 2 1", &Loser(memory, 0, 2, 1).scenario);
    check("loser 1 1 2", &Loser(memory, 1, 1, 2).scenario);
    check("loser 1 2 1", &Loser(memory, 1, 2, 1).scenario);
    check("loser 1 1 3", &Loser(memory, 1, 1, 3).scenario);
    check("repairer", &Repairer(memory).scenario);
    check("takeover", &Takeover(memory).scenario);
    //check("successor", &Successor(memory).scenario);
}
