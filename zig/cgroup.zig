//! Cgroups: where the files of this process's control group are, in version 2 and 1.
//!
//! `/proc/self/cgroup` has a line for each hierarchy: `<id>:<controllers>:<path>`. Version 2 is the
//! line without controllers. A limit counts for all groups below it, so a reader looks at every
//! level up to the root.
//!
//! Source: cgroups(7), cgroup_namespaces(7).
const std = @import("std");

pub const Value = enum { memory_max, memory_used, processor_max };

const Names = struct { controller: []const u8, v1: []const u8, v2: []const u8 };

fn namesOf(value: Value) Names {
    return switch (value) {
        .memory_max => .{
            .controller = "memory",
            .v1 = "memory.limit_in_bytes",
            .v2 = "memory.max",
        },
        .memory_used => .{
            .controller = "memory",
            .v1 = "memory.usage_in_bytes",
            .v2 = "memory.current",
        },
        .processor_max => .{
            .controller = "cpu",
            .v1 = "cpu.cfs_quota_us",
            .v2 = "cpu.max",
        },
    };
}

/// Returns the path of a value's file, `level` directories up from the group of the process whose
/// `/proc/self/cgroup` it is. Null above the root, or if the text names no such group.
///
/// A group outside of this process's namespace (`/../x`) counts as the root: its own is not to be
/// seen. So no `..` gets into the path.
pub fn pathOf(text: []const u8, value: Value, level: u32, buffer: []u8) ?[:0]const u8 {
    const names = namesOf(value);
    var unified: ?[]const u8 = null;
    var lines = std.mem.tokenizeScalar(u8, text, '\n');
    while (lines.next()) |line| {
        var parts = std.mem.splitScalar(u8, line, ':');
        _ = parts.next() orelse continue;
        const controllers = parts.next() orelse continue;
        const path = parts.rest();
        if (controllers.len == 0) unified = path;
        var all = std.mem.tokenizeScalar(u8, controllers, ',');
        while (all.next()) |controller| {
            if (!std.mem.eql(u8, controller, names.controller)) continue;
            const group = ancestor(path, level) orelse return null;
            const format = "/sys/fs/cgroup/{s}{s}/{s}";
            const args = .{ names.controller, group, names.v1 };
            return std.fmt.bufPrintZ(buffer, format, args) catch null;
        }
    }
    const group = ancestor(unified orelse return null, level) orelse return null;
    return std.fmt.bufPrintZ(buffer, "/sys/fs/cgroup{s}/{s}", .{ group, names.v2 }) catch null;
}

/// `/a/b` one level up is `/a`, and two levels up the root, which is empty.
fn ancestor(path: []const u8, level: u32) ?[]const u8 {
    const is_outside = path.len == 0 or path[0] != '/' or std.mem.indexOf(u8, path, "..") != null;
    var rest = if (is_outside or path.len == 1) "" else path;
    for (0..level) |_| {
        if (rest.len == 0) return null;
        rest = rest[0..std.mem.lastIndexOfScalar(u8, rest, '/').?];
    }
    return rest;
}

fn expectPath(expected: ?[]const u8, text: []const u8, value: Value, level: u32) !void {
    var buffer: [128]u8 = undefined;
    const found = pathOf(text, value, level, &buffer);
    if (expected == null) return std.testing.expectEqual(null, found);
    try std.testing.expectEqualStrings(expected.?, found orelse return error.NoPath);
}

test "cgroup: version 2, level by level up to the root" {
    const text = "0::/user.slice/mt.service\n";
    const root = "/sys/fs/cgroup";
    try expectPath(root ++ "/user.slice/mt.service/memory.max", text, .memory_max, 0);
    try expectPath(root ++ "/user.slice/memory.current", text, .memory_used, 1);
    try expectPath(root ++ "/cpu.max", text, .processor_max, 2);
    try expectPath(null, text, .memory_max, 3);
    try expectPath(null, text, .memory_max, std.math.maxInt(u32));
}

test "cgroup: version 1 has a hierarchy for each controller" {
    const text = "4:memory:/a\n2:cpu,cpuacct:/b/c\n0::/d\n";
    const root = "/sys/fs/cgroup";
    try expectPath(root ++ "/memory/a/memory.limit_in_bytes", text, .memory_max, 0);
    try expectPath(root ++ "/memory/memory.usage_in_bytes", text, .memory_used, 1);
    try expectPath(root ++ "/cpu/b/c/cpu.cfs_quota_us", text, .processor_max, 0);
}

test "cgroup: a group outside of the namespace is the root, nonsense is none" {
    try expectPath("/sys/fs/cgroup/memory.max", "0::/../../x\n", .memory_max, 0);
    try expectPath("/sys/fs/cgroup/memory.max", "0::/\n", .memory_max, 0);
    try expectPath("/sys/fs/cgroup/memory.max", "0::relative\n", .memory_max, 0);
    try expectPath("/sys/fs/cgroup/memory.max", ":", .memory_max, 0);
    try expectPath("/sys/fs/cgroup/memory/memory.limit_in_bytes", "0:memory", .memory_max, 0);
    for ([_][]const u8{ "", "\n", "0", "memory" }) |text| {
        try expectPath(null, text, .memory_max, 0);
    }
    try expectPath(null, "0::/" ++ "a" ** 200, .memory_max, 0);
}
