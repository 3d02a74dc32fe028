//! Runs the log on a disk that fails (fault_disk.zig), one scenario for each seed: a log is opened,
//! used, and left or ended by a fault, several times; what it has is compared with what was
//! written.
//!
//! - What was acknowledged is there, and what is there is what was written, without a gap.
//! - Crashes and faults never make a log corrupt.
//! - After a failed sync nothing is written any more, and the next opening serves what the device
//!   has.
//! - Where there was no room, the same call succeeds when there is again.
const std = @import("std");
const assert = std.debug.assert;
const fault_disk = @import("fault_disk.zig");
const format = @import("../wal/format.zig");
const log_module = @import("../wal/log.zig");
const open_module = @import("../wal/open.zig");
const planted = @import("planted.zig");
const record = @import("../record.zig");
const verify = @import("wal_verify.zig");
const Detail = @import("../detail.zig").Detail;
const Log = log_module.Log(fault_disk);
const Opener = open_module.Opener(fault_disk);

/// What a record was made of.
const Wanted = struct { variant: u32, length: u16, flags: u8 };

/// When groups are synced.
const Habit = enum { each, several, never };

const Step = enum { append, sync, settle, rotate, cut, control, finish };

const wanted_max = 4096;
const payload_max = 1600;
/// Segments from which on some are cut: the disk is small.
const segments_max = 8;
/// Times that a call is repeated while there is no room; more than any plan has repeats.
const tries_max = 12;

pub const World = struct {
    disk: fault_disk.Disk,
    source: verify.Source,
    prng: std.Random.DefaultPrng,
    log: ?Log,
    options: log_module.Options,
    habit: Habit,
    wanted: [wanted_max]Wanted,
    /// Sequence of the first record that ever was.
    first: u64,
    /// Last sequence that was acknowledged, and last one that may be in the log.
    acked: u64,
    appended: u64,
    /// What is below it may be cut.
    cut: u64,
    variant: u32,
    is_finished: bool,
    violation: ?[]const u8,
    /// The group that is appended next.
    body: [fault_disk.file_bytes_max]u8 align(8),
    body_bytes: usize,
    payload: [payload_max]u8,
    count: u32,
    chain: u32,

    pub fn init() !*World {
        const world = try std.heap.page_allocator.create(World);
        world.disk.init();
        world.source = .{ .disk = &world.disk, .mode = .read_direct };
        return world;
    }

    pub fn deinit(world: *World) void {
        std.heap.page_allocator.destroy(world);
    }

    /// Runs one scenario. Returns what did not hold.
    pub fn run(world: *World, seed: u64) ?[]const u8 {
        world.begin(seed);
        for (0..world.between(2, 5)) |_| {
            world.round();
            if (world.violation != null) break;
        }
        if (world.violation == null) world.endWell();
        world.close();
        if (world.disk.opens() != 0) world.fail("a file was left open");
        return world.violation;
    }

    fn begin(world: *World, seed: u64) void {
        world.disk.reset(seed);
        world.prng = .init(seed +% 0x9e3779b97f4a7c15);
        const segment_pages = world.between(2, fault_disk.file_bytes_max / 4096 + 1);
        world.options = .{
            .log = format.exampleLog(),
            .first_sequence = if (world.chance(4)) 1 << 40 else 1,
            .segment_bytes = 4096 * segment_pages,
            .is_direct = false,
            .boot_id = @splat(3),
        };
        world.options.log.salt = @truncate(seed);
        world.options.log.record_alignment = if (world.chance(2)) 8 else 64;
        world.log = null;
        world.first = world.options.first_sequence;
        world.acked = world.first - 1;
        world.appended = world.first - 1;
        world.cut = world.first;
        world.variant = 0;
        world.is_finished = false;
        world.violation = null;
    }

    fn between(world: *World, start: u64, end: u64) u64 {
        return world.prng.random().intRangeLessThan(u64, start, end);
    }

    /// True once in `times`.
    fn chance(world: *World, times: u64) bool {
        return world.between(0, times) == 0;
    }

    fn fail(world: *World, what: []const u8) void {
        if (world.violation == null) world.violation = what;
    }

    /// From one opening to the next end.
    fn round(world: *World) void {
        world.options.is_direct = world.chance(4);
        world.habit = world.prng.random().enumValue(Habit);
        const strikes_opening = world.chance(3);
        if (strikes_opening) world.plan(24);
        if (world.open()) {
            world.check();
            if (!strikes_opening) world.plan(80);
            world.use();
        }
        world.goDown();
    }

    fn plan(world: *World, calls: u64) void {
        const fault = world.prng.random().enumValue(fault_disk.Fault);
        world.disk.setPlan(.{
            .fault = fault,
            .skip = @intCast(world.between(0, calls)),
            .repeats = if (fault == .full) @intCast(world.between(1, tries_max / 2)) else 1,
        });
    }

    fn open(world: *World) bool {
        for (0..tries_max) |_| {
            var report: open_module.Report = .{};
            var detail: Detail = .{};
            const directory = world.disk.directory();
            world.log = Opener.open(directory, world.options, &report, &detail) catch |err| {
                world.is_finished = false; // It may have got as far as to say so.
                if (!world.mayFail(err)) return false;
                if (err == error.NoSpace) continue;
                return false;
            };
            if (world.is_finished and report.is_clean == 0) world.fail("no clean end was found");
            world.is_finished = false;
            return true;
        }
        world.fail("opening finds no room although there is");
        return false;
    }

    /// Whether a fault is to blame for an error.
    fn mayFail(world: *World, err: Opener.Error) bool {
        const fault = world.disk.plan.fault;
        switch (err) {
            error.NoSpace => if (world.disk.has_struck and fault == .full) return true,
            error.Os => if (world.disk.has_struck and fault != .full) return true,
            error.Corrupt => world.fail("a log without damage is called corrupt"),
            else => {},
        }
        world.fail("an error without a fault");
        return false;
    }

    fn use(world: *World) void {
        for (0..world.between(1, 32)) |_| {
            if (world.violation != null or !world.act()) return;
        }
        if (!world.chance(3)) return;
        if (world.chance(2) and !world.perform(.settle)) return;
        if (world.perform(.finish)) world.is_finished = true;
    }

    /// Does something. False when the log can do no more.
    fn act(world: *World) bool {
        if (world.log.?.segments.items.len > segments_max) return world.perform(.cut);
        switch (world.between(0, 32)) {
            0 => return world.perform(.settle),
            1 => return world.perform(.rotate),
            2 => return world.perform(.cut),
            3 => return world.perform(.control),
            4 => return world.habit == .never or world.perform(.sync),
            else => {},
        }
        if (!world.makeGroup()) {
            if (!world.perform(.rotate)) return false;
            assert(world.makeGroup());
        }
        world.appended = world.log.?.nextSequence() + world.count - 1;
        if (!world.perform(.append)) return false;
        if (world.habit == .each) {
            if (planted.is(.early_ack)) world.acked = world.appended;
            return world.perform(.sync);
        }
        return world.habit == .never or !world.chance(3) or world.perform(.sync);
    }

    /// Makes a group of records. False when no record fits into the segment.
    fn makeGroup(world: *World) bool {
        const log = &world.log.?;
        const alignment = world.options.log.record_alignment;
        const room = @min(log.roomInSegment(), world.body.len);
        const most: u64 = if (world.chance(3)) 40 else world.between(1, 6);
        world.body_bytes = 0;
        world.count = 0;
        world.chain = log.place.chain;
        while (world.count < most) {
            const length = world.between(0, if (world.chance(6)) payload_max else 200);
            const stride = record.stride(length, alignment);
            if (world.body_bytes + stride > room) break;
            world.addRecord(log.nextSequence() + world.count, @intCast(length), stride);
        }
        return world.count > 0;
    }

    fn addRecord(world: *World, sequence: u64, length: u16, stride: usize) void {
        world.variant += 1;
        const wanted: Wanted = .{
            .variant = world.variant,
            .length = length,
            .flags = @as(u8, @truncate(world.variant)) & record.Flags.user,
        };
        world.wanted[sequence - world.first] = wanted;
        const payload = world.payload[0..length];
        fillPayload(payload, sequence, wanted.variant);
        const out = world.body[world.body_bytes..].ptr;
        const salt = world.options.log.salt;
        record.writeBody(out, salt, sequence, wanted.flags, 0, payload, stride);
        std.mem.writeInt(u64, out[0..8], sequence, .little);
        const crc = std.mem.readInt(u32, out[record.header_bytes + length ..][0..4], .little);
        world.chain = format.extendChain(world.chain, crc);
        world.body_bytes += stride;
        world.count += 1;
    }

    /// Takes a step, again as long as there is no room. False when the log can do no more.
    fn perform(world: *World, step: Step) bool {
        for (0..tries_max) |_| {
            const log = &world.log.?;
            world.take(step) catch |err| {
                if (!world.mayFail(err)) return false;
                world.acked = @max(world.acked, log.durable_sequence);
                if (err == error.NoSpace and !log.is_failed) continue;
                if (err == error.NoSpace) {
                    world.fail("a log without room has failed");
                } else if (log.is_failed) {
                    world.checkSilence();
                } else if (!world.disk.is_halted) {
                    // Only what is prepared may be tried again: nothing depends on it yet.
                    if (step == .rotate) continue;
                    world.fail("a log goes on after a failure");
                }
                return false;
            };
            world.acked = @max(world.acked, log.durable_sequence);
            return true;
        }
        world.fail("a log finds no room although there is");
        return false;
    }

    fn take(world: *World, step: Step) Log.Error!void {
        const log = &world.log.?;
        var detail: Detail = .{};
        switch (step) {
            .append => {
                const body = world.body[0..world.body_bytes];
                try log.append(body, world.count, world.chain, &detail);
            },
            .sync => try log.sync(&detail),
            .settle => _ = try log.settle(&detail),
            .rotate => try log.rotate(&detail),
            .cut => {
                const is_many = log.segments.items.len > segments_max;
                const start = if (is_many) world.acked + 1 else world.first;
                const sequence = world.between(start, world.acked + 2);
                world.cut = @max(world.cut, sequence);
                _ = try log.cut(sequence, &detail);
            },
            .control => try log.writeControl(&detail),
            .finish => try log.finish(&detail),
        }
    }

    /// A failed log leaves the disk alone.
    fn checkSilence(world: *World) void {
        const log = &world.log.?;
        const changes = world.disk.changes;
        world.disk.setPlan(.{});
        var detail: Detail = .{};
        for (std.enums.values(Step)) |step| switch (step) {
            .append => if (log.append("", 0, 0, &detail)) |_| {
                world.fail("a failed log takes more");
            } else |_| {},
            .finish => log.finish(&detail) catch {},
            else => world.take(step) catch {},
        };
        if (world.disk.changes != changes) world.fail("a failed log goes on writing");
        if (log.durable_sequence > world.acked) world.fail("a failed log acknowledges");
    }

    /// Compares the log that was just opened with what was written.
    fn check(world: *World) void {
        const log = &world.log.?;
        var verdict = world.verifyAll();
        const is_half_written = verdict == .bad and verdict.bad.fault == .control_slot;
        if (is_half_written and world.disk.plan.fault == .full) {
            if (!world.perform(.control)) return;
            verdict = world.verifyAll();
        }
        switch (verdict) {
            .bad => return world.fail("an opened log does not verify"),
            .sound => |sound| world.checkSummary(log, &sound),
        }
        for (world.disk.names.slice()) |*name| {
            const parts = format.parseName(name.text()) orelse continue;
            if (parts.segment < log.control.oldest or world.disk.inodes[name.inode].isDurable()) {
                continue;
            }
            world.fail("the cache shows what the device does not have");
        }
        world.acked = log.nextSequence() - 1;
        world.appended = world.acked;
    }

    fn verifyAll(world: *World) verify.Verdict {
        const later = world.disk.plan; // Who looks on is no part of it.
        world.disk.plan = .{};
        defer world.disk.plan = later;
        var reader: Comparer = .{ .world = world };
        return verify.verifyAll(&world.source, &reader);
    }

    fn checkSummary(world: *World, log: *const Log, sound: *const verify.Summary) void {
        const last = sound.next_sequence - 1;
        if (last < world.acked) world.fail("acknowledged records are gone");
        if (last > world.appended) world.fail("there are records that nobody wrote");
        if (sound.first_sequence > world.cut) world.fail("records were cut that nobody gave up");
        if (log.nextSequence() - 1 != last) world.fail("the log goes on at a wrong sequence");
        if (log.durable_sequence != last) world.fail("not all of an opened log is durable");
    }

    fn close(world: *World) void {
        if (world.log) |*log| log.deinit();
        world.log = null;
    }

    /// The process dies, and in most cases its host with it.
    fn goDown(world: *World) void {
        world.close();
        world.disk.setPlan(.{});
        if (world.chance(3)) return;
        world.crash();
    }

    fn crash(world: *World) void {
        world.disk.crash(switch (world.between(0, 6)) {
            0 => .nothing,
            1 => .everything,
            else => .mixed,
        });
    }

    /// What has come through all of it goes on, and survives another crash.
    fn endWell(world: *World) void {
        world.habit = .each;
        for (0..2) |_| {
            if (!world.open()) return;
            world.check();
            for (0..4) |_| {
                if (world.violation != null or !world.act()) return;
            }
            world.close();
            world.crash();
        }
        if (world.open()) world.check();
    }
};

fn fillPayload(out: []u8, sequence: u64, variant: u32) void {
    var word = sequence *% 0x9e3779b97f4a7c15 +% variant *% @as(u64, 0xd1b54a32d192ed03);
    var at: usize = 0;
    while (at < out.len) : (at += 8) {
        word = std.math.rotl(u64, word, 23) *% 0x9e3779b97f4a7c15;
        const count = @min(8, out.len - at);
        @memcpy(out[at..][0..count], std.mem.asBytes(&word)[0..count]);
    }
}

/// Compares records with what was written.
const Comparer = struct {
    world: *World,
    next: ?u64 = null,

    pub fn visit(comparer: *Comparer, found: verify.Visited) void {
        const world = comparer.world;
        const expected = comparer.next orelse found.sequence;
        if (found.sequence != expected) return world.fail("a sequence is missing");
        comparer.next = expected + 1;
        if (found.sequence < world.first or found.sequence > world.appended) {
            return world.fail("there are records that nobody wrote");
        }
        const wanted = world.wanted[found.sequence - world.first];
        const bytes = world.payload[0..wanted.length];
        fillPayload(bytes, found.sequence, wanted.variant);
        if (wanted.flags != found.flags or !std.mem.eql(u8, bytes, found.payload)) {
            world.fail("a record is another one than was written");
        }
    }
};

/// What a number of seeds came to.
pub const Result = struct {
    tried: u64 = 0,
    violations: u64 = 0,
    /// The first one.
    seed: u64 = 0,
    violation: []const u8 = "",
};

pub fn runSeeds(world: *World, first: u64, count: u64) Result {
    var result: Result = .{ .tried = count };
    for (first..first + count) |seed| {
        const violation = world.run(seed) orelse continue;
        if (result.violations == 0) {
            result.seed = seed;
            result.violation = violation;
        }
        result.violations += 1;
    }
    return result;
}

test "wal faults: nothing acknowledged is lost, whatever the disk does" {
    const world = try World.init();
    defer world.deinit();
    const result = runSeeds(world, 1, 200);
    if (result.violations > 0) {
        std.debug.print("seed {d}: {s}, and {d} more\n", .{
            result.seed, result.violation, result.violations - 1,
        });
        return error.Violation;
    }
}

test "wal faults: every planted fault is found" {
    const world = try World.init();
    defer world.deinit();
    defer planted.plant(null);
    for ([_]planted.Fault{ .no_sync, .early_ack, .retried_sync, .early_group }) |fault| {
        planted.plant(fault);
        for (1..400) |seed| {
            if (world.run(seed) != null) break;
        } else {
            std.debug.print("{t} was not found\n", .{fault});
            return error.NotFound;
        }
    }
}

test "wal faults: checksums without their mask are not the golden ones" {
    defer planted.plant(null);
    const golden = @embedFile("record-v1.hex");
    for ([_]?planted.Fault{ null, .plain_crc }) |fault| {
        planted.plant(fault);
        var bytes: [32]u8 align(8) = undefined;
        record.writeBody(&bytes, 0, 1, record.Flags.user, 0, "hello", bytes.len);
        std.mem.writeInt(u64, bytes[0..8], 1, .little);
        const hex = std.fmt.bytesToHex(bytes, .lower);
        const is_golden = std.mem.eql(u8, std.mem.trim(u8, golden, "\n"), &hex);
        try std.testing.expectEqual(fault == null, is_golden);
    }
}
