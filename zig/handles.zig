//! Handles: what JavaScript holds instead of pointers. A number with a generation, checked at each
//! call.
//!
//! - A handle that was closed, guessed, or belongs to another kind gives `closed`, never a wild
//!   pointer.
//! - A handle is used by the thread that made it. Only waits run elsewhere; they announce
//!   themselves here, and closing ends them first.
//! - When a thread ends (a Worker that was terminated), its handles are closed by a thread-exit
//!   destructor, so that a dead Worker's consumer does not hold producers back for ever.
const std = @import("std");
const linux = std.os.linux;
const constants = @import("constants.zig");
const header = @import("header.zig");
const notifier = @import("notifier.zig");
const Channel = @import("channel.zig").Channel;
const Consumer = @import("consumer.zig").Consumer;
const Counters = @import("counting.zig").Counters;
const Persister = @import("wal/persister.zig").Persister;
const Producer = @import("producer.zig").Producer;
const Store = @import("store/store.zig").Store;
const Verifier = @import("wal/verify.zig").Verifier;

pub const Kind = enum(u8) {
    none,
    channel,
    producer,
    consumer,
    counters,
    persister,
    store,
    verifier,
};

const Entry = struct {
    generation: u16 = 0,
    kind: Kind = .none,
    tid: u32 = 0,
    object: ?*anyopaque = null,
};

var entries: [constants.handles_max]Entry = @splat(.{});
var entries_lock: std.atomic.Mutex = .unlocked;
var search_from: usize = 0;

fn acquire() void {
    while (!entries_lock.tryLock()) std.Thread.yield() catch {};
}

fn kindOf(comptime T: type) Kind {
    return switch (T) {
        Channel => .channel,
        Producer => .producer,
        Consumer => .consumer,
        Counters => .counters,
        Persister => .persister,
        Store => .store,
        Verifier => .verifier,
        else => @compileError("no handle kind"),
    };
}

/// The calling thread, which stands for its isolate of JavaScript.
pub fn isolate() u32 {
    return @intCast(linux.gettid());
}

/// A new handle for `object`, which is closed with this thread at the latest.
pub fn add(comptime T: type, object: *T) error{TableFull}!u32 {
    acquire();
    defer entries_lock.unlock();
    for (0..entries.len) |i| {
        const index = (search_from + i) % entries.len;
        const entry = &entries[index];
        if (entry.kind != .none) continue;
        search_from = index + 1;
        entry.generation +%= 1;
        if (entry.generation == 0) entry.generation = 1;
        entry.kind = kindOf(T);
        entry.tid = isolate();
        entry.object = object;
        watchThread();
        return @as(u32, entry.generation & 0x7fff) << 16 | @as(u32, @intCast(index));
    }
    return error.TableFull;
}

/// The object behind a handle, or null if there is none of that kind. Only for the owning thread.
pub inline fn get(comptime T: type, handle: u32) ?*T {
    const index = handle & 0xffff;
    if (index >= entries.len) return null;
    const entry = &entries[index];
    if (entry.kind != comptime kindOf(T)) return null;
    if (entry.generation & 0x7fff != handle >> 16) return null;
    return @ptrCast(@alignCast(entry.object));
}

/// The object behind a handle for a wait on any thread; `leaveWait` must follow.
pub fn enterWait(comptime T: type, handle: u32) ?*T {
    acquire();
    defer entries_lock.unlock();
    const object = get(T, handle) orelse return null;
    _ = @atomicRmw(u32, &object.sleeper.waiters, .Add, 1, .acq_rel);
    return object;
}

pub fn leaveWait(comptime T: type, object: *T) void {
    _ = @atomicRmw(u32, &object.sleeper.waiters, .Sub, 1, .acq_rel);
}

/// Closes a handle: no call finds it from here on, its waits are ended, its object is freed.
/// False if it was closed before.
pub fn close(handle: u32) bool {
    const index = handle & 0xffff;
    if (index >= entries.len) return false;
    acquire();
    const entry = &entries[index];
    const taken = entry.*;
    const is_open = taken.kind != .none and taken.generation & 0x7fff == handle >> 16;
    if (is_open) {
        entry.kind = .none;
        entry.object = null;
    }
    entries_lock.unlock();
    if (is_open) free(taken);
    return is_open;
}

fn free(entry: Entry) void {
    switch (entry.kind) {
        .none => {},
        .channel => as(Channel, entry).release(),
        .producer => {
            const producer = as(Producer, entry);
            const lines = producer.ring.lines;
            producer.sleeper.close(&.{ &lines.space, &lines.commit });
            producer.deinit();
        },
        .consumer => {
            const consumer = as(Consumer, entry);
            notifier.disarm(consumer);
            // A read-only mapping has no word to change; its waits end with their slice.
            const line = &consumer.ring.lines.data;
            consumer.sleeper.close(if (consumer.slot != null) &.{line} else &.{});
            consumer.deinit();
        },
        .counters => as(Counters, entry).deinit(),
        .persister => as(Persister, entry).deinit(),
        .store => {
            const store = as(Store, entry);
            store.sleeper.close(&.{}); // Its calls end by themselves.
            store.deinit();
        },
        .verifier => {
            const verifier = as(Verifier, entry);
            verifier.sleeper.close(&.{}); // A step under way looks, and ends.
            verifier.deinit();
        },
    }
}

fn as(comptime T: type, entry: Entry) *T {
    return @ptrCast(@alignCast(entry.object));
}

var thread_key: std.c.pthread_key_t = undefined;
var has_thread_key = false;

/// Called under the lock.
fn watchThread() void {
    if (!has_thread_key) {
        if (std.c.pthread_key_create(&thread_key, onThreadExit) != .SUCCESS) return;
        has_thread_key = true;
    }
    _ = std.c.pthread_setspecific(thread_key, @ptrCast(&entries));
}

/// Producers and consumers first: they hold their channel.
fn onThreadExit(_: *anyopaque) callconv(.c) void {
    const tid = isolate();
    for (0..entries.len) |index| {
        acquire();
        const entry = entries[index];
        entries_lock.unlock();
        if (entry.kind == .none or entry.tid != tid) continue;
        _ = close(@as(u32, entry.generation & 0x7fff) << 16 | @as(u32, @intCast(index)));
    }
    notifier.forget(tid);
}
