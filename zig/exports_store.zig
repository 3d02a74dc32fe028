//! The border of stores: what TypeScript calls. The rules are those of exports.zig.
const std = @import("std");
const constants = @import("constants.zig");
const exports = @import("exports.zig");
const handles = @import("handles.zig");
const store_glance = @import("store/glance.zig");
const store_module = @import("store/store.zig");
const DetailOut = exports.DetailOut;
const Store = store_module.Store;

/// Opens the store in a directory (zero-ended absolute path), making what is missing; the directory
/// itself if `make_directory` is 1. `map_bytes` is the size that its map begins with. Returns a
/// store handle.
pub export fn mt_store_open(
    path: [*:0]const u8,
    map_bytes: f64,
    make_directory: u32,
    detail: [*]u8,
) callconv(.c) i32 {
    var result: DetailOut = .{ .bytes = detail };
    const least, const most = .{ constants.store_map_bytes_min, constants.store_map_bytes_max };
    if (!(map_bytes >= least and map_bytes <= most)) return result.finish(.invalid_argument);
    const size: u64 = @intFromFloat(map_bytes);
    const store = Store.init(path, size, make_directory != 0, &result.value) catch |err|
        return result.finish(store_module.statusOf(err));
    return exports.addHandle(Store, store, &result);
}

/// Applies a batch (store/batch.zig) in one durable transaction.
pub export fn mt_store_commit_wait(
    handle: u32,
    operations: [*]const u8,
    size: u32,
    detail: [*]u8,
) callconv(.c) i32 {
    var result: DetailOut = .{ .bytes = detail };
    const store = handles.enterWait(Store, handle) orelse return result.finish(.closed);
    defer handles.leaveWait(Store, store);
    store.commit(operations[0..size], &result.value) catch |err|
        return result.finish(store_module.statusOf(err));
    return result.finish(.ok);
}

/// Copies a value to `out`. Returns its size; if that is more than `out_size`, nothing was copied.
pub export fn mt_store_get_wait(
    handle: u32,
    key: [*]const u8,
    key_size: u32,
    out: [*]u8,
    out_size: u32,
    detail: [*]u8,
) callconv(.c) f64 {
    var result: DetailOut = .{ .bytes = detail };
    const store = handles.enterWait(Store, handle) orelse
        return @floatFromInt(result.finish(.closed));
    defer handles.leaveWait(Store, store);
    const size = store.get(key[0..key_size], out[0..out_size], &result.value) catch |err|
        return @floatFromInt(result.finish(store_module.statusOf(err)));
    return @floatFromInt(size);
}

/// Lists keys with a prefix that come after another key, each with two bytes of its size before it.
/// Returns the bytes written to `out`, 0 at the end.
pub export fn mt_store_next_wait(
    handle: u32,
    prefix: [*]const u8,
    prefix_size: u32,
    after: [*]const u8,
    after_size: u32,
    out: [*]u8,
    out_size: u32,
    detail: [*]u8,
) callconv(.c) i32 {
    var result: DetailOut = .{ .bytes = detail };
    const store = handles.enterWait(Store, handle) orelse return result.finish(.closed);
    defer handles.leaveWait(Store, store);
    const size = store.next(
        prefix[0..prefix_size],
        after[0..after_size],
        out[0..out_size],
        &result.value,
    ) catch |err| return result.finish(store_module.statusOf(err));
    return std.math.cast(i32, size) orelse result.finish(.invalid_argument);
}

/// Writes a `StoreReport`. Never waits.
pub export fn mt_store_report(handle: u32, out: [*]u8) callconv(.c) i32 {
    const store = handles.get(Store, handle) orelse return exports.code(.closed);
    const value = store.readReport();
    @memcpy(out[0..@sizeOf(store_module.StoreReport)], std.mem.asBytes(&value));
    return exports.code(.ok);
}

/// Reads entries of the store in a directory (zero-ended absolute path) without owning it: those
/// whose keys begin with a prefix, each behind an `EntryHead`, as many as fit into `out`; and a
/// `StoreReport`. Returns the bytes written. `BUSY` if it was committed to meanwhile.
pub export fn mt_store_glance_wait(
    path: [*:0]const u8,
    prefix: [*]const u8,
    prefix_size: u32,
    out: [*]u8,
    out_size: u32,
    report: [*]u8,
    detail: [*]u8,
) callconv(.c) i32 {
    var result: DetailOut = .{ .bytes = detail };
    if (prefix_size > constants.store_key_bytes_max) return result.finish(.invalid_argument);
    var value: store_module.StoreReport = .{};
    const size = store_glance.read(
        path,
        prefix[0..prefix_size],
        out[0..out_size],
        &value,
        &result.value,
    ) catch |err| return result.finish(store_module.statusOf(err));
    @memcpy(report[0..@sizeOf(store_module.StoreReport)], std.mem.asBytes(&value));
    return std.math.cast(i32, size) orelse result.finish(.invalid_argument);
}
