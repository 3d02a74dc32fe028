//! Notifier: one call that sleeps on behalf of all asynchronous consumers of an isolate.
//!
//! An entry is armed for one wake-up: when its consumer has news, the call takes the entry out and
//! returns its token. With nothing arriving it sleeps in `futex_waitv` and uses no processor time.
//! It runs on a thread of Deno's pool, and JavaScript makes the next one as long as it waits for
//! anything.
//!
//! - Why not a thread of our own that calls into JavaScript: an isolate may end at any moment, by
//!   an uncaught error, and takes its callbacks with it. Calling one then is a crash, and nothing
//!   tells before. The result of a call is Deno's to deliver, or to forget.
//! - Entries are guarded by a mutex. `disarm` returns only when no call looks at the consumer any
//!   more, so the caller may unmap afterwards. Its entry stays as one that is ready.
const std = @import("std");
const clock = @import("clock.zig");
const constants = @import("constants.zig");
const consumer_park = @import("consumer_park.zig");
const futex = @import("futex.zig");
const memory = @import("memory.zig").direct;
const Consumer = @import("consumer.zig").Consumer;
const wait = @import("wait.zig").Protocol(memory);

const Entry = struct {
    /// Null when it was disarmed.
    consumer: ?*Consumer,
    /// Thread of the isolate that armed it.
    isolate: u32,
    token: u32,
    /// Whether a call has slept for it.
    has_slept: bool = false,
    /// The signal that a call sleeps on, or is about to.
    seen: ?u32 = null,
};

var entries: [constants.notifier_entries_max]Entry = undefined;
var entries_count: usize = 0;
var entries_lock: std.atomic.Mutex = .unlocked;
/// Changes when entries do; calls wait on it besides the consumers' words.
var generation: u32 = 0;

fn acquire() void {
    while (!entries_lock.tryLock()) std.Thread.yield() catch {};
}

/// Makes a call for `isolate` return `token` once, as soon as a poll of `consumer` would have
/// something to say, or it is disarmed. `token` is not 0.
pub fn arm(consumer: *Consumer, isolate: u32, token: u32) error{TableFull}!void {
    acquire();
    defer entries_lock.unlock();
    if (entries_count == entries.len) return error.TableFull;
    entries[entries_count] = .{ .consumer = consumer, .isolate = isolate, .token = token };
    entries_count += 1;
    changed();
}

/// Ends the consumer's waits: their tokens are returned.
pub fn disarm(consumer: *const Consumer) void {
    acquire();
    defer entries_lock.unlock();
    var is_armed = false;
    for (entries[0..entries_count]) |*entry| {
        if (entry.consumer != consumer) continue;
        entry.consumer = null;
        is_armed = true;
    }
    if (is_armed) changed();
}

/// Takes all entries of an isolate out, which will not ask for them any more.
pub fn forget(isolate: u32) void {
    acquire();
    defer entries_lock.unlock();
    const before = entries_count;
    var i = entries_count;
    while (i > 0) {
        i -= 1;
        if (entries[i].isolate == isolate) remove(i);
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

/// Takes out an entry of the isolate that is ready. Returns its token, or 0 if there is none.
pub fn take(isolate: u32) u32 {
    acquire();
    defer entries_lock.unlock();
    return takeReady(isolate);
}

/// The same, waiting for one up to `timeout_ns`, and only while any is armed.
pub fn waitFor(isolate: u32, timeout_ns: u64) u32 {
    var waiters: [constants.notifier_entries_max + 1]futex.Waiter = undefined;
    const end = clock.monotonicNs() +| timeout_ns;
    while (true) {
        const seen = memory.load(u32, &generation, .acquire);
        waiters[0] = .{ .expected = seen, .address = @intFromPtr(&generation) };
        var is_claimed = false;
        acquire();
        var token = takeReady(isolate);
        const count = if (token == 0) prepareAll(isolate, waiters[1..], &is_claimed) else 0;
        if (token == 0) token = takeReady(isolate);
        if (token == 0) countWaits(isolate);
        entries_lock.unlock();
        if (token != 0) return token;
        const now = clock.monotonicNs();
        if (count == 0 or now >= end) return 0;
        const slice_ns: u64 = if (is_claimed) constants.wait_slice_claimed_ns else idle_slice_ns;
        switch (futex.waitMany(waiters[0 .. count + 1], @min(slice_ns, end - now))) {
            .woken => {},
            .unsupported => _ = futex.wait(&generation, seen, unsupported_slice_ns),
            .timed_out => lookAround(isolate, is_claimed),
        }
    }
}

/// With nothing open before any consumer only a wake-up can bring news. This bounds what nobody
/// wakes for: a producer that died between its message and the wake-up, a file that was cut off.
const idle_slice_ns = std.time.ns_per_s;
/// Kernels before 5.16 have no `futex_waitv`: look this often instead.
const unsupported_slice_ns = std.time.ns_per_ms;

/// Makes those ready that nobody wakes: a file was cut off, or a claim has stood open for a slice,
/// whose owner a poll looks at.
fn lookAround(isolate: u32, is_claimed: bool) void {
    acquire();
    defer entries_lock.unlock();
    for (entries[0..entries_count]) |*entry| {
        if (entry.isolate != isolate) continue;
        const consumer = entry.consumer orelse continue;
        consumer.channel.checkSize();
        if (entry.seen) |seen| consumer_park.noteLateWakeup(consumer, seen);
        if (!is_claimed or !consumer.isClaimed()) continue;
        consumer.examineNext();
        entry.consumer = null;
    }
}

/// Takes out one entry that was disarmed or has news.
fn takeReady(isolate: u32) u32 {
    for (entries[0..entries_count], 0..) |entry, i| {
        if (entry.isolate != isolate or !isReady(entry.consumer)) continue;
        remove(i);
        return entry.token;
    }
    return 0;
}

fn isReady(armed: ?*Consumer) bool {
    const consumer = armed orelse return true;
    const is_lost = consumer.isHeaderLost();
    if (is_lost) consumer.examineNext();
    return is_lost or consumer.hasNews() or consumer.channel.isPoisoned();
}

/// Counts a wait for each consumer that sleeps for the first time since it was armed.
fn countWaits(isolate: u32) void {
    for (entries[0..entries_count]) |*entry| {
        const consumer = entry.consumer orelse continue;
        if (entry.isolate != isolate or entry.has_slept) continue;
        entry.has_slept = true;
        consumer.countUp("waits", 1);
    }
}

/// Makes the isolate's consumers sleepers. The caller looks for news again before it waits.
fn prepareAll(isolate: u32, waiters: []futex.Waiter, is_claimed: *bool) usize {
    var count: usize = 0;
    for (entries[0..entries_count]) |*entry| {
        if (entry.isolate != isolate) continue;
        const consumer = entry.consumer orelse continue;
        const lines = consumer.ring.lines;
        const seen = wait.prepare(&lines.data, &lines.control);
        entry.seen = seen;
        if (consumer.isClaimed()) is_claimed.* = true;
        waiters[count] = .{ .expected = seen, .address = @intFromPtr(&lines.data.signal) };
        count += 1;
    }
    return count;
}
