//! Notifier: one thread of the process that sleeps on behalf of all asynchronous consumers.
//!
//! An entry is armed for one wake-up: when its consumer has news, the thread takes the entry out and
//! calls its function with its token. With nothing armed, and with nothing arriving, the thread sleeps
//! in `futex_waitv` and uses no processor time.
//!
//! - Entries are guarded by a mutex. `disarm` returns only when the thread does not look at the entry
//!   any more, so the caller may unmap afterwards.
//! - The function runs on this thread and hands over to JavaScript (`UnsafeCallback.threadSafe`).
const std = @import("std");
const constants = @import("constants.zig");
const futex = @import("futex.zig");
const memory = @import("memory.zig").direct;
const Consumer = @import("consumer.zig").Consumer;
const wait = @import("wait.zig").Protocol(memory);

pub const Callback = *const fn (token: u32) callconv(.c) void;

const Entry = struct {
    consumer: *Consumer,
    callback: Callback,
    token: u32,
};

var entries: [constants.notifier_entries_max]Entry = undefined;
var entries_count: usize = 0;
var entries_lock: std.atomic.Mutex = .unlocked;
/// Changes when entries do; the thread waits on it besides the consumers' words.
var generation: u32 = 0;
var is_running = false;

fn acquire() void {
    while (!entries_lock.tryLock()) std.Thread.yield() catch {};
}

pub const Error = error{ TableFull, NoThread };

/// Calls `callback(token)` once, as soon as a poll of `consumer` would have something to say.
pub fn arm(consumer: *Consumer, callback: Callback, token: u32) Error!void {
    acquire();
    defer entries_lock.unlock();
    if (entries_count == entries.len) return error.TableFull;
    if (!is_running) {
        const thread = std.Thread.spawn(.{ .stack_size = 256 * 1024 }, run, .{}) catch
            return error.NoThread;
        thread.detach();
        is_running = true;
    }
    entries[entries_count] = .{ .consumer = consumer, .callback = callback, .token = token };
    entries_count += 1;
    changed();
}

/// Takes the consumer's entries out, those that are still there.
pub fn disarm(consumer: *const Consumer) void {
    acquire();
    defer entries_lock.unlock();
    const before = entries_count;
    var i = entries_count;
    while (i > 0) {
        i -= 1;
        if (entries[i].consumer == consumer) remove(i);
    }
    if (entries_count < before) changed();
}

fn changed() void {
    _ = memory.add(u32, &generation, 1);
    futex.wakeAll(memory, &generation);
}

fn remove(index: usize) void {
    entries_count -= 1;
    entries[index] = entries[entries_count];
}

fn run() void {
    var waiters: [constants.notifier_entries_max + 1]futex.Waiter = undefined;
    while (true) {
        const seen = memory.load(u32, &generation, .acquire);
        waiters[0] = .{ .expected = seen, .address = @intFromPtr(&generation) };
        acquire();
        const ready = takeReady();
        var is_claimed = false;
        const count = if (ready == null) prepareAll(waiters[1..], &is_claimed) else 0;
        const late = if (ready == null) takeReady() else null;
        entries_lock.unlock();
        if (ready orelse late) |entry| {
            entry.callback(entry.token);
            continue;
        }
        const slice_ns: u64 = if (is_claimed)
            constants.wait_slice_claimed_ns
        else
            idle_slice_ns;
        const result = futex.waitMany(waiters[0 .. count + 1], slice_ns);
        if (result == .unsupported) _ = futex.wait(&generation, seen, unsupported_slice_ns);
        if (result == .timed_out) checkSizes();
        if (result == .timed_out and is_claimed) notifyClaimed();
    }
}

/// With nothing open before any consumer only a wake-up can bring news. This bounds what nobody wakes
/// for: a producer that died between its message and the wake-up, a file that was cut off.
const idle_slice_ns = std.time.ns_per_s;
/// Kernels before 5.16 have no `futex_waitv`: look this often instead.
const unsupported_slice_ns = std.time.ns_per_ms;

fn checkSizes() void {
    acquire();
    defer entries_lock.unlock();
    for (entries[0..entries_count]) |entry| entry.consumer.channel.checkSize();
}

/// Takes out one entry that has news.
fn takeReady() ?Entry {
    for (entries[0..entries_count], 0..) |entry, i| {
        const consumer = entry.consumer;
        const is_lost = consumer.isHeaderLost();
        if (is_lost) consumer.examineNext();
        if (!consumer.hasNews() and !is_lost and !consumer.channel.isPoisoned()) continue;
        remove(i);
        return entry;
    }
    return null;
}

/// Makes all consumers sleepers. The caller looks for news again before it waits.
fn prepareAll(waiters: []futex.Waiter, is_claimed: *bool) usize {
    for (entries[0..entries_count], waiters[0..entries_count]) |entry, *waiter| {
        const lines = entry.consumer.ring.lines;
        const seen = wait.prepare(&lines.data, &lines.control);
        if (entry.consumer.isClaimed()) is_claimed.* = true;
        waiter.* = .{ .expected = seen, .address = @intFromPtr(&lines.data.signal) };
    }
    return entries_count;
}

/// A claim has stood open for a slice: lets JavaScript poll, which looks at its owner.
fn notifyClaimed() void {
    acquire();
    var taken: ?Entry = null;
    for (entries[0..entries_count], 0..) |entry, i| {
        if (!entry.consumer.isClaimed()) continue;
        entry.consumer.examineNext();
        taken = entry;
        remove(i);
        break;
    }
    entries_lock.unlock();
    if (taken) |entry| entry.callback(entry.token);
}
