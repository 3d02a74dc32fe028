//! Faults that are planted into the log on purpose, to see that its tests find them. Only in tests
//! and what is built with `-Dfault-points=true`, and only the one that `MT_PLANT` names.
const std = @import("std");
const is_enabled = @import("builtin").is_test or @import("build_options").fault_points;
const Detail = @import("../detail.zig").Detail;

pub const Fault = enum {
    /// `fdatasync` is not called.
    no_sync,
    /// Waiters are told before it was.
    early_ack,
    /// A failed one is called again, which succeeds.
    retried_sync,
    /// Checksums are not masked.
    plain_crc,
    /// A group is said to follow only what is durable when it does not.
    early_group,
};

var chosen: ?Fault = null;
var is_read = false;

pub inline fn is(comptime fault: Fault) bool {
    if (!is_enabled) return false;
    return isEnabled(fault);
}

fn isEnabled(fault: Fault) bool {
    if (!is_read) {
        is_read = true;
        if (std.c.getenv("MT_PLANT")) |value| {
            chosen = std.meta.stringToEnum(Fault, std.mem.span(value)) orelse
                @panic("no such fault to plant");
        }
    }
    return chosen == fault;
}

/// Plants one for a test inside this process.
pub fn plant(fault: ?Fault) void {
    is_read = true;
    chosen = fault;
}

pub inline fn sync(file: anytype, detail: *Detail) !void {
    if (is(.no_sync)) return;
    file.sync(detail) catch |err| {
        if (!is(.retried_sync)) return err;
        try file.sync(detail);
    };
}

pub inline fn durableEnd(proven: u64, offset: u64) u64 {
    return if (is(.early_group)) offset else proven;
}
