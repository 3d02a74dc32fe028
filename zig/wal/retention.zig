//! Retention: which segments are kept. Those that a named consumer, or its checkpoint, still needs;
//! all, as long as nobody has made a checkpoint.
//!
//! - Needs are read out of the ring and written down in the control file before anything is cut, so
//!   that they are known when the ring is lost.
//! - A consumer that was removed is forgotten first (removal.zig).
//! - Who joins while segments are cut is noted first, or finds them cut: the registration lock
//!   sees to that. While somebody else has it, nothing is cut.
//! - A consumer that never comes back keeps the log growing. A cap ends that, as its owner chose:
//!   producers are refused, or the oldest segments go, which is counted.
const std = @import("std");
const channel_module = @import("../channel.zig");
const constants = @import("../constants.zig");
const control_module = @import("control.zig");
const disk = @import("disk.zig");
const fault_points = @import("../testing/fault_points.zig");
const header = @import("../header.zig");
const liveness = @import("../liveness.zig");
const memory = @import("../memory.zig").direct;
const removal = @import("removal.zig");
const Channel = channel_module.Channel;
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

/// Forgets who was removed, writes down what named consumers need, if that has changed, and cuts
/// what nobody does.
pub fn keep(log: *Log, channel: *const Channel, detail: *Detail) Log.Error!void {
    const ring = &channel.ring;
    const next = log.durable_sequence + 1;
    const removed: removal.Pending = .read(log.directory);
    for (removed.list()) |*name| log.control.dropCursor(name.text());
    const has_changed = blk: { // Written without the lock, for which others may wait.
        liveness.tryLock(channel.fd, .registration) catch return; // The next time, then.
        defer liveness.unlock(channel.fd, .registration);
        break :blk gather(&log.control, ring, next, &removed).has_changed;
    };
    if (has_changed or removed.count > 0) try log.writeControl(detail);
    if (removed.count > 0) fault_points.hit(.mid_forget);
    try removed.unlink(log.directory, detail);
    liveness.tryLock(channel.fd, .registration) catch return;
    defer liveness.unlock(channel.fd, .registration);
    const needs = gather(&log.control, ring, next, &.{});
    if (needs.has_changed) try log.writeControl(detail);
    const lowest = floor(&log.control) orelse return;
    _ = try log.cut(@min(lowest, needs.unrecorded), detail);
    // Before anybody joins who would look for what was cut.
    const oldest = &ring.lines.durability.oldest;
    memory.store(u64, oldest, log.control.oldest_sequence, .release);
}

/// Makes the next segment fit under the cap. `NoSpace` if it does not.
pub fn makeRoom(log: *Log, channel: *const Channel, cap: Cap, detail: *Detail) Log.Error!void {
    const segment_bytes = log.options.segment_bytes;
    const max = cap.log_bytes_max;
    if (max == 0 or log.sizeBytes() + segment_bytes <= max) return;
    try keep(log, channel, detail);
    while (log.sizeBytes() + segment_bytes > max) {
        if (cap.when_full == .block or log.segments.items.len < 2) {
            detail.errno = 0; // The cap's, not the operating system's.
            return error.NoSpace;
        }
        log.control.forced_cuts += 1;
        _ = try log.cut(log.segments.items[1].first_sequence, detail);
    }
}

/// What the ring has told.
const Needs = struct {
    /// Whether something is to be written down.
    has_changed: bool = false,
    /// First sequence that consumers need for whom there is no room to be written down.
    unrecorded: u64 = std.math.maxInt(u64),
};

/// Brings the cursors up to what the ring says, as far as `next`, the sequence behind the last one
/// that is durable: a consumer may be ahead of the log, which may yet end there. Passes over those
/// whose name is yet to be forgotten.
///
/// Under the registration lock, so that no slot gets another name meanwhile.
fn gather(
    control: *Control,
    ring: *const Ring,
    next: u64,
    removed: *const removal.Pending,
) Needs {
    var needs: Needs = .{};
    for (ring.consumers[0..ring.consumers_max], 0..) |*slot, index| {
        if (index == header.persister_index) continue;
        const state = memory.load(u32, &slot.owner.state, .acquire);
        const copy = slot.owner.name; // A peer may change it between two looks.
        const name = copy[0..channel_module.ownerName(&slot.owner).len];
        if (state == header.SlotState.free or name.len == 0) continue;
        if (!std.unicode.utf8ValidateSlice(name)) continue; // Nobody could remove it again.
        if (removed.has(name)) continue;
        const sequence = @min(memory.load(u64, &slot.cursor.sequence, .acquire), next);
        const needed = memory.load(u64, &slot.keep, .acquire);
        if (sequence == 0) continue; // No sound consumer writes that.
        const cursor = control.findCursor(name) orelse add(control, name) orelse {
            const lowest = if (needed != 0) @min(needed, sequence) else sequence;
            needs.unrecorded = @min(needs.unrecorded, lowest);
            continue;
        };
        const keep_from = if (needed != 0) needed else cursor.keep;
        if (cursor.sequence == sequence and cursor.keep == keep_from) continue;
        cursor.sequence = sequence;
        cursor.keep = keep_from;
        needs.has_changed = true;
    }
    return needs;
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
        // It may have gone back behind what it keeps.
        const keep_from = if (cursor.keep != 0) cursor.keep else cursor.sequence;
        const needed = @min(keep_from, cursor.sequence);
        lowest = @min(lowest orelse needed, needed);
    }
    return if (has_checkpoint) lowest else null;
}
