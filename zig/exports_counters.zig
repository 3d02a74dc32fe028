//! The border of services' counters: what TypeScript calls. The rules are those of exports.zig.
const std = @import("std");
const constants = @import("constants.zig");
const counters_module = @import("counters.zig");
const counting = @import("counting.zig");
const exports = @import("exports.zig");
const file = @import("file.zig");
const handles = @import("handles.zig");
const Counters = counting.Counters;
const HistogramReport = @import("histogram.zig").HistogramReport;
const DetailOut = exports.DetailOut;
const code = exports.code;

/// What `mt_counters_open` is told.
pub const CountersParameters = extern struct {
    entries: u32,
    /// 1: `group` is the id of a group that shares the file.
    has_group: u32,
    group: u32,
    instance_bytes: u32,
    instance: [constants.name_bytes_max]u8,
};

/// Opens the counters of an instance in a directory (zero-ended absolute path) and makes what is
/// missing. `parameters` holds a `CountersParameters`, `table` so many `Entry`s. The detail's name
/// is the instance's. Returns a handle.
pub export fn mt_counters_open(
    path: [*:0]const u8,
    parameters: [*]const u8,
    table: [*]const u8,
    detail: [*]u8,
) callconv(.c) i32 {
    var result: DetailOut = .{ .bytes = detail };
    var wanted: CountersParameters = undefined;
    @memcpy(std.mem.asBytes(&wanted), parameters[0..@sizeOf(CountersParameters)]);
    if (wanted.entries > constants.counters_max) return result.finish(.invalid_argument);
    if (wanted.instance_bytes > wanted.instance.len) return result.finish(.invalid_argument);
    const instance = wanted.instance[0..wanted.instance_bytes];
    var buffer: [constants.counters_max]counters_module.Entry = undefined;
    const entries = buffer[0..wanted.entries];
    const bytes = std.mem.sliceAsBytes(entries);
    @memcpy(bytes, table[0..bytes.len]);
    if (!counters_module.isInstance(instance) or !counters_module.isTable(entries))
        return result.finish(.invalid_argument);
    const opened = file.Directory.openOfAny(path, true, &result.value) catch |err|
        return result.finish(file.statusOf(err));
    defer opened.close();
    if (wanted.has_group == 0) opened.checkOwner() catch |err|
        return result.finish(file.statusOf(err));
    var name: counting.Name = undefined;
    const counters = Counters.init(opened, &.{
        .instance = instance,
        .entries = entries,
        .group = if (wanted.has_group != 0) wanted.group else null,
    }, &name, &result.value) catch |err|
        return result.finish(counters_module.statusOf(err));
    result.value.setName(name.instanceText());
    const handle = exports.addHandle(Counters, counters, &result);
    return if (handle < 0) handle else finishOpen(handle, &result);
}

fn finishOpen(handle: i32, result: *const DetailOut) i32 {
    _ = result.finish(.ok);
    return handle;
}

/// Closes the counters of a service that ends in good order, and says so in their file. Closed in
/// any other way, as with their thread, they are left as a dead one's.
pub export fn mt_counters_end(handle: u32) callconv(.c) i32 {
    const counters = handles.get(Counters, handle) orelse return code(.closed);
    counters.end();
    return code(if (handles.close(handle)) .ok else .closed);
}

/// Adds to a counter, a finite number from 0 on, or to a gauge.
pub export fn mt_counter_add(handle: u32, index: u32, amount: f64) callconv(.c) i32 {
    const counters = handles.get(Counters, handle) orelse return code(.closed);
    counters.add(index, amount) catch return code(.invalid_argument);
    return code(.ok);
}

/// Sets a gauge to a finite number.
pub export fn mt_counter_set(handle: u32, index: u32, value: f64) callconv(.c) i32 {
    const counters = handles.get(Counters, handle) orelse return code(.closed);
    counters.set(index, value) catch return code(.invalid_argument);
    return code(.ok);
}

/// Counts a time of so many nanoseconds in a histogram.
pub export fn mt_counter_record(handle: u32, index: u32, ns: f64) callconv(.c) i32 {
    const counters = handles.get(Counters, handle) orelse return code(.closed);
    counters.record(index, ns) catch return code(.invalid_argument);
    return code(.ok);
}

/// Writes the `HistogramReport` of a histogram.
pub export fn mt_counter_histogram(handle: u32, index: u32, out: [*]f64) callconv(.c) i32 {
    const counters = handles.get(Counters, handle) orelse return code(.closed);
    const histogram = counters.histogramAt(index) catch return code(.invalid_argument);
    HistogramReport.of(histogram).writeTo(out);
    return code(.ok);
}

/// Writes the names of the instances in a directory (zero-ended path), each with a zero behind it.
/// Returns the bytes that all of them need.
pub export fn mt_counters_list(
    path: [*:0]const u8,
    out: [*]u8,
    size: u32,
    detail: [*]u8,
) callconv(.c) i32 {
    return exports.listNames(path, counters_module.suffix, out[0..size], detail);
}

/// Copies what a file of counters (zero-ended absolute path) holds, checked: its `Entry`s, as many
/// `f64`, a `HistogramReport` for each histogram. Writes a `CountersReport`. If its `size` is more
/// than `out_size`, nothing was copied.
pub export fn mt_counters_read(
    path: [*:0]const u8,
    out: [*]u8,
    out_size: u32,
    report: [*]u8,
    detail: [*]u8,
) callconv(.c) i32 {
    var result: DetailOut = .{ .bytes = detail };
    const place = file.Place.open(path, false, &result.value) catch |err|
        return result.finish(file.statusOf(err));
    defer place.close();
    var found: counters_module.CountersReport = .{};
    counters_module.read(place, out[0..out_size], &found, &result.value) catch |err|
        return result.finish(counters_module.statusOf(err));
    @memcpy(report[0..@sizeOf(counters_module.CountersReport)], std.mem.asBytes(&found));
    return code(.ok);
}

/// Removes a dead instance's file (zero-ended absolute path), whatever it holds; `busy` while
/// somebody counts in it.
pub export fn mt_counters_remove(path: [*:0]const u8, detail: [*]u8) callconv(.c) i32 {
    var result: DetailOut = .{ .bytes = detail };
    const place = file.Place.open(path, false, &result.value) catch |err|
        return result.finish(file.statusOf(err));
    defer place.close();
    counters_module.remove(place, &result.value) catch |err|
        return result.finish(counters_module.statusOf(err));
    return code(.ok);
}
