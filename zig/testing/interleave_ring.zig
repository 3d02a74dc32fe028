//! Claim and publish in every order.
const std = @import("std");
const Faulty = @import("interleave_faults.zig").Faulty;
const header = @import("../header.zig");
const interleave = @import("interleave.zig");
const model = @import("interleave_model.zig");
const ring_module = @import("../ring.zig");
const world_module = @import("interleave_world.zig");
const memory = model.memory;
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
            .end = &world_module.checkEnd,
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
            .begin = &world_module.beginWith(.{ .capacity = 128 }),
            .threads = &.{ &first, &second, &reader },
            .end = &world_module.checkEnd,
        };
    };
}

/// One producer alone, with a batch, and a reader.
fn Alone(comptime layer: type) type {
    return struct {
        const actors = world_module.Actors(layer);

        fn producer() void {
            var account: ring_module.Account = .{
                .position = 0,
                .sequence = first_sequence,
                .claimed = 0,
            };
            actors.offerAlone(&account, 2, 10);
            actors.offerAlone(&account, 2, 12);
            actors.offerAlone(&account, 2, 14);
        }
        fn reader() void {
            actors.read(0, 6);
        }
        const scenario: Scenario = .{
            .begin = &world_module.beginWith(.{ .is_many = false, .capacity = 128 }),
            .threads = &.{ &producer, &reader },
            .end = &world_module.checkEnd,
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
                const place: header.Cursor = .{
                    .position = pair.position,
                    .sequence = pair.sequence,
                };
                model.note(&world.notes.positions[0], pair.position);
                model.note(&world.notes.sequences[0], pair.sequence);
                if (actors.protocol.enter(ring, 0, place, .block)) break;
            }
            model.note(&world.notes.protected[0], 1 + world.notes.positions[0]);
            actors.read(0, first_sequence + total - world.notes.sequences[0]);
        }
        const scenario: Scenario = .{
            .begin = &world_module.beginWith(.{ .gating = 0, .limit = 0 }),
            .threads = &.{ &first, &joiner },
            .end = &world_module.checkEnd,
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
            model.note(&world.notes.protected[0], 0);
            const place: header.Cursor = .{ .position = stride, .sequence = first_sequence + 1 };
            if (actors.protocol.enter(ring, 0, place, .block)) {
                model.note(&world.notes.protected[0], 1 + stride);
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
                var account: ring_module.Account = .{
                    .position = 0,
                    .sequence = first_sequence,
                    .claimed = 0,
                };
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
                model.forget(i);
            }
        }
        const scenario: Scenario = .{
            .begin = &world_module.beginWith(.{ .is_many = is_many, .gating = 0 }),
            .threads = if (is_many) &.{ &first, &second, &reader } else &.{ &first, &reader },
            .end = &world_module.checkEnd,
        };
    };
}

const both: []const interleave.Order = &.{ .tso, .weak };

test "interleave: claims of many producers join up, and readers see each record once, in order" {
    try interleave.prove(&Publish(memory).scenario, both, 30_000);
    try interleave.prove(&Abort(memory).scenario, both, 600);
}

test "interleave: a single producer's records are seen once, in order" {
    try interleave.prove(&Alone(memory).scenario, both, 2_500);
}

test "interleave: producers respect a consumer that joins or comes back" {
    try interleave.prove(&Join(memory).scenario, both, 6_000);
    try interleave.prove(&Return(memory).scenario, both, 350);
}

test "interleave: a lapped reader is told so, and no sound record is taken for a damaged one" {
    try interleave.prove(&Lap(memory, false).scenario, both, 700);
    try interleave.prove(&Lap(memory, true).scenario, both, 150_000);
}

test "interleave: the reduction of the search leaves no end out" {
    const scenarios = [_]*const Scenario{
        &Abort(memory).scenario,
        &Alone(memory).scenario,
        &Join(memory).scenario,
        &Return(memory).scenario,
    };
    for (scenarios) |scenario| for (both) |order| {
        const reduced = interleave.explore(scenario, order);
        const full = interleave.exploreReduced(scenario, order, false);
        try std.testing.expectEqual(full.ends, reduced.ends);
        try std.testing.expect(full.states > reduced.states);
    };
}

test "interleave: planted faults in claim and publish are caught" {
    const published_early = Publish(Faulty(.published_before_written));
    try interleave.expectCaught(&published_early.scenario, .tso);
    try interleave.expectCaught(&Publish(Faulty(.release_missing)).scenario, .weak);
    try interleave.expectCaught(&Alone(Faulty(.release_missing)).scenario, .weak);
    try interleave.expectCaught(&Lap(Faulty(.claim_told_late), false).scenario, .tso);
    try interleave.expectCaught(&Lap(Faulty(.store_barrier_missing), false).scenario, .weak);
    try interleave.expectCaught(&Lap(Faulty(.intents_not_respected), true).scenario, .tso);
    try interleave.expectCaught(&Lap(Faulty(.intent_cleared_first), true).scenario, .tso);
}

test "interleave: planted faults in joining are caught" {
    try interleave.expectCaught(&Join(Faulty(.limit_before_second_look)).scenario, .tso);
    try interleave.expectCaught(&Join(Faulty(.limit_not_announced)).scenario, .tso);
    try interleave.expectCaught(&Join(Faulty(.join_without_fence)).scenario, .tso);
}
