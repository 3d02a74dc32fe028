//! The library's root: its exports, and every file whose tests belong to it.
const std = @import("std");

/// Without the 256 KiB that std keeps in every thread for a handler of its own, which a library
/// that is loaded by others does not install.
pub const std_options: std.Options = .{ .signal_stack_size = null };

pub const abi = @import("abi.zig");
pub const channel = @import("channel.zig");
pub const clock = @import("clock.zig");
pub const constants = @import("constants.zig");
pub const consumer = @import("consumer.zig");
pub const counters = @import("counters.zig");
pub const crc32c = @import("crc32c.zig");
pub const delivery = @import("delivery.zig");
pub const detail = @import("detail.zig");
pub const durability = @import("durability.zig");
pub const exchange = @import("exchange.zig");
pub const exports = @import("exports.zig");
pub const exports_counters = @import("exports_counters.zig");
pub const exports_histogram = @import("exports_histogram.zig");
pub const exports_history = @import("exports_history.zig");
pub const exports_log = @import("exports_log.zig");
pub const exports_machine = @import("exports_machine.zig");
pub const exports_process = @import("exports_process.zig");
pub const exports_store = @import("exports_store.zig");
pub const exports_verify = @import("exports_verify.zig");
pub const file = @import("file.zig");
pub const handles = @import("handles.zig");
pub const header = @import("header.zig");
pub const histogram = @import("histogram.zig");
pub const history = @import("history.zig");
pub const machine = @import("machine.zig");
pub const market = @import("market.zig");
pub const messages = @import("messages.zig");
pub const options = @import("options.zig");
pub const producer = @import("producer.zig");
pub const record = @import("record.zig");
pub const report = @import("report.zig");
pub const status = @import("status.zig");
pub const unused = @import("unused.zig");
pub const wal = struct {
    pub const control = @import("wal/control.zig");
    pub const format = @import("wal/format.zig");
    pub const open = @import("wal/open.zig");
    pub const persister = @import("wal/persister.zig");
    pub const retention = @import("wal/retention.zig");
    pub const scan = @import("wal/scan.zig");
    pub const verify = @import("wal/verify.zig");
};

pub const store = @import("store/store.zig");
pub const store_batch = @import("store/batch.zig");
pub const store_glance = @import("store/glance.zig");
/// For programs that test; nothing else refers to it.
pub const testing = struct {
    pub const wal_damage = @import("testing/wal_damage.zig");
    pub const wal_faults = @import("testing/wal_faults.zig");
};

/// Every file with functions that TypeScript calls.
pub const borders = .{
    exports,
    exports_counters,
    exports_histogram,
    exports_history,
    exports_log,
    exports_machine,
    exports_process,
    exports_store,
    exports_verify,
};

comptime {
    for (borders) |border| _ = border; // Pulls every `pub export fn` into the library.
}

test {
    _ = @import("affinity.zig");
    _ = @import("cgroup.zig");
    _ = @import("directory.zig");
    _ = @import("file_system.zig");
    _ = @import("futex.zig");
    _ = histogram;
    _ = history;
    _ = @import("liveness.zig");
    _ = @import("store/lmdb.zig");
    _ = @import("store/lmdb_system.zig");
    _ = @import("memory.zig");
    _ = @import("notifier.zig");
    _ = @import("process.zig");
    _ = @import("recovery.zig");
    _ = @import("repair.zig");
    _ = @import("ring.zig");
    _ = @import("seccomp.zig");
    _ = @import("seek.zig");
    _ = @import("sigbus.zig");
    _ = @import("store/check.zig");
    _ = @import("store/entry.zig");
    _ = @import("store/pages.zig");
    _ = @import("store/place.zig");
    _ = @import("store/read.zig");
    _ = @import("wait.zig");
    _ = clock;
    _ = counters;
    _ = @import("counting.zig");
    _ = crc32c;
    _ = file;
    _ = header;
    _ = machine;
    _ = messages;
    _ = record;
    _ = @import("testing/fault_disk.zig");
    _ = testing.wal_damage;
    _ = testing.wal_faults;
    _ = @import("wal/control.zig");
    _ = @import("wal/format.zig");
    _ = @import("wal/removal.zig");
    _ = store;
    _ = store_batch;
    _ = store_glance;
    _ = @import("wal/verify_file.zig");
    _ = @import("wal/window.zig");
    _ = @import("wal/zeros.zig");
}
