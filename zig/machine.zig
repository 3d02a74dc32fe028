//! Machine: what this host, its kernel and the limits of this process are, for people who look for
//! what makes it slow or unsafe.
//!
//! Deno opens nothing below /proc and /sys for less than all permissions. So it is read here, and
//! only what stands in `Text`: callers choose a number, never a path. What the kernel can do is
//! tried, not guessed from its version: containers filter calls.
const std = @import("std");
const linux = std.os.linux;
const cgroup = @import("cgroup.zig");
const file = @import("file.zig");
const file_system = @import("file_system.zig");
const futex = @import("futex.zig");
const liveness = @import("liveness.zig");
const Detail = @import("detail.zig").Detail;

/// The texts that can be read. `core` and `level` of `readText` count for those that say so.
pub const Text = enum(u32) {
    memory,
    processor_time,
    load,
    processors,
    process,
    kernel_release,
    kernel_arguments,
    mounts,
    clock_source,
    huge_pages,
    huge_pages_shared,
    mappings_max,
    isolated_cores,
    tickless_cores,
    idle_driver,
    /// Of a core.
    governor,
    /// Of a core.
    siblings,
    /// Of a core; `level` is the idle state.
    idle_name,
    /// Of a core; `level` is the idle state. Microseconds to come out of it.
    idle_latency,
    /// Of a core; `level` is the idle state.
    idle_disabled,
    /// Of this process's cgroup, `level` directories up.
    cgroup_memory_max,
    /// Of this process's cgroup, `level` directories up.
    cgroup_memory_used,
    /// Of this process's cgroup, `level` directories up.
    cgroup_processor_max,
};

const PathBuffer = [512]u8;

fn pathOf(text: Text, core: u32, level: u32, buffer: *PathBuffer) ?[:0]const u8 {
    const cores = "/sys/devices/system/cpu/cpu{d}";
    return switch (text) {
        .memory => "/proc/meminfo",
        .processor_time => "/proc/stat",
        .load => "/proc/loadavg",
        .processors => "/proc/cpuinfo",
        .process => "/proc/self/status",
        .kernel_release => "/proc/sys/kernel/osrelease",
        .kernel_arguments => "/proc/cmdline",
        .mounts => "/proc/self/mountinfo",
        .clock_source => "/sys/devices/system/clocksource/clocksource0/current_clocksource",
        .huge_pages => "/sys/kernel/mm/transparent_hugepage/enabled",
        .huge_pages_shared => "/sys/kernel/mm/transparent_hugepage/shmem_enabled",
        .mappings_max => "/proc/sys/vm/max_map_count",
        .isolated_cores => "/sys/devices/system/cpu/isolated",
        .tickless_cores => "/sys/devices/system/cpu/nohz_full",
        .idle_driver => "/sys/devices/system/cpu/cpuidle/current_driver",
        .governor => print(buffer, cores ++ "/cpufreq/scaling_governor", .{core}),
        .siblings => print(buffer, cores ++ "/topology/thread_siblings_list", .{core}),
        .idle_name => print(buffer, cores ++ "/cpuidle/state{d}/name", .{ core, level }),
        .idle_latency => print(buffer, cores ++ "/cpuidle/state{d}/latency", .{ core, level }),
        .idle_disabled => print(buffer, cores ++ "/cpuidle/state{d}/disable", .{ core, level }),
        .cgroup_memory_max => cgroupPath(.memory_max, level, buffer),
        .cgroup_memory_used => cgroupPath(.memory_used, level, buffer),
        .cgroup_processor_max => cgroupPath(.processor_max, level, buffer),
    };
}

fn print(buffer: *PathBuffer, comptime format: []const u8, args: anytype) ?[:0]const u8 {
    return std.fmt.bufPrintZ(buffer, format, args) catch null;
}

fn cgroupPath(value: cgroup.Value, level: u32, buffer: *PathBuffer) ?[:0]const u8 {
    var bytes: [4096]u8 = undefined;
    var detail: Detail = .{};
    const size = readFile("/proc/self/cgroup", &bytes, &detail) catch return null;
    return cgroup.pathOf(bytes[0..size], value, level, buffer);
}

/// Copies a text, or as much of its beginning as `out` holds. Returns the bytes. `NotFound` where
/// this machine has no such thing.
pub fn readText(text: Text, core: u32, level: u32, out: []u8, detail: *Detail) file.Error!usize {
    var buffer: PathBuffer = undefined;
    const path = pathOf(text, core, level, &buffer) orelse return error.NotFound;
    return readFile(path, out, detail);
}

fn readFile(path: [:0]const u8, out: []u8, detail: *Detail) file.Error!usize {
    const rc = linux.openat(linux.AT.FDCWD, path, .{ .CLOEXEC = true }, 0);
    const fd: i32 = @intCast(try file.check(rc, detail));
    defer _ = linux.close(fd);
    var size: usize = 0;
    while (size < out.len) {
        const read = linux.read(fd, out.ptr + size, out.len - size);
        if (linux.errno(read) == .INTR) continue;
        const count = try file.check(read, detail);
        if (count == 0) break;
        size += count;
    }
    return size;
}

/// What a directory lies on. Bytes and counts are exact up to 2^53.
pub const FileSystem = extern struct {
    bytes: f64 = 0,
    /// What is free, also for root.
    free_bytes: f64 = 0,
    /// What is free for everybody: a file of this process gets no more.
    available_bytes: f64 = 0,
    files: f64 = 0,
    files_free: f64 = 0,
    kind: u32 = 0,
    /// 1 if rings, logs and stores are refused there.
    is_unsupported: u32 = 0,
    name_bytes: u32 = 0,
    reserved_0: u32 = 0,
    name: [16]u8 = @splat(0),
};

/// Looks at what the file or directory of that path lies on.
pub fn readFileSystem(path: [*:0]const u8, detail: *Detail) file.Error!FileSystem {
    const flags: linux.O = .{ .PATH = true, .CLOEXEC = true };
    const rc = linux.openat(linux.AT.FDCWD, path, flags, 0);
    const fd: i32 = @intCast(try file.check(rc, detail));
    defer _ = linux.close(fd);
    var status: file_system.Statfs = undefined;
    if (!file_system.read(fd, &status)) return error.Os;
    const kind = status.kindOf();
    var out: FileSystem = .{
        .bytes = @floatFromInt(status.bytesOf(status.blocks)),
        .free_bytes = @floatFromInt(status.bytesOf(status.blocks_free)),
        .available_bytes = @floatFromInt(status.bytesOf(status.blocks_available)),
        .files = @floatFromInt(status.files),
        .files_free = @floatFromInt(status.files_free),
        .kind = @intFromEnum(kind),
        .is_unsupported = @intFromBool(kind.isUnsupported()),
    };
    const name = kind.name();
    @memcpy(out.name[0..name.len], name);
    out.name_bytes = @intCast(name.len);
    return out;
}

/// Limits of this process; infinity where there is none.
pub const Limits = extern struct {
    /// Bytes that may be locked into memory.
    locked_bytes: f64,
    /// Open files.
    files: f64,
    /// Open files that `setrlimit` may ask for.
    files_hard: f64,
    /// Highest real-time priority; 0 for none.
    realtime_priority: f64,
    /// Bytes of address space.
    address_bytes: f64,
    user: u32,
    reserved_0: u32 = 0,
};

pub fn readLimits() Limits {
    return .{
        .locked_bytes = limitOf(.MEMLOCK).soft,
        .files = limitOf(.NOFILE).soft,
        .files_hard = limitOf(.NOFILE).hard,
        .realtime_priority = limitOf(.RTPRIO).soft,
        .address_bytes = limitOf(.AS).soft,
        .user = linux.geteuid(),
    };
}

fn limitOf(resource: linux.rlimit_resource) struct { soft: f64, hard: f64 } {
    const this_process = 0;
    var limit: linux.rlimit = undefined;
    const rc = linux.prlimit(this_process, resource, null, &limit);
    if (linux.errno(rc) != .SUCCESS) return .{ .soft = 0, .hard = 0 };
    return .{ .soft = limitToFloat(limit.cur), .hard = limitToFloat(limit.max) };
}

fn limitToFloat(value: u64) f64 {
    return if (value == std.math.maxInt(u64)) std.math.inf(f64) else @floatFromInt(value);
}

/// What the kernel, and the file system of a directory, did when asked: 0 if it worked, else the
/// errno. What could not be tried because something before it failed has that errno.
pub const Probes = extern struct {
    /// Registering for fences that others run (`membarrier`, Linux 4.16).
    membarrier: u32 = 0,
    /// Sleeping on several words (`futex_waitv`, Linux 5.16).
    futex_waitv: u32 = 0,
    /// Making a file without a name (`O_TMPFILE`).
    unnamed_file: u32 = 0,
    /// Reserving room (`fallocate`).
    allocate: u32 = 0,
    /// Locks of an open file description that exclude each other (`F_OFD_SETLK`).
    lock: u32 = 0,
    /// Mapping shared memory to write.
    map: u32 = 0,
};

/// Tries it. In the directory nothing is left.
pub fn probe(path: [*:0]const u8) Probes {
    var out: Probes = .{
        .membarrier = probeMembarrier(),
        .futex_waitv = probeFutexWaitv(),
    };
    const flags: linux.O = .{
        .ACCMODE = .RDWR,
        .DIRECTORY = true, // Part of O_TMPFILE.
        .TMPFILE = true,
        .CLOEXEC = true,
    };
    const rc = linux.openat(linux.AT.FDCWD, path, flags, 0o600);
    const errno = errnoOf(rc);
    if (errno != 0) {
        out.unnamed_file, out.allocate, out.lock, out.map = .{ errno, errno, errno, errno };
        return out;
    }
    const fd: i32 = @intCast(rc);
    defer _ = linux.close(fd);
    out.allocate = errnoOf(linux.fallocate(fd, 0, 0, probe_bytes));
    out.lock = probeLock(fd);
    out.map = if (out.allocate == 0) probeMap(fd) else out.allocate;
    return out;
}

/// A page of any machine.
const probe_bytes = 64 * 1024;

fn errnoOf(rc: usize) u32 {
    return @intFromEnum(linux.errno(rc));
}

fn probeMembarrier() u32 {
    return if (futex.registerForFences()) 0 else @intFromEnum(linux.E.NOSYS);
}

fn probeFutexWaitv() u32 {
    const word: u32 = 1; // Differs from what is expected: returns at once.
    const waiters = [_]futex.Waiter{.{ .expected = 2, .address = @intFromPtr(&word) }};
    return switch (futex.waitMany(&waiters, 0)) {
        .unsupported => @intFromEnum(linux.E.NOSYS),
        .woken, .timed_out => 0,
    };
}

fn probeLock(fd: i32) u32 {
    var buffer: [32]u8 = undefined;
    const link = std.fmt.bufPrintZ(&buffer, "/proc/self/fd/{d}", .{fd}) catch unreachable;
    const flags: linux.O = .{ .ACCMODE = .RDWR, .CLOEXEC = true };
    const rc = linux.openat(linux.AT.FDCWD, link, flags, 0);
    if (errnoOf(rc) != 0) return errnoOf(rc);
    const second: i32 = @intCast(rc);
    defer _ = linux.close(second);
    const byte: liveness.Byte = .registration;
    liveness.tryLock(fd, byte) catch return @intFromEnum(linux.E.NOLCK);
    defer liveness.unlock(fd, byte);
    const excludes = if (liveness.tryLock(second, byte)) |_| false else |err| err == error.Held;
    return if (excludes) 0 else @intFromEnum(linux.E.NOLCK);
}

fn probeMap(fd: i32) u32 {
    const protection: linux.PROT = .{ .READ = true, .WRITE = true };
    const rc = linux.mmap(null, probe_bytes, protection, .{ .TYPE = .SHARED }, fd, 0);
    if (errnoOf(rc) != 0) return errnoOf(rc);
    // SAFETY: just mapped, with that size, and unmapped here and nowhere else.
    const memory: [*]u8 = @ptrFromInt(rc);
    memory[0] = 1; // The room was allocated: no SIGBUS.
    _ = linux.munmap(memory, probe_bytes);
    return 0;
}

// Tests.

const testing = std.testing;

test "machine: reads each text that Linux always has, and bounds it" {
    var detail: Detail = .{};
    var out: [4096]u8 = undefined;
    for ([_]Text{ .memory, .processor_time, .load, .process, .kernel_release, .mounts }) |text| {
        try testing.expect(try readText(text, 0, 0, &out, &detail) > 0);
    }
    const size = try readText(.memory, 0, 0, out[0..9], &detail);
    try testing.expectEqualStrings("MemTotal:", out[0..size]);
    for ([_]Text{ .governor, .siblings, .idle_name }) |text| {
        const core = std.math.maxInt(u32);
        try testing.expectError(error.NotFound, readText(text, core, core, &out, &detail));
    }
}

test "machine: /dev/shm is tmpfs and supported; a path that is not there is NotFound" {
    var detail: Detail = .{};
    const found = try readFileSystem("/dev/shm", &detail);
    try testing.expectEqualStrings("tmpfs", found.name[0..found.name_bytes]);
    try testing.expectEqual(0, found.is_unsupported);
    try testing.expect(found.bytes >= found.free_bytes);
    try testing.expect(found.free_bytes >= found.available_bytes);
    try testing.expectError(error.NotFound, readFileSystem("/nowhere/at/all", &detail));
}

test "machine: this kernel can do what it is asked; a directory that is not there says so" {
    const here = probe("/dev/shm");
    try testing.expectEqual(0, here.unnamed_file);
    try testing.expectEqual(0, here.allocate);
    try testing.expectEqual(0, here.lock);
    try testing.expectEqual(0, here.map);
    const nowhere = probe("/nowhere/at/all");
    try testing.expectEqual(@intFromEnum(linux.E.NOENT), nowhere.unnamed_file);
    try testing.expectEqual(@intFromEnum(linux.E.NOENT), nowhere.map);
}

test "machine: limits are numbers, or infinite" {
    const limits = readLimits();
    try testing.expect(limits.files > 0 and limits.files <= limits.files_hard);
    try testing.expectEqual(std.math.inf(f64), limitToFloat(std.math.maxInt(u64)));
    try testing.expectEqual(8388608, limitToFloat(8 << 20));
}
