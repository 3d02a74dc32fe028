//! Labelled places where a test build of the library kills its own process.
//!
//! Only in a library built with `-Dfault-points=true`; elsewhere `hit` is nothing at all. The test
//! sets `MT_FAULT=<label>:<n>`, and the process gets SIGKILL at the n-th time that it comes by.
const std = @import("std");
const linux = std.os.linux;
const is_enabled = @import("build_options").fault_points;

pub const Label = enum {
    before_claim,
    after_claim,
    mid_copy,
    before_publish,
    after_publish,
    before_ack,
    mid_repair,
};

var remaining: i64 = 0;
var chosen: ?Label = null;
var is_read = false;

pub inline fn hit(comptime label: Label) void {
    if (!is_enabled) return;
    hitEnabled(label);
}

fn hitEnabled(label: Label) void {
    if (!is_read) readChoice();
    if (chosen != label) return;
    remaining -= 1;
    if (remaining == 0) _ = linux.kill(linux.getpid(), .KILL);
}

fn readChoice() void {
    is_read = true;
    const value = std.mem.span(std.c.getenv("MT_FAULT") orelse return);
    const colon = std.mem.indexOfScalar(u8, value, ':') orelse return;
    chosen = std.meta.stringToEnum(Label, value[0..colon]);
    remaining = std.fmt.parseInt(i64, value[colon + 1 ..], 10) catch 1;
}
