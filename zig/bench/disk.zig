//! The floors of the disk: plain writes and syncs, plain reads and sums, in the shape that a log
//! has them and with nothing else around.
const std = @import("std");
const mt = @import("message_transport");
const linux = std.os.linux;

const failed = -1.0;

/// Bytes of a write while a file is filled, and of a read.
const chunk_bytes = 1024 * 1024;

var chunk: [chunk_bytes]u8 align(4096) = @splat(0);

/// Makes a file of `bytes` zeros, which are on the device on return: what a segment of a log is.
/// Returns its descriptor, or -1.
pub export fn mt_bench_disk_create(path: [*:0]const u8, bytes: f64) callconv(.c) i32 {
    const flags: linux.O = .{ .ACCMODE = .RDWR, .CREAT = true, .TRUNC = true, .CLOEXEC = true };
    const rc = linux.open(path, flags, 0o600);
    if (linux.errno(rc) != .SUCCESS) return -1;
    const fd: i32 = @intCast(rc);
    const size: u64 = @intFromFloat(bytes);
    @memset(&chunk, 0);
    var offset: u64 = 0;
    var is_sound = linux.errno(linux.fallocate(fd, 0, 0, @intCast(size))) == .SUCCESS;
    while (is_sound and offset < size) : (offset += chunk_bytes) {
        is_sound = write(fd, @min(chunk_bytes, size - offset), offset);
    }
    if (is_sound and linux.errno(linux.fdatasync(fd)) == .SUCCESS) return fd;
    _ = linux.close(fd);
    return -1;
}

pub export fn mt_bench_disk_close(fd: i32) callconv(.c) void {
    _ = linux.close(fd);
}

/// Writes `count` times `bytes`, at most 1 MiB, one behind the other from `offset` on, and syncs
/// after each `per_sync` of them, and after the last. Writes the nanoseconds of each. Returns those
/// of all together, or -1.
pub export fn mt_bench_disk_write(
    fd: i32,
    offset: f64,
    bytes: u32,
    count: u32,
    per_sync: u32,
    each_ns: [*]f64,
) callconv(.c) f64 {
    if (bytes > chunk_bytes or per_sync == 0) return failed;
    @memset(&chunk, 7);
    var at: u64 = @intFromFloat(offset);
    const start = mt.clock.monotonicNs();
    var last = start;
    for (0..count) |i| {
        if (!write(fd, bytes, at)) return failed;
        const is_due = (i + 1) % per_sync == 0 or i + 1 == count;
        if (is_due and linux.errno(linux.fdatasync(fd)) != .SUCCESS) return failed;
        at += bytes;
        const now = mt.clock.monotonicNs();
        each_ns[i] = @floatFromInt(now - last);
        last = now;
    }
    return @floatFromInt(last - start);
}

fn write(fd: i32, bytes: u64, offset: u64) bool {
    const rc = linux.pwrite(fd, &chunk, @intCast(bytes), @intCast(offset));
    return linux.errno(rc) == .SUCCESS and rc == bytes;
}

/// Reads a file's first `bytes`, and sums them with CRC-32C. Returns the nanoseconds that took, or
/// -1.
pub export fn mt_bench_disk_sum(path: [*:0]const u8, bytes: f64, sum: [*]u32) callconv(.c) f64 {
    const rc = linux.open(path, .{ .ACCMODE = .RDONLY, .CLOEXEC = true }, 0);
    if (linux.errno(rc) != .SUCCESS) return failed;
    const fd: i32 = @intCast(rc);
    defer _ = linux.close(fd);
    var state: u32 = 0;
    var offset: u64 = 0;
    const start = mt.clock.monotonicNs();
    const end: u64 = @intFromFloat(bytes);
    while (offset < end) {
        const wanted: usize = @intCast(@min(chunk_bytes, end - offset));
        const count = linux.pread(fd, &chunk, wanted, @intCast(offset));
        if (linux.errno(count) != .SUCCESS or count == 0) return failed;
        state = mt.crc32c.update(state, chunk[0..count]);
        offset += count;
    }
    const elapsed = mt.clock.monotonicNs() - start;
    sum[0] = state;
    return @floatFromInt(elapsed);
}
