//! The border, the part of a channel's history: what went wrong in it, and was put right.
//!
//! The rules of exports.zig hold here too. Everything here only reads, also what others have left
//! in a mapping that is read-only, and takes nothing in it for true.
const std = @import("std");
const constants = @import("constants.zig");
const exports = @import("exports.zig");
const handles = @import("handles.zig");
const history_module = @import("history.zig");
const Channel = @import("channel.zig").Channel;
const code = exports.code;
const toFloat = exports.toFloat;

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
