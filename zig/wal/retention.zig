//! Retention: which segments are kept. Those that a named consumer, or its checkpoint, still needs;
//! all, as long as nobody has made a checkpoint.
//!
//! - Needs are read out of the ring and written down in the control file before anything is cut, so
//!   that they are known when the ring is lost.
//! - A consumer that never comes back keeps the log growing. A cap ends that, as its owner chose:
//!   producers are refused, or the oldest segments go, which is counted.
const std = @import("std");
const channel_module = @import("../channel.zig");
const constants = @import("../constants.zig");
const control_module = @import("control.zig");
const disk = @import("disk.zig");
const header = @import("../header.zig");
const memory = @import("../memory.zig").direct;
const Control = control_module.Control;
const Detail = @import("../detail.zig").Detail;
const Log = @import("log.zig").Log(disk);
const Ring = @import("../ring.zig").Ring;

/// What happens when the log has reached its cap.
pub const WhenFull = enum(u32) { block = 0, cut = 1 };

/// The cap on a log's size.
pub const Cap = struct {
    /// Bytes of all segments; 0 for no cap.
    log_bytes_max: u64,
    when_full: WhenFull,
};

/// Writes down what named consumers need, if that has changed, and cuts what nobody does.
pub fn keep(log: *Log, ring: *const Ring, detail: *Detail) Log.Error!void {
    if (gather(&log.control, ring, log.durable_sequence + 1)) try log.writeControl(detail);
    if (floor(&log.control)) |sequence| _ = try log.cut(sequence, detail);
}

/// Makes the next segment fit under the cap. `NoSpace` if it does not.
pub fn makeRoom(log: *Log, ring: *const Ring, cap: Cap, detail: *Detail) Log.Error!void {
    const segment_bytes = log.options.segment_bytes;
    const max = cap.log_bytes_max;
    if (max == 0 or log.sizeBytes() + segment_bytes <= max) return;
    try keep(log, ring, detail);
    while (log.sizeBytes() + segment_bytes > max) {
        if (cap.when_full == .block or log.segments.items.len < 2) {
            detail.errno = 0; // The cap's, not the operating system's.
            return error.NoSpace;
        }
        log.control.forced_cuts += 1;
        _ = try log.cut(log.segments.items[1].first_sequence, detail);
    }
}

/// Brings the cursors up to what the ring says, as far as `next`, the sequence behind the last one
/// that is durable: a consumer may be ahead of the log, which may yet end there. True if something
/// has changed.
fn gather(control: *Control, ring: *const Ring, next: u64) bool {
    var has_changed = false;
    for (ring.consumers[0..ring.consumers_max], 0..) |*slot, index| {
        if (index == header.persister_index) continue;
        const state = memory.load(u32, &slot.owner.state, .acquire);
        const name = channel_module.ownerName(&slot.owner);
        if (state == header.SlotState.free or name.len == 0) continue;
        const sequence = @min(memory.load(u64, &slot.cursor.sequence, .acquire), next);
        const needed = memory.load(u64, &slot.keep, .acquire);
        if (sequence == 0) continue; // No sound consumer writes that.
        const cursor = control.findCursor(name) orelse add(control, name) orelse continue;
        const keep_from = if (needed != 0) @min(needed, sequence) else cursor.keep;
        if (cursor.sequence == sequence and cursor.keep == keep_from) continue;
        cursor.sequence = sequence;
        cursor.keep = keep_from;
        has_changed = true;
    }
    return has_changed;
}

fn add(control: *Control, name: []const u8) ?*control_module.Cursor {
    if (control.cursors_count == control.cursors.len) return null;
    const cursor = &control.cursors[control.cursors_count];
    control.cursors_count += 1;
    cursor.* = std.mem.zeroes(control_module.Cursor);
    cursor.name_bytes = @intCast(name.len);
    @memcpy(cursor.name[0..name.len], name);
    return cursor;
}

/// First sequence that somebody needs; null while nobody has made a checkpoint.
fn floor(control: *const Control) ?u64 {
    var lowest: ?u64 = null;
    var has_checkpoint = false;
    for (control.cursors[0..control.cursors_count]) |*cursor| {
        if (cursor.keep != 0) has_checkpoint = true;
        const needed = if (cursor.keep != 0) cursor.keep else cursor.sequence;
        lowest = @min(lowest orelse needed, needed);
    }
    return if (has_checkpoint) lowest else null;
}
