//! Owner: the lock that says who writes a log. The kernel releases it when its holder dies.
const std = @import("std");
const linux = std.os.linux;
const disk = @import("disk.zig");
const liveness = @import("../liveness.zig");
const Detail = @import("../detail.zig").Detail;

const file_name = "LOCK";

pub const Lock = struct {
    file: disk.File,

    pub fn init(directory: disk.Directory, detail: *Detail) disk.Error!Lock {
        const file = directory.openFile(file_name, .write, detail) catch |err| switch (err) {
            error.NotFound => try directory.createFile(file_name, detail),
            else => return err,
        };
        return .{ .file = file };
    }

    pub fn deinit(lock: Lock) void {
        lock.file.close();
    }

    /// Takes the lock. False if another one has it; `detail` names its process then.
    pub fn take(lock: Lock, detail: *Detail) disk.Error!bool {
        liveness.tryLock(lock.file.fd, .registration) catch |err| {
            if (err != error.Held) return error.Os;
            detail.pid = lock.readPid(detail);
            return false;
        };
        var text: [16]u8 = undefined;
        const pid = std.fmt.bufPrint(&text, "{d:>15}\n", .{linux.getpid()}) catch unreachable;
        var ignored: Detail = .{};
        lock.file.writeAt(&.{pid}, 0, &ignored) catch {}; // For people: no room is no reason.
        return true;
    }

    /// The holder's pid, for people; 0 if it is not to be had.
    fn readPid(lock: Lock, detail: *Detail) u32 {
        var text: [16]u8 = undefined;
        const count = lock.file.readAt(&text, 0, detail) catch return 0;
        return std.fmt.parseInt(u32, std.mem.trim(u8, text[0..count], " \n"), 10) catch 0;
    }

    pub fn release(lock: Lock) void {
        liveness.unlock(lock.file.fd, .registration);
    }
};
