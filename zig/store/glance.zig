//! Store glance: entries of a store, read without owning it.
//!
//! No lock is taken, nothing is made, LMDB is not asked: its owner is not held up, and may commit
//! meanwhile. LMDB writes a commit to pages that the newest transaction does not use, so what is
//! read is whole unless two commits come to an end meanwhile; that the first of them has is seen
//! by the meta pages, and is `Busy`: look again.
const std = @import("std");
const constants = @import("../constants.zig");
const file = @import("../file.zig");
const store_check = @import("check.zig");
const store_pages = @import("pages.zig");
const store_place = @import("place.zig");
const store_read = @import("read.zig");
const Detail = @import("../detail.zig").Detail;
const Pages = store_pages.Pages;
const Reader = store_read.Reader;
const StoreReport = @import("store.zig").StoreReport;

pub const Error = store_place.Error || error{ OutOfMemory, CorruptStore };

/// Before the bytes of an entry.
pub const EntryHead = extern struct {
    key_bytes: u32,
    value_bytes: u32,
    /// Whether the value is that of its checksum.
    is_sound: u32,
    reserved_0: u32 = 0,
};

/// Writes the entries whose keys begin with `prefix`, in order, as many as fit, each with a head.
/// Values that are longer than what is left are left out with all that come after them.
pub fn read(
    path: [*:0]const u8,
    prefix: []const u8,
    out: []u8,
    report: *StoreReport,
    detail: *Detail,
) Error!usize {
    const directory: file.Directory = try .open(path, false, detail);
    defer directory.close();
    const opened = try store_place.openDataIn(directory, detail) orelse return error.NotFound;
    defer _ = std.os.linux.close(opened.fd);
    const before = newestOf(opened.fd, detail) catch |err| return failure(err);
    return readOpened(opened.fd, prefix, out, report, detail) catch |err| {
        const now = newestOf(opened.fd, detail) catch 0;
        return if (now != before) error.Busy else failure(err);
    };
}

fn failure(err: store_pages.Error) Error {
    return switch (err) {
        error.Corrupt => error.CorruptStore,
        error.Os => error.Os,
        error.OutOfMemory => error.OutOfMemory,
    };
}

/// Number of the newest transaction.
fn newestOf(fd: i32, detail: *Detail) store_pages.Error!u64 {
    const size = file.sizeOf(fd) orelse return error.Os;
    var pages: Pages = .{ .fd = fd, .size = size, .detail = detail };
    const newest, _ = try pages.readMetas();
    return newest.transaction;
}

fn readOpened(
    fd: i32,
    prefix: []const u8,
    out: []u8,
    report: *StoreReport,
    detail: *Detail,
) store_pages.Error!usize {
    const size = file.sizeOf(fd) orelse return error.Os;
    const findings = try store_check.check(fd, size, detail);
    const transaction = findings.ledger.transaction;
    report.* = .{
        .used_bytes = @floatFromInt(findings.pages * findings.page_bytes),
        .entries = @floatFromInt(findings.ledger.entries),
        .transaction = @floatFromInt(transaction),
    };
    var pages: Pages = .{ .fd = fd, .size = size, .detail = detail };
    const reader: Reader = try .init(&pages, transaction);
    defer reader.deinit();
    const written = try copyEntries(&reader, prefix, out);
    // What was read is this transaction's, if it still is the newest.
    if (try newestOf(fd, detail) != transaction) return error.Corrupt;
    return written;
}

fn copyEntries(reader: *const Reader, prefix: []const u8, out: []u8) store_pages.Error!usize {
    const head_bytes = @sizeOf(EntryHead);
    var keys: [16 * constants.store_key_bytes_max]u8 = undefined;
    var after_buffer: [constants.store_key_bytes_max]u8 = undefined;
    var after: []const u8 = "";
    var written: usize = 0;
    while (true) {
        const listed = try reader.list(prefix, after, &keys);
        if (listed == 0) return written;
        var at: usize = 0;
        while (at < listed) {
            const key_bytes = std.mem.readInt(u16, keys[at..][0..2], .little);
            const key = keys[at + 2 ..][0..key_bytes];
            at += 2 + key_bytes;
            const start = written + head_bytes + key_bytes;
            if (start > out.len) return written;
            const found = reader.get(key, out[start..]) catch |err| switch (err) {
                error.NotFound => return error.Corrupt, // It was listed a moment ago.
                else => |other| return other,
            };
            if (found.size > out.len - start) return written;
            const head: EntryHead = .{
                .key_bytes = key_bytes,
                .value_bytes = @intCast(found.size),
                .is_sound = @intFromBool(found.mismatch == null),
            };
            @memcpy(out[written..][0..head_bytes], std.mem.asBytes(&head));
            @memcpy(out[written + head_bytes ..][0..key_bytes], key);
            written = start + found.size;
            @memcpy(after_buffer[0..key_bytes], key);
            after = after_buffer[0..key_bytes];
        }
    }
}
