//! The border, the part of a channel's histograms.
//!
//! The rules of exports.zig hold here too. Everything here only reads, also what others have left
//! in a mapping that is read-only, and takes nothing in it for true.
const std = @import("std");
const exports = @import("exports.zig");
const handles = @import("handles.zig");
const histogram_module = @import("histogram.zig");
const Channel = @import("channel.zig").Channel;
const Histogram = histogram_module.Histogram;
const HistogramReport = histogram_module.HistogramReport;
const code = exports.code;

/// What a channel has histograms of.
pub const HistogramKind = enum(u32) {
    /// From publishing to the poll that delivered, ns: one for each consumer slot.
    latency = 0,
    /// Records' bytes in each group of the log.
    group_bytes = 1,
    /// Syncs of the log, ns.
    sync_time = 2,
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
    HistogramReport.of(histogram).writeTo(out);
    return code(if (channel.isPoisoned()) .truncated else .ok);
}
