//! Store read: values and keys out of the newest transaction, without LMDB.
//!
//! LMDB would follow what stands in its mapped file, whatever has become of that since it was
//! checked. Here each page on the way is read with `pread` and checked (pages.zig), and a
//! value is verified in the caller's own copy. Cost: a system call for each level of the tree, two
//! for the meta pages, two for a value too long for its page.
//!
//! Assumes that nobody commits meanwhile.
const std = @import("std");
const store_entry = @import("entry.zig");
const store_pages = @import("pages.zig");
const Node = store_pages.Node;
const Pages = store_pages.Pages;
const nodeOf = store_pages.nodeOf;

pub const Error = store_pages.Error || error{NotFound};

/// A value that was looked for.
pub const Found = struct {
    size: usize,
    /// Both checksums, where they differ.
    mismatch: ?store_entry.Checked = null,
};

/// One look at a store. `deinit` must follow.
pub const Reader = struct {
    pages: *Pages,
    root: u64,
    depth: u32,

    /// Begins at the meta pages, which have to be those of this transaction.
    pub fn init(pages: *Pages, transaction: u64) store_pages.Error!Reader {
        const newest, _ = try pages.readMetas();
        if (newest.transaction != transaction) return pages.fail(0, "another transaction");
        const tree = &newest.main;
        if (tree.depth == 0 or tree.depth > store_pages.depth_max) {
            return pages.fail(0, "a wrong depth");
        }
        try pages.allocate();
        return .{ .pages = pages, .root = tree.root, .depth = tree.depth };
    }

    pub fn deinit(reader: *const Reader) void {
        reader.pages.free();
    }

    fn readPage(reader: *const Reader, page: u64, level: u32) store_pages.Error!usize {
        if (page < 2 or page >= reader.pages.count) {
            return reader.pages.fail(page, "a page beyond the last one");
        }
        return reader.pages.readPage(page, level, level + 1 == reader.depth, .main);
    }

    /// Copies a value to `out`. If its size is more than `out` has, nothing was copied.
    pub fn get(reader: *const Reader, key: []const u8, out: []u8) Error!Found {
        var page = reader.root;
        for (0..reader.depth) |index| {
            const level: u32 = @intCast(index);
            const count = try reader.readPage(page, level);
            const bytes = reader.pages.buffer(level);
            if (level + 1 == reader.depth) {
                const node = find(bytes, count, key) orelse return error.NotFound;
                return reader.copy(page, &node, out);
            }
            page = nodeOf(bytes, childFor(bytes, count, key), false).?.child;
        }
        unreachable; // A tree has at least one level.
    }

    fn copy(reader: *const Reader, page: u64, node: *const Node, out: []u8) Error!Found {
        const trailer_bytes = store_entry.trailer_bytes;
        if (node.value_bytes < trailer_bytes) {
            return reader.pages.fail(page, "a value without a checksum");
        }
        const size = node.value_bytes - trailer_bytes;
        if (size > out.len) return .{ .size = size };
        const is_big = node.flags & store_pages.node_is_big != 0;
        if (!is_big) {
            return .{ .size = size, .mismatch = store_entry.open(node.key, node.inner, out) };
        }
        const run = try reader.pages.runOf(page, node);
        var trailer: [trailer_bytes]u8 = undefined;
        try reader.pages.read(out[0..size], run.offset);
        try reader.pages.read(&trailer, run.offset + size);
        const mismatch = store_entry.verify(node.key, out[0..size], &trailer);
        return .{ .size = size, .mismatch = mismatch };
    }

    /// Lists keys that begin with `prefix` and come after `after`, in order, as many as fit: for
    /// each two bytes of its size, then the key. Returns the bytes written.
    pub fn list(
        reader: *const Reader,
        prefix: []const u8,
        after: []const u8,
        out: []u8,
    ) store_pages.Error!usize {
        const is_later = std.mem.order(u8, after, prefix) == .gt;
        const first = if (is_later) after else prefix;
        var listing: Listing = .{
            .first = if (first.len == 0) store_entry.key_first else first,
            .prefix = prefix,
            .after = after,
            .out = out,
            .pages_left = reader.pages.count,
        };
        try reader.visit(&listing, reader.root, 0);
        return listing.size;
    }

    fn visit(
        reader: *const Reader,
        listing: *Listing,
        page: u64,
        level: u32,
    ) store_pages.Error!void {
        const count = try reader.readPage(page, level);
        if (listing.pages_left == 0) return reader.pages.fail(page, "a page that is used twice");
        listing.pages_left -= 1;
        const bytes = reader.pages.buffer(level);
        const is_leaf = level + 1 == reader.depth;
        const start = if (is_leaf) 0 else childFor(bytes, count, listing.first);
        for (start..count) |index| {
            if (listing.is_over) return;
            const node = nodeOf(bytes, index, is_leaf).?;
            if (!is_leaf) {
                try reader.visit(listing, node.child, level + 1);
                continue;
            }
            try reader.pages.checkKeySize(.main, page, node.key);
            listing.add(node.key);
        }
    }
};

/// The child of a branch that a key has to be in.
fn childFor(bytes: []const u8, count: usize, key: []const u8) usize {
    var index: usize = 1; // The first key of a branch is not looked at.
    while (index < count) : (index += 1) {
        const separator = nodeOf(bytes, index, false).?.key;
        if (std.mem.order(u8, key, separator) == .lt) break;
    }
    return index - 1;
}

fn find(bytes: []const u8, count: usize, key: []const u8) ?Node {
    for (0..count) |index| {
        const node = nodeOf(bytes, index, true).?;
        if (std.mem.eql(u8, node.key, key)) return node;
    }
    return null;
}

const Listing = struct {
    first: []const u8,
    prefix: []const u8,
    after: []const u8,
    out: []u8,
    /// Pages of a tree that goes in circles have no end.
    pages_left: u64,
    size: usize = 0,
    is_over: bool = false,

    fn add(listing: *Listing, key: []const u8) void {
        if (std.mem.order(u8, key, listing.first) == .lt) return;
        if (std.mem.eql(u8, key, listing.after)) return;
        const is_fitting = key.len + 2 <= listing.out.len - listing.size;
        if (!is_fitting or !std.mem.startsWith(u8, key, listing.prefix)) {
            listing.is_over = true;
            return;
        }
        const place = listing.out[listing.size..];
        std.mem.writeInt(u16, place[0..2], @intCast(key.len), .little);
        @memcpy(place[2..][0..key.len], key);
        listing.size += 2 + key.len;
    }
};
