//! SIGBUS guard: touching a page that a truncated file no longer has gives an error, not a death.
//!
//! The handler looks whether the faulting address lies in a watched mapping. If so, it puts a page
//! of zeros there, marks the mapping as poisoned and returns; the interrupted access then reads
//! zeros, and every function of the library looks at the mark before it gives out what it read. A
//! fault elsewhere goes on to the handler that was installed before, or to the default.
//!
//! Source: the same trick in systemd's journal (src/basic/sigbus.c).
const std = @import("std");
const linux = std.os.linux;
const posix = std.posix;
const constants = @import("constants.zig");

/// A watched range. The handler reads it with no lock: `start` is stored last and cleared first.
const Watch = struct {
    start: usize = 0,
    end: usize = 0,
    poisoned: ?*u32 = null,
};

var watches: [constants.mappings_max]Watch = @splat(.{});
var watches_lock: std.atomic.Mutex = .unlocked;
var is_installed = false;
var previous: posix.Sigaction = undefined;

fn acquire() void {
    while (!watches_lock.tryLock()) std.atomic.spinLoopHint();
}

/// Watches a mapping; `poisoned` is set to 1 when a fault was mended in it.
pub fn watch(memory: []const u8, poisoned: *u32) error{TableFull}!void {
    acquire();
    defer watches_lock.unlock();
    if (!is_installed) install();
    for (&watches) |*entry| {
        if (@atomicLoad(usize, &entry.start, .acquire) != 0) continue;
        entry.end = @intFromPtr(memory.ptr) + memory.len;
        entry.poisoned = poisoned;
        @atomicStore(usize, &entry.start, @intFromPtr(memory.ptr), .release);
        return;
    }
    return error.TableFull;
}

/// Stops watching. Call before the memory is unmapped.
pub fn unwatch(memory: []const u8) void {
    acquire();
    defer watches_lock.unlock();
    for (&watches) |*entry| {
        if (@atomicLoad(usize, &entry.start, .acquire) != @intFromPtr(memory.ptr)) continue;
        @atomicStore(usize, &entry.start, 0, .release);
    }
}

fn install() void {
    posix.sigaction(.BUS, &guard(), &previous);
    is_installed = true;
}

fn guard() posix.Sigaction {
    return .{
        .handler = .{ .sigaction = onSigbus },
        .mask = posix.sigemptyset(),
        .flags = linux.SA.SIGINFO | linux.SA.ONSTACK,
    };
}

fn onSigbus(
    signal: linux.SIG,
    info: *const linux.siginfo_t,
    context: ?*anyopaque,
) callconv(.c) void {
    // Of a signal that somebody has sent, those bytes are the sender.
    const address = if (info.code > 0) @intFromPtr(info.fields.sigfault.addr) else 0;
    if (mend(address)) return;
    if (previous.flags & linux.SA.SIGINFO != 0) {
        if (previous.handler.sigaction) |next| {
            next(signal, info, context);
            return stayInstalled();
        }
    } else if (previous.handler.handler) |next| {
        if (next != posix.SIG.DFL and next != posix.SIG.IGN) {
            next(signal);
            return stayInstalled();
        }
    }
    // Nobody else wants it: the access faults again under the default action. A signal that
    // somebody has sent does not come again by itself.
    posix.sigaction(.BUS, &simple(posix.SIG.DFL), null);
    if (info.code <= 0) _ = linux.tgkill(linux.getpid(), linux.gettid(), .BUS);
}

fn simple(handler: ?posix.Sigaction.handler_fn) posix.Sigaction {
    return .{ .handler = .{ .handler = handler }, .mask = posix.sigemptyset(), .flags = 0 };
}

/// A handler may put the default in its place before it returns, as Rust's does when the fault is
/// no stack overflow. That becomes what comes after us, not instead of us.
fn stayInstalled() void {
    var current: posix.Sigaction = undefined;
    posix.sigaction(.BUS, null, &current);
    if (current.flags & linux.SA.SIGINFO != 0 and current.handler.sigaction == onSigbus) return;
    previous = current;
    posix.sigaction(.BUS, &guard(), null);
}

fn mend(address: usize) bool {
    for (&watches) |*entry| {
        const start = @atomicLoad(usize, &entry.start, .acquire);
        if (start == 0 or address < start or address >= entry.end) continue;
        const page = std.mem.alignBackward(usize, address, std.heap.pageSize());
        // SAFETY: the page lies in a mapping of ours, which `unwatch` precedes the end of.
        const rc = linux.mmap(
            @ptrFromInt(page),
            std.heap.pageSize(),
            .{ .READ = true, .WRITE = true },
            .{ .TYPE = .PRIVATE, .ANONYMOUS = true, .FIXED = true },
            -1,
            0,
        );
        if (linux.errno(rc) != .SUCCESS) return false;
        if (entry.poisoned) |mark| @atomicStore(u32, mark, 1, .release);
        return true;
    }
    return false;
}

/// A mapped file of one page, for tests.
const TestPage = struct {
    fd: i32,
    memory: []align(std.heap.page_size_min) u8,

    fn map() !TestPage {
        const flags: linux.O = .{ .ACCMODE = .RDWR, .TMPFILE = true, .DIRECTORY = true };
        const fd: i32 = @intCast(linux.openat(linux.AT.FDCWD, "/dev/shm", flags, 0o600));
        const size = std.heap.pageSize();
        _ = linux.ftruncate(fd, @intCast(size));
        const access: linux.PROT = .{ .READ = true, .WRITE = true };
        const shared: posix.MAP = .{ .TYPE = .SHARED };
        return .{ .fd = fd, .memory = try posix.mmap(null, size, access, shared, fd, 0) };
    }

    fn unmap(page: TestPage) void {
        posix.munmap(page.memory);
        _ = linux.close(page.fd);
    }

    fn truncate(page: TestPage) void {
        _ = linux.ftruncate(page.fd, 0);
    }

    fn read(page: TestPage) u8 {
        const first: *volatile u8 = &page.memory[0];
        return first.*;
    }
};

/// Runs `body` in a process of its own, whose SIGBUS was `earlier` before ours. Returns how it
/// ended.
fn runForked(comptime body: fn () anyerror!void, earlier: *const posix.Sigaction) u32 {
    const child: linux.pid_t = @intCast(linux.fork());
    if (child == 0) {
        previous = earlier.*;
        posix.sigaction(.BUS, &guard(), null);
        is_installed = true;
        body() catch linux.exit_group(2);
        linux.exit_group(0);
    }
    var status: u32 = 0;
    _ = linux.waitpid(child, &status, 0);
    return status;
}

fn touchUnwatched() !void {
    const page: TestPage = try .map();
    page.truncate();
    _ = page.read();
}

fn sendSignal() !void {
    _ = linux.kill(linux.getpid(), .BUS);
}

test "sigbus: a fault elsewhere, and a signal from elsewhere, kill as they do without us" {
    for ([_]u32{
        runForked(touchUnwatched, &simple(posix.SIG.DFL)),
        runForked(sendSignal, &simple(posix.SIG.DFL)),
    }) |status| {
        try std.testing.expect(linux.W.IFSIGNALED(status));
        try std.testing.expectEqual(linux.SIG.BUS, linux.W.TERMSIG(status));
    }
}

/// As Rust's handler does: takes itself out and lets the access fault again.
fn resign(_: linux.SIG) callconv(.c) void {
    posix.sigaction(.BUS, &simple(posix.SIG.DFL), null);
}

fn mendAfterSignal() !void {
    const page: TestPage = try .map();
    var poisoned: u32 = 0;
    try watch(page.memory, &poisoned);
    _ = linux.kill(linux.getpid(), .BUS);
    page.truncate();
    if (page.read() != 0 or poisoned != 1) return error.NotMended;
}

test "sigbus: an earlier handler that takes itself out does not take us out" {
    const earlier = simple(resign);
    try std.testing.expectEqual(0, runForked(mendAfterSignal, &earlier));
    const status = runForked(touchUnwatched, &earlier);
    try std.testing.expect(linux.W.IFSIGNALED(status));
}

test "sigbus: a truncated mapping reads zeros and is marked" {
    const page: TestPage = try .map();
    defer page.unmap();
    var poisoned: u32 = 0;
    try watch(page.memory, &poisoned);
    defer unwatch(page.memory);
    page.memory[0] = 7;
    try std.testing.expectEqual(0, poisoned);
    page.truncate();
    try std.testing.expectEqual(0, page.read());
    try std.testing.expectEqual(1, poisoned);
}
