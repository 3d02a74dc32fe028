//! Removal: a consumer that is gone for good is forgotten by its log. A file `removed-<name>` in
//! the log's directory says so, from when it is removed until whoever writes the log has carried it
//! out: it outlives all processes, and the host.
//!
//! - It is made under the registration lock, after the consumer's slot was freed: a slot of that
//!   name is a newer consumer's.
//! - As long as it is there, the cursor that the control file has counts for nothing.
//! - The writer makes the control file durable without the cursor, takes the file away, and only
//!   then writes down a newer consumer of that name. A crash in between repeats it.
const std = @import("std");
const constants = @import("../constants.zig");
const disk = @import("disk.zig");
const Detail = @import("../detail.zig").Detail;

const prefix = "removed-";

/// A consumer's name may be any bytes: in the file's it is hexadecimal.
const file_name_bytes = prefix.len + 2 * constants.name_bytes_max;

const FileName = [file_name_bytes:0]u8;

fn fileName(consumer: []const u8) FileName {
    var name: FileName = @splat(0);
    @memcpy(name[0..prefix.len], prefix);
    for (consumer, 0..) |byte, i| {
        name[prefix.len + 2 * i ..][0..2].* = std.fmt.hex(byte);
    }
    return name;
}

/// Says that the consumer is removed. Durable when the directory is synced.
pub fn mark(directory: disk.Directory, consumer: []const u8, detail: *Detail) disk.Error!void {
    const name = fileName(consumer);
    (try directory.createFile(&name, detail)).close();
}

/// Whether the consumer is removed, and not yet forgotten.
pub fn isMarked(directory: disk.Directory, consumer: []const u8) bool {
    const name = fileName(consumer);
    var ignored: Detail = .{};
    (directory.openFile(&name, .read, &ignored) catch return false).close();
    return true;
}

/// Consumers that are to be forgotten.
pub const Pending = struct {
    names: [constants.consumers_max]Name = undefined,
    count: usize = 0,

    const Name = struct {
        bytes: [constants.name_bytes_max]u8,
        len: usize,

        pub fn text(name: *const Name) []const u8 {
            return name.bytes[0..name.len];
        }
    };

    /// Reads which there are. What is not to be had now is found the next time.
    pub fn read(directory: disk.Directory) Pending {
        var pending: Pending = .{};
        var ignored: Detail = .{};
        directory.list(&pending, &ignored) catch {};
        return pending;
    }

    pub fn visit(pending: *Pending, name: []const u8) error{}!void {
        if (pending.count == pending.names.len or !std.mem.startsWith(u8, name, prefix)) return;
        const text = name[prefix.len..];
        if (text.len == 0 or text.len > 2 * constants.name_bytes_max) return;
        const slot = &pending.names[pending.count];
        const consumer = std.fmt.hexToBytes(&slot.bytes, text) catch return;
        slot.len = consumer.len;
        if (!std.mem.eql(u8, std.mem.span(@as([*:0]const u8, &fileName(consumer))), name)) return;
        pending.count += 1;
    }

    pub fn list(pending: *const Pending) []const Name {
        return pending.names[0..pending.count];
    }

    pub fn has(pending: *const Pending, consumer: []const u8) bool {
        for (pending.list()) |*name| {
            if (std.mem.eql(u8, name.text(), consumer)) return true;
        }
        return false;
    }

    /// Takes the files away, after their consumers were forgotten.
    pub fn unlink(
        pending: *const Pending,
        directory: disk.Directory,
        detail: *Detail,
    ) disk.Error!void {
        if (pending.count == 0) return;
        for (pending.list()) |*name| {
            // One that stays is found again.
            directory.unlink(&fileName(name.text()), detail) catch continue;
        }
        try directory.sync(detail);
    }
};

test "wal removal: a file name says which consumer, and no other name says one" {
    for ([_][]const u8{ "x", "risk.eu-1", "a/b\x00c", "ü" ** 48 }) |consumer| {
        var pending: Pending = .{};
        const name = fileName(consumer);
        try pending.visit(std.mem.span(@as([*:0]const u8, &name)));
        try std.testing.expectEqual(1, pending.count);
        try std.testing.expect(pending.has(consumer));
        try std.testing.expect(!pending.has("y"));
    }
    var none: Pending = .{};
    const others = [_][]const u8{ "removed-", "removed-7", "removed-7G", "removed-AB", "control" };
    for (others) |name| try none.visit(name);
    try none.visit("removed-" ++ "00" ** (constants.name_bytes_max + 1));
    try std.testing.expectEqual(0, none.count);
}
