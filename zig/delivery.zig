//! Delivery: how a poll hands messages to JavaScript.
const std = @import("std");
const build_options = @import("build_options");
const clock = @import("clock.zig");
const record = @import("record.zig");
const Histogram = @import("histogram.zig").Histogram;

/// What stands before each message in a poll's output; the payload follows, padded to 8 bytes.
pub const Delivery = extern struct {
    sequence: f64,
    /// Where the payload lies: bytes into the data area. Only in view mode.
    offset: f64,
    /// Nanoseconds from publishing to this poll; 0 in a channel without timestamps.
    latency_ns: f64,
    length: u32,
    flags: u32,
};

/// Bytes before each payload.
pub const bytes = @sizeOf(Delivery);

/// Where polled records go.
pub const Sink = struct {
    bytes: []u8,
    used: usize = 0,
    in_place: bool,
    count: u32 = 0,

    /// Writes what stands before a message, whose payload ends at `end`.
    pub inline fn put(
        sink: *Sink,
        sequence: u64,
        offset: u64,
        length: u32,
        flags: u8,
        end: usize,
    ) void {
        const delivery: *Delivery = @ptrCast(@alignCast(sink.bytes.ptr + sink.used));
        delivery.* = .{
            .sequence = @floatFromInt(@as(i64, @intCast(sequence))),
            .offset = @floatFromInt(@as(i64, @intCast(offset))),
            .latency_ns = 0,
            .length = length,
            .flags = flags,
        };
        sink.used = end;
        sink.count += 1;
    }

    /// One clock reading for the batch; each message's publish time becomes its latency.
    pub fn measure(sink: *const Sink, data: [*]const u8, histogram: ?*Histogram) void {
        const now = clock.ticks();
        var at: usize = 0;
        while (at < sink.used) {
            const delivery: *Delivery = @ptrCast(@alignCast(sink.bytes.ptr + at));
            const body_bytes = if (sink.in_place)
                0
            else
                std.mem.alignForward(usize, delivery.length, 8);
            const body = if (sink.in_place)
                data + @as(usize, @intFromFloat(delivery.offset))
            else
                sink.bytes.ptr + at + @sizeOf(Delivery);
            at += @sizeOf(Delivery) + body_bytes;
            if (delivery.flags & record.Flags.timestamped == 0) continue;
            const then = std.mem.readInt(u64, body[0..8], .little);
            const latency_ns = clock.ticksToNs(now -| then);
            delivery.latency_ns = @floatFromInt(latency_ns);
            if (build_options.counters) if (histogram) |found| found.record(latency_ns);
        }
    }
};
