//! The border, the part of what has happened: histograms and the history of a channel.
//!
//! The rules of exports.zig hold here too. Everything here only reads, also what others have left
//! in a mapping that is read-only, and takes nothing in it for true.
const std = @import("std");
const constants = @import("constants.zig");
const exports = @import("exports.zig");
const handles = @import("handles.zig");
const histogram_module = @import("histogram.zig");
const history_module = @import("history.zig");
const Channel = @import("channel.zig").Channel;
const Histogram = histogram_module.Histogram;
const code = exports.code;
const toFloat = exports.toFloat;

/// What a channel has histograms of.
pub const HistogramKind = enum(u32) {
    /// From publishing to the poll that delivered, ns: one for each consumer slot.
    latency = 0,
    /// Records' bytes in each group of the log.
    group_bytes = 1,
    /// Syncs of the log, ns.
    sync_time = 2,
};

/// A histogram as numbers of JavaScript.
pub const HistogramReport = extern struct {
    sum: f64,
    min: f64,
    max: f64,
    counts: [histogram_module.bucket_count]f64,
};

fn find(channel: *const Channel, kind: u32, index: u32) ?*const Histogram {
    const ring = &channel.ring;
    return switch (std.enums.fromInt(HistogramKind, kind) orelse return null) {
        .latency => if (index < ring.consumers_max) &ring.consumers[index].latency else null,
        .group_bytes => &ring.chronicle.group_bytes,
        .sync_time => &ring.chronicle.sync_time,
    };
}

/// Writes the `HistogramReport` of a `HistogramKind`; `index` is the consumer's slot.
pub export fn mt_channel_histogram(
    handle: u32,
    kind: u32,
    index: u32,
    out: [*]f64,
) callconv(.c) i32 {
    const channel = handles.get(Channel, handle) orelse return code(.closed);
    const histogram = find(channel, kind, index) orelse return code(.invalid_argument);
    out[0] = toFloat(@atomicLoad(u64, &histogram.sum_ns, .monotonic));
    out[1] = toFloat(histogram.minNs());
    out[2] = toFloat(@atomicLoad(u64, &histogram.max_ns, .monotonic));
    for (&histogram.counts, out[3..][0..histogram_module.bucket_count]) |*count, *value| {
        value.* = toFloat(@atomicLoad(u64, count, .monotonic));
    }
    return code(if (channel.isPoisoned()) .truncated else .ok);
}

/// One entry of a channel's history.
pub const HistoryReport = extern struct {
    time_ms: f64,
    sequence: f64,
    number: u32,
    kind: u32,
    errno: u32,
    pid: u32,
    name_bytes: u32,
    reserved_0: u32 = 0,
    name: [constants.name_bytes_max]u8,
};

/// Writes up to 32 `HistoryReport`s, the oldest first. Returns how many.
pub export fn mt_channel_history(handle: u32, out: [*]u8) callconv(.c) i32 {
    const channel = handles.get(Channel, handle) orelse return code(.closed);
    var entries: [history_module.entries_max]history_module.Entry = undefined;
    const count = channel.ring.chronicle.history.read(&entries);
    for (entries[0..count], 0..) |*entry, i| {
        const report: HistoryReport = .{
            .time_ms = @floatFromInt(entry.time_ns / std.time.ns_per_ms),
            .sequence = toFloat(entry.sequence),
            .number = entry.number,
            .kind = entry.kind,
            .errno = entry.errno,
            .pid = entry.pid,
            .name_bytes = @intCast(entry.nameText().len),
            .name = entry.name,
        };
        const size = @sizeOf(HistoryReport);
        @memcpy(out[i * size ..][0..size], std.mem.asBytes(&report));
    }
    return if (channel.isPoisoned()) code(.truncated) else @intCast(count);
}

comptime {
    // `mt_channel_histogram` writes the report's fields in their order.
    std.debug.assert(@offsetOf(HistogramReport, "counts") == 3 * @sizeOf(f64));
}
