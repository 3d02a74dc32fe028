//! Preparer: makes the file of the next segment ahead of time, on a thread of its own, so that no
//! record waits for 64 MiB of zeros.
const std = @import("std");
const disk = @import("disk.zig");
const Detail = @import("../detail.zig").Detail;
const Log = @import("log.zig").Log(disk);

pub const State = enum(u32) { idle, working, ready, failed };

pub const Preparer = struct {
    thread: ?std.Thread = null,
    state: std.atomic.Value(State) = .init(.idle),
    detail: Detail = .{},
    err: disk.Error = error.Os,

    /// Starts making the file, unless that is under way. The directory stays open until `wait`.
    pub fn start(preparer: *Preparer, directory: disk.Directory, segment_bytes: u64) void {
        if (preparer.state.load(.acquire) != .idle) return;
        preparer.state.store(.working, .release);
        const arguments = .{ preparer, directory, segment_bytes };
        preparer.thread = std.Thread.spawn(.{}, run, arguments) catch {
            preparer.state.store(.idle, .release); // The writer will make it when it needs it.
            return;
        };
    }

    fn run(preparer: *Preparer, directory: disk.Directory, segment_bytes: u64) void {
        Log.prepare(directory, segment_bytes, &preparer.detail) catch |err| {
            preparer.err = switch (err) {
                error.OutOfMemory => error.Os,
                else => |other| other,
            };
            preparer.state.store(.failed, .release);
            return;
        };
        preparer.state.store(.ready, .release);
    }

    /// Waits for the end of the work under way. True if the file is there.
    pub fn wait(preparer: *Preparer) bool {
        if (preparer.thread) |thread| thread.join();
        preparer.thread = null;
        const is_ready = preparer.state.load(.acquire) == .ready;
        preparer.state.store(.idle, .release);
        return is_ready;
    }
};
