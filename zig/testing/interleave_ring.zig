//! Claim and publish in every order.
const std = @import("std");
const header = @import("../header.zig");
const interleave = @import("interleave.zig");
const ring_module = @import("../ring.zig");
const world_module = @import("interleave_world.zig");
const memory = interleave.memory;
const Scenario = interleave.Scenario;
const ring = &world_module.ring;
const first_sequence = world_module.first_sequence;
const stride = world_module.stride;
const world = &world_module.world;

/// Two producers, three records, room for two: claims, publishing, back pressure.
fn Publish(comptime layer: type) type {
    return struct {
        const actors = world_module.Actors(layer);

        fn first() void {
            actors.offer(0, 1, 10);
            actors.offer(0, 1, 11);
        }
        fn second() void {
            actors.offer(1, 1, 20);
        }
        fn reader() void {
            actors.read(0, 3);
        }
        const scenario: Scenario = .{
            .begin = &world_module.beginWith(.{}),
            .threads = &.{ &first, &second, &reader },
        };
    };
}

/// The same with one who gives its claim back.
fn Abort(comptime layer: type) type {
    return struct {
        const actors = world_module.Actors(layer);

        fn first() void {
            actors.abort(0);
        }
        fn second() void {
            actors.offer(1, 2, 20);
        }
        fn reader() void {
            actors.read(0, 3);
        }
        const scenario: Scenario = .{
            .begin = &world_module.beginWith(.{}),
            .threads = &.{ &first, &second, &reader },
        };
    };
}

/// One producer alone, with a batch, and a reader.
fn Alone(comptime layer: type) type {
    return struct {
        const actors = world_module.Actors(layer);

        fn producer() void {
            var account: ring_module.Account = .{ .position = 0, .sequence = first_sequence, .claimed = 0 };
            actors.offerAlone(&account, 2, 10);
            actors.offerAlone(&account, 1, 12);
            actors.offerAlone(&account, 1, 13);
        }
        fn reader() void {
            actors.read(0, 4);
        }
        const scenario: Scenario = .{
            .begin = &world_module.beginWith(.{ .is_many = false }),
            .threads = &.{ &producer, &reader },
        };
    };
}

/// A consumer joins at the end while producers raise the limit, and reads what comes.
fn Join(comptime layer: type) type {
    return struct {
        const actors = world_module.Actors(layer);
        const total = 3;

        fn first() void {
            actors.offer(0, 1, 10);
            actors.offer(0, 1, 11);
            actors.offer(0, 1, 12);
        }
        fn second() void {
            actors.offer(1, 1, 20);
        }
        fn joiner() void {
            while (true) {
                const pair = actors.protocol.readClaim(ring);
                const place: header.Cursor = .{ .position = pair.position, .sequence = pair.sequence };
                interleave.note(&world.notes.positions[0], pair.position);
                interleave.note(&world.notes.sequences[0], pair.sequence);
                if (actors.protocol.enter(ring, 0, place, .block)) break;
            }
            interleave.note(&world.notes.protected[0], 1 + world.notes.positions[0]);
            actors.read(0, first_sequence + total - world.notes.sequences[0]);
        }
        const scenario: Scenario = .{
            .begin = &world_module.beginWith(.{ .gating = 0 }),
            .threads = &.{ &first, &joiner },
        };
    };
}

/// A consumer leaves and comes back to an earlier place while a producer raises the limit.
fn Return(comptime layer: type) type {
    return struct {
        const actors = world_module.Actors(layer);

        fn begin() void {
            world_module.beginWith(.{ .producers = 1 })();
            world_module.pretendPublished(2);
            world.consumers[0].cursor.position = 2 * stride;
            world.notes.protected[0] = 1 + 2 * stride;
        }
        fn producer() void {
            actors.offer(0, 1, 10);
            actors.offer(0, 1, 11);
        }
        fn consumer() void {
            _ = layer.clearBits(u64, &world.lines.control.gating, 1);
            interleave.note(&world.notes.protected[0], 0);
            const place: header.Cursor = .{ .position = stride, .sequence = first_sequence + 1 };
            if (actors.protocol.enter(ring, 0, place, .block)) {
                interleave.note(&world.notes.protected[0], 1 + stride);
            }
        }
        const scenario: Scenario = .{
            .begin = &begin,
            .threads = &.{ &producer, &consumer },
            .end = &endAny,
        };
    };
}

/// Producers may wait for room for ever where nobody reads.
fn endAny() ?[]const u8 {
    return null;
}

/// A reader that holds nobody back looks while it is lapped, maybe in the middle of a record.
fn Lap(comptime layer: type, comptime is_many: bool) type {
    return struct {
        const actors = world_module.Actors(layer);

        fn first() void {
            if (is_many) {
                actors.offer(0, 1, 10);
                actors.offer(0, 1, 11);
            } else {
                var account: ring_module.Account = .{ .position = 0, .sequence = first_sequence, .claimed = 0 };
                actors.offerAlone(&account, 1, 10);
                actors.offerAlone(&account, 1, 11);
                actors.offerAlone(&account, 1, 12);
            }
        }
        fn second() void {
            actors.offer(1, 1, 20);
        }
        fn reader() void {
            for (0..2) |i| {
                actors.poll(0);
                interleave.forget(i);
            }
        }
        const scenario: Scenario = .{
            .begin = &world_module.beginWith(.{ .is_many = is_many, .gating = 0 }),
            .threads = if (is_many) &.{ &first, &reader, &second } else &.{ &first, &reader },
        };
    };
}

fn check(name: []const u8, scenario: *const Scenario) void {
    for ([_]interleave.Order{ .tso, .weak }) |order| {
        const outcome = interleave.explore(scenario, order);
        std.debug.print("{s} {t}: {d} {d}\n", .{ name, order, outcome.states, outcome.ends });
        outcome.print();
    }
}

test "interleave: publish" {
    check("publish", &Publish(memory).scenario);
    check("abort", &Abort(memory).scenario);
    check("alone", &Alone(memory).scenario);
    check("join", &Join(memory).scenario);
    check("return", &Return(memory).scenario);
    check("lap alone", &Lap(memory, false).scenario);
    check("lap", &Lap(memory, true).scenario);
}
