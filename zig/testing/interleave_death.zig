//! Death at every step: producers, repairers, a single producer and its successor.
const Faulty = @import("interleave_faults.zig").Faulty;
const interleave = @import("interleave.zig");
const model = @import("interleave_model.zig");
const ring_module = @import("../ring.zig");
const world_module = @import("interleave_world.zig");
const memory = model.memory;
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
            .end = &world_module.checkEnd,
        };
    };
}

/// A second reader only looks, at any time.
fn Watched(comptime layer: type) type {
    return struct {
        const actors = world_module.Actors(layer);

        fn first() void {
            actors.offer(0, 1, 10);
        }
        fn reader() void {
            actors.readAll(0);
        }
        fn watcher() void {
            for (0..2) |i| {
                actors.poll(1);
                model.forget(i);
            }
        }
        const scenario: Scenario = .{
            .begin = &world_module.beginWith(.{ .producers = 1, .consumers = 2 }),
            .threads = &.{ &first, &reader, &watcher },
            .mortal = 0b001,
            .deaths_max = 1,
            .end = &world_module.checkEnd,
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
            .end = &world_module.checkEnd,
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
            world.notes.owners = .{ 0, 0, 1 };
            world_module.pretendWanted(slot, wanted);
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
            .end = &world_module.checkEnd,
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
            .begin = &world_module.beginWith(.{
                .producers = 1,
                .capacity = 128,
                .consumers = 2,
                .gating = 3,
            }),
            .threads = &.{ &first, &reader, &other },
            .mortal = 0b011,
            .deaths_max = 2,
            .end = &world_module.checkEnd,
        };
    };
}

/// Two dead producers wanted one place, and the one who repairs it dies over the aborted records,
/// which look like the borders of claims.
fn Halfway(comptime layer: type) type {
    return struct {
        const actors = world_module.Actors(layer);

        fn begin() void {
            world_module.beginWith(.{ .capacity = 256, .consumers = 2, .gating = 3 })();
            world_module.pretendClaimed(0, 3);
            world_module.pretendWanted(1, 1);
        }
        fn reader() void {
            actors.readAll(0);
        }
        fn other() void {
            actors.readAll(1);
        }
        const scenario: Scenario = .{
            .begin = &begin,
            .threads = &.{ &reader, &other },
            .mortal = 0b01,
            .deaths_max = 1,
            .end = &world_module.checkEnd,
        };
    };
}

/// A new producer takes the slot of one that has died or left, and publishes, beside a reader or
/// another producer.
fn Takeover(comptime layer: type, comptime has_reader: bool) type {
    return struct {
        const actors = world_module.Actors(layer);

        fn first() void {
            actors.offer(0, 1, 10);
        }
        fn heir() void {
            model.until(&isFree);
            const is_clear = actors.takeSlot(0);
            model.forget(@intFromBool(is_clear));
            model.beginPart();
            if (is_clear) actors.offer(0, 1, 30);
        }
        fn isFree() bool {
            return model.isGone(0);
        }
        fn second() void {
            actors.offer(1, 1, 20);
        }
        fn reader() void {
            actors.readAll(0);
        }
        const scenario: Scenario = .{
            .begin = &world_module.beginWith(if (has_reader)
                .{ .producers = 1 }
            else
                .{ .gating = 0 }),
            .threads = &.{ &first, &heir, if (has_reader) &reader else &second },
            .mortal = 0b001,
            .deaths_max = 1,
            .end = &world_module.checkEnd,
        };
    };
}

/// One that wants a place dies while another producer may be a whole ring ahead; nobody reads.
fn Late(comptime layer: type) type {
    return struct {
        const actors = world_module.Actors(layer);

        fn first() void {
            actors.offer(0, 1, 10);
        }
        fn second() void {
            actors.offer(1, 1, 20);
            actors.offer(1, 1, 21);
            actors.offer(1, 1, 22);
        }
        /// As a producer does that is held back.
        fn repairer() void {
            const intent = &world.producers[0].intent;
            for (0..3) |tries| {
                model.until(&isAlone);
                model.forget(tries);
                const sequence = layer.load(u64, &intent.sequence, .acquire);
                if (sequence == 0) return;
                const position = layer.load(u64, &intent.position, .monotonic);
                if (actors.endClaim(position, sequence) != .owner_alive) return;
            }
            model.fail("repair makes no progress");
        }
        /// Whether somebody has claimed what the dead one wanted, and nobody who lives wants it.
        fn isAlone() bool {
            if (!model.isGone(0)) return false;
            if (model.isGone(1)) return true;
            const intent = &world.producers[0].intent;
            const wanted = model.peek(u64, &intent.sequence);
            const other = model.peek(u64, &world.producers[1].intent.sequence);
            const claimed = model.peek(u64, &world.lines.claim_line.claim.position);
            const is_claimed = claimed > model.peek(u64, &intent.position);
            return wanted == 0 or (is_claimed and wanted != other);
        }
        const scenario: Scenario = .{
            .begin = &world_module.beginWith(.{ .gating = 0 }),
            .threads = &.{ &first, &second, &repairer },
            .mortal = 0b001,
            .deaths_max = 1,
            .end = &world_module.checkEnd,
        };
    };
}

/// A single producer dies in a batch, and its successor goes on with single records.
fn Successor(comptime layer: type) type {
    return struct {
        const actors = world_module.Actors(layer);

        fn begin() void {
            world_module.beginWith(.{ .is_many = false, .capacity = 128 })();
            world.notes.owners[0] = 1;
        }
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
            model.until(&isFree);
            var account = actors.recovery.findEnd(ring) catch
                model.fail("a sound header is taken for a corrupt one");
            world_module.noteSuccession(&account);
            actors.offerAlone(&account, 1, 20);
            actors.offerAlone(&account, 1, 21);
        }
        fn isFree() bool {
            return model.isGone(0);
        }
        fn reader() void {
            actors.readAll(0);
        }
        const scenario: Scenario = .{
            .begin = &begin,
            .threads = &.{ &first, &heir, &reader },
            .mortal = 0b001,
            .deaths_max = 1,
            .end = &world_module.checkEnd,
        };
    };
}

const both: []const interleave.Order = &.{ .tso, .weak };

test "interleave: a producer that dies at any step leaves neither hole nor duplicate" {
    try interleave.prove(&One(memory).scenario, both, 9_000);
    try interleave.prove(&Watched(memory).scenario, both, 1_000);
}

test "interleave: of two dead producers that wanted one place, the right one is repaired" {
    try interleave.prove(&Two(memory).scenario, &.{.tso}, 150_000);
    try interleave.prove(&Loser(memory, 0, 1, 2).scenario, both, 50_000);
    try interleave.prove(&Loser(memory, 0, 2, 1).scenario, both, 15_000);
    try interleave.prove(&Loser(memory, 1, 1, 2).scenario, both, 40_000);
    try interleave.prove(&Loser(memory, 1, 2, 1).scenario, both, 20_000);
}

test "interleave: a repairer that dies is followed by another one" {
    try interleave.prove(&Repairer(memory).scenario, both, 2_000);
    try interleave.prove(&Halfway(memory).scenario, both, 1_000);
}

test "interleave: a slot is taken over from the dead and from those who left" {
    try interleave.prove(&Takeover(memory, true).scenario, both, 800);
    try interleave.prove(&Takeover(memory, false).scenario, both, 15_000);
}

test "interleave: repair does not touch a place that a later lap has come to" {
    try interleave.prove(&Late(memory).scenario, &.{.tso}, 400_000);
}

test "interleave: a single producer's successor finds the true end" {
    try interleave.prove(&Successor(memory).scenario, both, 8_000);
}

test "interleave: planted faults in death and repair are caught" {
    try interleave.expectCaught(&One(Faulty(.intent_after_claim)).scenario, .tso);
    try interleave.expectCaught(&One(Faulty(.intent_cleared_first)).scenario, .tso);
    try interleave.expectCaught(&One(Faulty(.hasty)).scenario, .tso);
    try interleave.expectCaught(&Two(Faulty(.published_not_seen)).scenario, .tso);
    try interleave.expectCaught(&Loser(Faulty(.win_not_noted), 1, 1, 2).scenario, .tso);
    try interleave.expectCaught(&Halfway(Faulty(.win_not_noted)).scenario, .tso);
    try interleave.expectCaught(&Successor(Faulty(.batch_not_erased)).scenario, .tso);
}
