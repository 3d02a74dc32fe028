//! Removal of a named consumer that never comes back: its slot, and what its log keeps for it.
//!
//! The slot is freed first, then the log is told, both under the registration lock: a consumer of
//! that name that opens later is another one. A crash in between leaves a consumer of which only
//! the log knows; removing it once more ends that.
const std = @import("std");
const consumer_slot = @import("consumer_slot.zig");
const disk = @import("wal/disk.zig");
const fault_points = @import("testing/fault_points.zig");
const file = @import("file.zig");
const header = @import("header.zig");
const liveness = @import("liveness.zig");
const reader = @import("wal/reader.zig");
const removal = @import("wal/removal.zig");
const replay = @import("replay.zig");
const Channel = @import("channel.zig").Channel;
const Detail = @import("detail.zig").Detail;
const Status = @import("status.zig").Status;
const memory = @import("memory.zig").direct;
const ownerName = @import("channel.zig").ownerName;

/// `Busy`: it lives, in the process that `detail` names. `NotFound`: neither ring nor log know it.
pub const Error = disk.Error || error{Busy};

pub fn statusOf(err: Error) Status {
    return switch (err) {
        error.Busy => .busy,
        error.NotFound => .not_found,
        error.AlreadyExists => .already_exists,
        error.NoSpace => .no_space,
        error.UnsafeFile => .unsafe_file,
        error.UnsupportedFileSystem => .unsupported_file_system,
        error.Os => .os_error,
    };
}

/// Removes the consumer of that name. When this returns, whoever opens the name begins anew, also
/// after a crash of the host; whoever writes the log, now or next, forgets it.
pub fn remove(channel: *Channel, name: []const u8, detail: *Detail) Error!void {
    if (!channel.identity.isDurable()) {
        liveness.lock(channel.fd, .registration) catch return error.Os;
        defer liveness.unlock(channel.fd, .registration);
        if (try freeSlot(channel, name, detail) == null) return error.NotFound;
    } else {
        const path = replay.pathOf(channel);
        const directory = try disk.Directory.open(&path, false, detail);
        defer directory.close();
        try removeLogged(channel, directory, name, detail);
        fault_points.hit(.after_removal);
        try directory.sync(detail); // Not under the lock: it may take long.
    }
    channel.note(.{
        .kind = .consumer_removed,
        .name = name,
        .pid = @intCast(std.os.linux.getpid()),
    });
}

fn removeLogged(
    channel: *Channel,
    directory: disk.Directory,
    name: []const u8,
    detail: *Detail,
) Error!void {
    if (std.mem.eql(u8, name, header.persister_name)) return error.NotFound; // No consumer.
    liveness.lock(channel.fd, .registration) catch return error.Os;
    defer liveness.unlock(channel.fd, .registration);
    const freed = try freeSlot(channel, name, detail);
    errdefer if (freed) |found| giveBack(found, name);
    if (freed == null and reader.cursorIn(directory, name) == null) return error.NotFound;
    fault_points.hit(.mid_removal);
    removal.mark(directory, name, detail) catch |err| {
        if (err == error.NoSpace) file.fillSpace(.{ .fd = directory.fd }, 1, detail);
        return err;
    };
}

/// A slot, and the state that it had.
const Freed = struct { slot: *header.ConsumerSlot, state: u32 };

/// Frees the slot of that name; null if there is none. Only state and length of the name change:
/// whoever takes the slot clears the rest.
fn freeSlot(channel: *Channel, name: []const u8, detail: *Detail) Error!?Freed {
    const index = try consumer_slot.takeNamed(channel, name, detail) orelse return null;
    defer consumer_slot.drop(channel, index);
    const slot = &channel.ring.consumers[index];
    const state = memory.load(u32, &slot.owner.state, .acquire);
    memory.store(u32, &slot.owner.state, header.SlotState.free, .release);
    memory.store(u32, &slot.owner.name_bytes, 0, .release);
    return .{ .slot = slot, .state = state };
}

/// Undoes that.
fn giveBack(freed: Freed, name: []const u8) void {
    memory.store(u32, &freed.slot.owner.name_bytes, @intCast(name.len), .release);
    memory.store(u32, &freed.slot.owner.state, freed.state, .release);
}
