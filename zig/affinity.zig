//! Affinity: holding the calling thread to one core, so that a spinning producer or consumer keeps
//! its caches and is not moved away.
//!
//! Linux only; elsewhere every function fails with `error.NotSupported`. What it does not do: keep
//! other threads off the core (that is `isolcpus` or a cpuset), or resist `taskset` from outside.
//!
//! Source: sched_setaffinity(2), sched_getaffinity(2). System calls are made directly, since libc's
//! `cpu_set_t` ends at 1024 cores and the call fails on a kernel that was built for more.
const std = @import("std");
const builtin = @import("builtin");
const assert = std.debug.assert;
const linux = std.os.linux;

const is_linux = builtin.os.tag == .linux;

pub const Error = error{
    /// The core does not exist, is offline, or is not in the cpuset of this process (EINVAL).
    CoreUnavailable,
    /// A security policy refuses (EPERM, EACCES).
    AccessDenied,
    /// The kernel has no memory for the set (ENOMEM).
    SystemResources,
    /// This system, or a system call filter, has no such call (ENOSYS).
    NotSupported,
    /// An errno that the manual does not list; see `lastErrno`.
    Unexpected,
};

/// Cores that a set may name: the most that Linux can be built for (NR_CPUS on x86-64).
pub const core_count_max = 8192;

/// Errno of this thread's last failed call, for the message that goes with the error.
threadlocal var last_errno: u16 = 0;

/// Returns the errno of this thread's last call that failed, or 0 if none has.
pub fn lastErrno() u16 {
    return last_errno;
}

/// A set of cores.
pub const CoreSet = struct {
    words: [core_count_max / 64]u64 = @splat(0),

    /// Adds a core. Asserts that it is below `core_count_max`.
    pub fn add(set: *CoreSet, core: u32) void {
        assert(core < core_count_max);
        set.words[core / 64] |= @as(u64, 1) << @intCast(core % 64);
    }

    pub fn has(set: *const CoreSet, core: u32) bool {
        if (core >= core_count_max) return false;
        return set.words[core / 64] >> @intCast(core % 64) & 1 != 0;
    }

    pub fn count(set: *const CoreSet) u32 {
        var total: u32 = 0;
        for (set.words) |word| total += @popCount(word);
        return total;
    }
};

/// Holds the calling thread to one core from now on.
///
/// Undone by `allowCores` with what `allowedCores` returned before. Cost: a system call, and a move
/// where the thread runs on another core.
pub fn pinThread(core: u32) Error!void {
    if (core >= core_count_max) {
        last_errno = @intFromEnum(std.posix.E.INVAL);
        return error.CoreUnavailable;
    }
    var set: CoreSet = .{};
    set.add(core);
    return allowCores(&set);
}

/// Lets the calling thread run on the cores of a set that are online and allowed to the process.
pub fn allowCores(set: *const CoreSet) Error!void {
    if (!is_linux) return notSupported();
    const this_thread = 0;
    const result = linux.syscall3(
        .sched_setaffinity,
        this_thread,
        @sizeOf(CoreSet),
        @intFromPtr(&set.words),
    );
    try check(result);
}

/// Returns the online cores that the calling thread may run on.
pub fn allowedCores() Error!CoreSet {
    if (!is_linux) return notSupported();
    var set: CoreSet = .{}; // The kernel writes as many bytes as it knows cores, not all.
    const this_thread = 0;
    const result = linux.syscall3(
        .sched_getaffinity,
        this_thread,
        @sizeOf(CoreSet),
        @intFromPtr(&set.words),
    );
    try check(result);
    return set;
}

/// Returns how many online cores the calling thread may run on: 1 means that it is pinned.
pub fn pinnedCores() Error!u32 {
    const set = try allowedCores();
    return set.count();
}

fn notSupported() Error {
    last_errno = @intFromEnum(std.posix.E.NOSYS);
    return error.NotSupported;
}

fn check(result: usize) Error!void {
    const errno = linux.errno(result);
    if (errno == .SUCCESS) return;
    last_errno = @intFromEnum(errno);
    return switch (errno) {
        .INVAL => error.CoreUnavailable,
        .PERM, .ACCES => error.AccessDenied,
        .NOMEM => error.SystemResources,
        .NOSYS => error.NotSupported,
        else => error.Unexpected,
    };
}

// Tests.

const testing = std.testing;

/// Returns the core that the calling thread runs on.
fn currentCore() !u32 {
    var core: usize = 0; // The kernel writes the lower 32 bits.
    try check(linux.getcpu(&core, null));
    return @truncate(core);
}

test "pinThread: runs on each allowed core, and nowhere else" {
    if (!is_linux) return error.SkipZigTest;
    const before = try allowedCores();
    defer allowCores(&before) catch |err| std.debug.panic("restore: {t}", .{err});
    var pinned: u32 = 0;
    for (0..core_count_max) |place| {
        const core: u32 = @intCast(place);
        if (!before.has(core)) continue;
        try pinThread(core);
        try testing.expectEqual(core, try currentCore());
        try testing.expectEqual(1, try pinnedCores());
        try testing.expect((try allowedCores()).has(core));
        pinned += 1;
    }
    try testing.expect(pinned > 0);
    try testing.expectEqual(before.count(), pinned);
}

test "allowCores: gives a pinned thread its cores back" {
    if (!is_linux) return error.SkipZigTest;
    const before = try allowedCores();
    try pinThread(try currentCore());
    try allowCores(&before);
    try testing.expectEqual(before, try allowedCores());
}

test "pinThread: holds only the calling thread" {
    if (!is_linux) return error.SkipZigTest;
    const Pinned = struct {
        fn run(core: u32, result: *Error!u32) void {
            pinThread(core) catch |err| {
                result.* = err;
                return;
            };
            result.* = pinnedCores();
        }
    };
    const before = try allowedCores();
    var result: Error!u32 = 0;
    const thread = try std.Thread.spawn(.{}, Pinned.run, .{ try currentCore(), &result });
    thread.join();
    try testing.expectEqual(1, try result);
    try testing.expectEqual(before, try allowedCores());
}

test "pinThread: a core that is not there is CoreUnavailable with EINVAL, and changes nothing" {
    if (!is_linux) return error.SkipZigTest;
    const before = try allowedCores();
    for ([_]u32{ core_count_max - 1, core_count_max, std.math.maxInt(u32) }) |core| {
        if (before.has(core)) continue;
        last_errno = 0;
        try testing.expectError(error.CoreUnavailable, pinThread(core));
        try testing.expectEqual(@intFromEnum(linux.E.INVAL), lastErrno());
    }
    try testing.expectEqual(before, try allowedCores());
}

test "check: every errno has its error, and is kept as a number" {
    const Case = struct { errno: linux.E, expected: Error };
    for ([_]Case{
        .{ .errno = .INVAL, .expected = error.CoreUnavailable },
        .{ .errno = .PERM, .expected = error.AccessDenied },
        .{ .errno = .ACCES, .expected = error.AccessDenied },
        .{ .errno = .NOMEM, .expected = error.SystemResources },
        .{ .errno = .NOSYS, .expected = error.NotSupported },
        .{ .errno = .IO, .expected = error.Unexpected },
    }) |case| {
        const result: usize = @bitCast(-@as(isize, @intFromEnum(case.errno)));
        try testing.expectError(case.expected, check(result));
        try testing.expectEqual(@intFromEnum(case.errno), lastErrno());
    }
}

test "CoreSet: holds what was added" {
    var set: CoreSet = .{};
    try testing.expectEqual(0, set.count());
    for ([_]u32{ 0, 63, 64, 1024, core_count_max - 1 }) |core| {
        try testing.expect(!set.has(core));
        set.add(core);
        try testing.expect(set.has(core));
    }
    try testing.expectEqual(5, set.count());
    try testing.expect(!set.has(1) and !set.has(core_count_max));
}
