//! Control file of a log: what must be known of it besides its segments. Two slots, written in
//! turn, so that a crash while one is written leaves the other.
//!
//! - `newest` and `oldest` say which segments have to be there: a missing one is noticed.
//! - After a clean end, `end` says how far the log reached: damage before it is corruption.
//! - The cursors of named consumers are here for the case that the ring is lost with its host.
//! - A slot that does not verify is as good as absent; the other one says less, and nothing wrong.
const std = @import("std");
const assert = std.debug.assert;
const constants = @import("../constants.zig");
const crc32c = @import("../crc32c.zig");
const format = @import("format.zig");
const Detail = @import("../detail.zig").Detail;

pub const file_name = "control";
pub const magic = "MTCTL001".*;
pub const version = 1;

/// A named consumer's place.
pub const Cursor = extern struct {
    /// Next sequence that it wants.
    sequence: u64,
    /// First sequence that it needs the log to keep; 0 for `sequence`.
    keep: u64,
    name_bytes: u32,
    reserved_0: u32 = 0,
    name: [constants.name_bytes_max]u8,

    pub fn text(cursor: *const Cursor) []const u8 {
        return cursor.name[0..@min(cursor.name_bytes, cursor.name.len)];
    }
};

/// One slot.
pub const Control = extern struct {
    magic: [8]u8 = magic,
    version: u32 = version,
    epoch: u32,
    /// Rises with each writing; the higher one of two slots counts.
    generation: u64,
    /// Segment that groups go to; 0 while there is none yet.
    newest: u32,
    /// Segments below it have been cut.
    oldest: u32,
    /// First sequence of the oldest segment.
    oldest_sequence: u64,
    /// Offset in the newest segment that the log ended at; 0 while somebody writes it.
    end: u64,
    /// Sequence behind the last one then.
    end_sequence: u64,
    cursors_count: u32,
    /// Times that segments were cut although somebody still needed them, by the cap on size.
    forced_cuts: u32,
    boot_id: [16]u8,
    log: format.LogIdentity,
    cursors: [constants.consumers_max]Cursor,
    reserved_1: [2336]u8 = @splat(0),
    reserved_2: u32 = 0,
    crc: u32 = 0,

    comptime {
        assert(@sizeOf(Cursor) == 120);
        assert(@sizeOf(Control) == slot_bytes);
        assert(@offsetOf(Control, "crc") == slot_bytes - 4);
    }

    pub fn computeCrc(control: *const Control) u32 {
        const bytes = std.mem.asBytes(control);
        return crc32c.mask(crc32c.checksum(bytes[0..@offsetOf(Control, "crc")]));
    }

    pub fn isSound(control: *const Control) bool {
        if (!std.mem.eql(u8, &control.magic, &magic) or control.version != version) return false;
        if (control.crc != control.computeCrc()) return false;
        if (control.cursors_count > control.cursors.len) return false;
        return control.oldest <= control.newest or control.newest == 0;
    }

    pub fn findCursor(control: *Control, name: []const u8) ?*Cursor {
        for (control.cursors[0..control.cursors_count]) |*cursor| {
            if (std.mem.eql(u8, cursor.text(), name)) return cursor;
        }
        return null;
    }

    /// Forgets a consumer, if it is known.
    pub fn dropCursor(control: *Control, name: []const u8) void {
        const cursor = control.findCursor(name) orelse return;
        control.cursors_count -= 1;
        const last = &control.cursors[control.cursors_count];
        cursor.* = last.*;
        last.* = std.mem.zeroes(Cursor);
    }
};

/// Whole pages, so that a slot can be read past the page cache.
pub const slot_bytes = 3 * constants.page_bytes;

/// What the two slots of a file say.
pub const Slots = struct {
    /// The newest one that verifies.
    control: Control,
    /// How many verify: both, unless a crash or damage hit one.
    sound: u32,
};

/// Reads the newest sound slot; null where there is none.
pub fn read(file: anytype, detail: *Detail) !?Slots {
    var best: ?Slots = null;
    for (0..2) |slot| {
        var control: Control align(constants.page_bytes) = undefined; // For direct reading.
        const bytes = std.mem.asBytes(&control);
        if (try file.readAt(bytes, slot * slot_bytes, detail) != slot_bytes) continue;
        if (!control.isSound() or control.generation % 2 != slot) continue;
        const sound = if (best) |found| found.sound + 1 else 1;
        if (best) |found| if (found.control.generation > control.generation) {
            best.?.sound = sound;
            continue;
        };
        best = .{ .control = control, .sound = sound };
    }
    return best;
}

/// Writes the next slot and makes it durable.
pub fn write(file: anytype, control: *Control, detail: *Detail) !void {
    try put(file, control, detail);
    try file.sync(detail);
}

/// Writes the next slot. One that could not be written is the next one still.
pub fn put(file: anytype, control: *Control, detail: *Detail) !void {
    control.generation += 1;
    errdefer control.generation -= 1;
    control.crc = control.computeCrc();
    const slot = control.generation % 2;
    try file.writeAt(&.{std.mem.asBytes(control)}, slot * slot_bytes, detail);
}

/// A control for a log that has no segment yet.
pub fn initial(log: *const format.LogIdentity, first_sequence: u64, boot_id: [16]u8) Control {
    return .{
        .epoch = 0,
        .generation = 0,
        .newest = 0,
        .oldest = 1,
        .oldest_sequence = first_sequence,
        .end = 0,
        .end_sequence = first_sequence,
        .cursors_count = 0,
        .forced_cuts = 0,
        .boot_id = boot_id,
        .log = log.*,
        .cursors = std.mem.zeroes([constants.consumers_max]Cursor),
    };
}

test "wal control: every flipped bit of a slot is found" {
    var control = initial(&format.exampleLog(), 1, @splat(0));
    control.crc = control.computeCrc();
    try std.testing.expect(control.isSound());
    for (0..@sizeOf(Control)) |i| {
        var copy = control;
        std.mem.asBytes(&copy)[i] ^= @as(u8, 1) << @intCast(i % 8);
        try std.testing.expect(!copy.isSound());
    }
}

test "wal control: a cursor that is dropped takes no other one along" {
    var control = initial(&format.exampleLog(), 1, @splat(0));
    for ([_][]const u8{ "a", "b", "c" }, 0..) |name, i| {
        const cursor = &control.cursors[i];
        cursor.sequence = i + 1;
        cursor.name_bytes = 1;
        cursor.name[0] = name[0];
    }
    control.cursors_count = 3;
    for ([_][]const u8{ "d", "a", "c" }, [_]u32{ 3, 2, 1 }) |name, left| {
        control.dropCursor(name);
        try std.testing.expectEqual(left, control.cursors_count);
        try std.testing.expectEqual(null, control.findCursor(name));
        try std.testing.expectEqual(2, control.findCursor("b").?.sequence);
    }
    for (control.cursors[1..]) |cursor| {
        try std.testing.expectEqual(std.mem.zeroes(Cursor), cursor);
    }
}
