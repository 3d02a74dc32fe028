//! The border, the part of looking at the machine. The rules are those of exports.zig.
const std = @import("std");
const affinity = @import("affinity.zig");
const exports = @import("exports.zig");
const file = @import("file.zig");
const machine = @import("machine.zig");
const Detail = @import("detail.zig").Detail;
const code = exports.code;

/// Copies a text of the machine (a `Text`), or as much of its beginning as there is room for.
/// Returns its bytes, or `not_found` where this machine has no such thing.
pub export fn mt_machine_text(
    text: u32,
    core: u32,
    level: u32,
    out: [*]u8,
    size: u32,
) callconv(.c) i32 {
    const wanted = std.enums.fromInt(machine.Text, text) orelse return code(.invalid_argument);
    var detail: Detail = .{};
    const count = machine.readText(wanted, core, level, out[0..size], &detail) catch |err|
        return code(file.statusOf(err));
    return std.math.cast(i32, count) orelse code(.invalid_argument);
}

/// Writes the `FileSystem` that a file or directory (zero-ended absolute path) lies on.
pub export fn mt_machine_file_system(
    path: [*:0]const u8,
    out: [*]u8,
    detail: [*]u8,
) callconv(.c) i32 {
    var result: exports.DetailOut = .{ .bytes = detail };
    const found = machine.readFileSystem(path, &result.value) catch |err|
        return result.finish(file.statusOf(err));
    write(machine.FileSystem, out, found);
    return code(.ok);
}

/// Writes the `Limits` of this process.
pub export fn mt_machine_limits(out: [*]u8) callconv(.c) i32 {
    write(machine.Limits, out, machine.readLimits());
    return code(.ok);
}

/// Tries what is needed of the kernel, with a file without a name in a directory (zero-ended
/// absolute path), and writes `Probes`.
pub export fn mt_machine_probe(path: [*:0]const u8, out: [*]u8) callconv(.c) i32 {
    write(machine.Probes, out, machine.probe(path));
    return code(.ok);
}

/// Writes the numbers of the cores that the calling thread may run on, as many as there is room
/// for. Returns how many there are.
pub export fn mt_machine_cores(out: [*]align(1) u32, count: u32) callconv(.c) i32 {
    const allowed = affinity.allowedCores() catch return code(.os_error);
    var found: u32 = 0;
    for (0..affinity.core_count_max) |core| {
        if (!allowed.has(@intCast(core))) continue;
        if (found < count) out[found] = @intCast(core);
        found += 1;
    }
    return @intCast(found);
}

fn write(comptime T: type, out: [*]u8, value: T) void {
    @memcpy(out[0..@sizeOf(T)], std.mem.asBytes(&value));
}
