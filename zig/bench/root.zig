//! The benchmarks' native half: the same work as the TypeScript loops, without JavaScript, and the
//! floors that both are compared with. Built by `zig build bench`; not part of the library.
//!
//! Loops time each round with the tick clock and write ticks; TypeScript makes figures of them.
const std = @import("std");
const mt = @import("message_transport");
const Channel = mt.channel.Channel;
const Consumer = mt.consumer.Consumer;
const Detail = mt.detail.Detail;
const Producer = mt.producer.Producer;

comptime {
    _ = mt; // The whole library is in here too, so that both halves run the same code.
    _ = @import("disk.zig");
}

const failed = -1.0;

/// Looks in one go, as many as the TypeScript side's `spin` has.
const spins = 20_000;

fn open(path: [*:0]const u8) ?*Channel {
    var detail: Detail = .{};
    const place = mt.file.Place.open(path, false, &detail) catch return null;
    defer place.close();
    const channel = mt.channel.open(place, "", .{}, &detail) catch return null;
    _ = channel.grantLog(channel.identity.logPath()); // A file of the benchmark's own.
    return channel;
}

/// Low half of the tick clock: a call that costs as little as a call can.
pub export fn mt_bench_ticks() callconv(.c) u32 {
    return @truncate(mt.clock.ticks());
}

pub export fn mt_bench_nop() callconv(.c) u32 {
    return 0;
}

/// Rounds that the floor stays on one line, and lines that it goes over. How far a line lies from
/// both cores depends on its address: one line alone may be 50 % off.
const rounds_per_line = 256;
const floor_lines = 251;
/// Bytes between two of them: each on a page of its own, and at another place in it.
const floor_stride = 4096 + 64;

/// One cache line back and forth between two processes that call this with roles 0 and 1. Role 0
/// writes each round's ticks. The floor of everything that hands a message over and back.
///
/// Assumes a new channel of 1 MiB or more.
pub export fn mt_bench_floor(
    path: [*:0]const u8,
    role: u32,
    rounds: u32,
    ticks: [*]u32,
) callconv(.c) f64 {
    const channel = open(path) orelse return failed;
    defer channel.release();
    var last = mt.clock.ticks();
    for (0..rounds) |round| {
        const offset = round / rounds_per_line % floor_lines * floor_stride;
        const word: *u32 = @ptrCast(@alignCast(channel.ring.data + offset));
        const turn: u32 = @intCast(2 * round);
        if (role == 0) {
            @atomicStore(u32, word, turn + 1, .release);
            while (@atomicLoad(u32, word, .acquire) != turn + 2) {}
            const now = mt.clock.ticks();
            ticks[round] = @truncate(now - last);
            last = now;
        } else {
            while (@atomicLoad(u32, word, .acquire) != turn + 1) {}
            @atomicStore(u32, word, turn + 2, .release);
        }
    }
    return 0;
}

/// A message there and back through two channels. Role 0 sends first on `there`; role 1 answers on
/// `back`. Each message carries its round, which is checked. Returns the number of wrong ones.
pub export fn mt_bench_handoff(
    there: [*:0]const u8,
    back: [*:0]const u8,
    role: u32,
    bytes: u32,
    rounds: u32,
    ticks: [*]u32,
) callconv(.c) f64 {
    const out_channel = open(if (role == 0) there else back) orelse return failed;
    defer out_channel.release();
    const in_channel = open(if (role == 0) back else there) orelse return failed;
    defer in_channel.release();
    var detail: Detail = .{};
    const producer = Producer.init(out_channel, "", &detail) catch return failed;
    defer producer.deinit();
    const earliest: mt.consumer.Options = .{ .name = "", .policy = .block, .start = .earliest };
    const consumer = Consumer.init(in_channel, earliest, &detail) catch return failed;
    defer consumer.deinit();
    var payload: [4096]u8 align(8) = @splat(7);
    var received: [8192]u8 align(8) = undefined;
    var wrong: f64 = 0;
    var last = mt.clock.ticks();
    for (0..rounds) |round| {
        std.mem.writeInt(u32, payload[0..4], @truncate(round), .little);
        if (role == 0) _ = producer.offer(payload[0..bytes], 0) catch return failed;
        while (consumer.spin(spins) != .ok) {}
        if ((consumer.poll(&received, 1, false) catch return failed) != 1) return failed;
        const body = received[@sizeOf(mt.delivery.Delivery)..];
        if (std.mem.readInt(u32, body[0..4], .little) != @as(u32, @truncate(round))) wrong += 1;
        if (role == 1) _ = producer.offer(payload[0..bytes], 0) catch return failed;
        consumer.ackAll();
        const now = mt.clock.ticks();
        ticks[round] = @truncate(now - last);
        last = now;
    }
    return wrong;
}

/// Publishes `count` messages in batches. Each begins with its number. Returns the ticks it took,
/// or -1.
pub export fn mt_bench_produce(
    path: [*:0]const u8,
    bytes: u32,
    batch: u32,
    count: u32,
) callconv(.c) f64 {
    const channel = open(path) orelse return failed;
    defer channel.release();
    var detail: Detail = .{};
    const producer = Producer.init(channel, "", &detail) catch return failed;
    defer producer.deinit();
    const payload = std.heap.c_allocator.alloc(u8, bytes * batch) catch return failed;
    defer std.heap.c_allocator.free(payload);
    @memset(payload, 7);
    const gating = &channel.ring.lines.control.gating; // Nobody to read: it would run away.
    while (@atomicLoad(u64, gating, .acquire) == 0) std.atomic.spinLoopHint();
    const start = mt.clock.ticks();
    var sent: u32 = 0;
    while (sent < count) : (sent += batch) {
        for (0..batch) |i| {
            const number = sent + @as(u32, @intCast(i));
            std.mem.writeInt(u32, payload[i * bytes ..][0..4], number, .little);
        }
        while (true) {
            const result = if (batch == 1)
                producer.offer(payload, 0)
            else
                producer.offerBatch(payload.ptr, .{ .array = null, .each = bytes, .count = batch });
            if (result) |_| break else |err| if (err != error.BackPressured) return failed;
            std.atomic.spinLoopHint();
        }
    }
    return @floatFromInt(mt.clock.ticks() - start);
}

/// Takes `count` messages and checks their numbers. Returns the ticks from the first batch after
/// `warm_up` messages to the end, divided by the messages taken in that time, or -1.
pub export fn mt_bench_consume(path: [*:0]const u8, count: u32, warm_up: u32) callconv(.c) f64 {
    const channel = open(path) orelse return failed;
    defer channel.release();
    var detail: Detail = .{};
    const earliest: mt.consumer.Options = .{ .name = "", .policy = .block, .start = .earliest };
    const consumer = Consumer.init(channel, earliest, &detail) catch return failed;
    defer consumer.deinit();
    const size = 256 * 1024;
    const received = std.heap.c_allocator.alignedAlloc(u8, .@"8", size) catch return failed;
    defer std.heap.c_allocator.free(received);
    var start: u64 = 0;
    var skipped: u32 = 0;
    var taken: u32 = 0;
    while (taken < count) {
        const got = consumer.poll(received, 256, false) catch return failed;
        if (!areNumbered(received, got, taken)) return failed;
        taken += got;
        if (got > 0) consumer.ackAll() else std.atomic.spinLoopHint();
        if (start == 0 and taken > warm_up) {
            start = mt.clock.ticks();
            skipped = taken;
        }
    }
    const elapsed: f64 = @floatFromInt(mt.clock.ticks() - start);
    return elapsed / @as(f64, @floatFromInt(count - skipped));
}

/// Whether the messages that were polled begin with the numbers from `first` on.
fn areNumbered(received: []align(8) const u8, count: u32, first: u32) bool {
    var at: usize = 0;
    for (0..count) |i| {
        const delivery: *const mt.delivery.Delivery = @ptrCast(@alignCast(received.ptr + at));
        const body = received[at + @sizeOf(mt.delivery.Delivery) ..];
        const number = std.mem.readInt(u32, body[0..4], .little);
        if (number != first + @as(u32, @intCast(i))) return false;
        at += @sizeOf(mt.delivery.Delivery) + std.mem.alignForward(usize, delivery.length, 8);
    }
    return true;
}

/// Sums `bytes` again and again with one of the CRC's implementations. Returns the last sum.
pub export fn mt_bench_crc(kind: u32, bytes: [*]const u8, size: u32, rounds: u32) callconv(.c) u32 {
    const chosen = std.enums.fromInt(mt.crc32c.Kind, kind) orelse return 0;
    var state: u32 = 0;
    for (0..rounds) |_| state = mt.crc32c.updateWith(chosen, state, bytes[0..size]);
    return state;
}

/// Name of the CRC's implementation number `index`, at most 64 bytes. Returns its length: 0 if this
/// processor cannot run it, -1 if there is none of that number.
pub export fn mt_bench_crc_kind(index: u32, name: [*]u8) callconv(.c) i32 {
    const kind = std.enums.fromInt(mt.crc32c.Kind, index) orelse return -1;
    if (!mt.crc32c.isSupported(kind)) return 0;
    const text = @tagName(kind);
    @memcpy(name[0..text.len], text);
    return @intCast(text.len);
}
