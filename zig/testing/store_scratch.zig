//! A store in a temporary directory, for tests.
const std = @import("std");
const testing = std.testing;
const Detail = @import("../detail.zig").Detail;
const OperationHead = @import("../store/batch.zig").OperationHead;
const Store = @import("../store/store.zig").Store;

/// A directory of one test, with a store in it.
pub const StoreScratch = struct {
    directory: testing.TmpDir,
    detail: Detail = .{},
    store: *Store = undefined,
    path_buffer: [256]u8 = undefined,

    pub fn init() StoreScratch {
        return .{ .directory = testing.tmpDir(.{}) };
    }

    pub fn path(scratch: *StoreScratch) [:0]const u8 {
        const format = ".zig-cache/tmp/{s}/store";
        const name = .{scratch.directory.sub_path};
        return std.fmt.bufPrintZ(&scratch.path_buffer, format, name) catch unreachable;
    }

    pub fn open(scratch: *StoreScratch) !void {
        scratch.store = try .init(scratch.path(), 1 << 18, true, &scratch.detail);
    }

    pub fn put(scratch: *StoreScratch, key: []const u8, value: []const u8) !void {
        var batch: [2048]u8 = undefined;
        const head: OperationHead = .{
            .kind = 1,
            .reserved_0 = 0,
            .key_bytes = @intCast(key.len),
            .value_bytes = @intCast(value.len),
        };
        @memcpy(batch[0..8], std.mem.asBytes(&head));
        @memcpy(batch[8..][0..key.len], key);
        @memcpy(batch[8 + key.len ..][0..value.len], value);
        try scratch.store.commit(batch[0 .. 8 + key.len + value.len], &scratch.detail);
    }

    pub fn get(scratch: *StoreScratch, key: []const u8, out: []u8) ![]u8 {
        return out[0..try scratch.store.get(key, out, &scratch.detail)];
    }
};
