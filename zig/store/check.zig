//! Store check: whether data.mdb is sound, before LMDB maps it.
//!
//! LMDB believes its file (pages.zig). This walk proves of the newest transaction:
//!
//! - the meta pages are two neighbours in time, each in its place;
//! - every page of both trees (values, free pages) is in the file, of the right kind, and used
//!   once; nodes lie within their page, do not overlap and fill it as LMDB fills it;
//! - keys rise, within what the branches above them say; counts and depths are the meta page's;
//! - free pages are listed once and are free;
//! - the ledger is that of this transaction, and its sum is that of the keys and trailers found.
//!
//! So what passes has every entry that was committed, and no other; whether a value's bytes are
//! right its own checksum tells when it is read. Cost: one read for each page of the trees and two
//! for each value too long for its page; not the values themselves.
//!
//! What it cannot do: protect from damage that is done after it.
const std = @import("std");
const linux = std.os.linux;
const store_entry = @import("entry.zig");
const store_pages = @import("pages.zig");
const Detail = @import("../detail.zig").Detail;
const Kind = store_pages.Kind;
const Ledger = store_entry.Ledger;
const MetaPage = store_pages.MetaPage;
const Node = store_pages.Node;
const Pages = store_pages.Pages;
const Tree = store_pages.Tree;
const depth_max = store_pages.depth_max;
const nodeOf = store_pages.nodeOf;
const readWord = store_pages.readWord;

pub const Error = store_pages.Error;

/// What the check has found.
pub const Findings = struct {
    ledger: Ledger,
    page_bytes: u32,
    /// Pages up to the last one in use.
    pages: u64,
};

/// Checks an open data.mdb of `size` bytes. What is wrong is in the detail: `offset` of the page,
/// and a few words as the name.
pub fn check(fd: i32, size: u64, detail: *Detail) Error!Findings {
    var pages: Pages = .{ .fd = fd, .size = size, .detail = detail };
    const newest, const older = try pages.readMetas();
    try pages.allocate();
    defer pages.free();
    var checker: Checker = .{ .pages = &pages };
    checker.used = try .initEmpty(std.heap.c_allocator, pages.count);
    defer checker.used.deinit(std.heap.c_allocator);
    var main: Walk = .{ .kind = .main, .tree = newest.main };
    try checker.walk(&main);
    var free: Walk = .{ .kind = .free, .tree = newest.free };
    try checker.walk(&free);
    const ledger = main.ledger orelse return pages.fail(0, "no ledger");
    if (ledger.transaction != newest.transaction) return checker.fail(0, "another ledger");
    if (ledger.entries != main.found.entries or ledger.sum != main.found.sum) {
        return checker.fail(0, "entries that are not those of the ledger");
    }
    try checker.probeOlder(&older, newest.transaction);
    return .{ .ledger = ledger, .page_bytes = pages.page_bytes, .pages = pages.count };
}

/// One tree on its way through.
const Walk = struct {
    kind: Kind,
    tree: Tree,
    branch_pages: u64 = 0,
    leaf_pages: u64 = 0,
    overflow_pages: u64 = 0,
    entries: u64 = 0,
    ledger: ?Ledger = null,
    /// Entries besides the ledger.
    found: Ledger = .{},

    fn order(walk: *const Walk, a: []const u8, b: []const u8) std.math.Order {
        if (walk.kind == .main) return std.mem.order(u8, a, b);
        return std.math.order(readWord(a, 0), readWord(b, 0)); // Both have 8 bytes.
    }
};

/// Where a subtree's keys have to lie: from `first` on, below `end`.
const Bounds = struct { first: ?[]const u8 = null, end: ?[]const u8 = null };

const Checker = struct {
    pages: *Pages,
    used: std.DynamicBitSetUnmanaged = .{},

    fn fail(checker: *const Checker, page: u64, what: []const u8) Error {
        return checker.pages.fail(page, what);
    }

    /// Marks pages as used, which may not be so yet.
    fn take(checker: *Checker, page: u64, count: u64) Error!void {
        const end = checker.pages.count;
        if (page < 2 or page >= end or count > end - page) {
            return checker.fail(page, "a page beyond the last one");
        }
        for (page..page + count) |index| {
            if (checker.used.isSet(index)) return checker.fail(index, "a page that is used twice");
            checker.used.set(index);
        }
    }

    fn walk(checker: *Checker, walked: *Walk) Error!void {
        const tree = &walked.tree;
        const is_empty = tree.root == Tree.no_root;
        if (is_empty != (tree.depth == 0) or tree.depth > depth_max) {
            return checker.fail(0, "a wrong depth");
        }
        if (!is_empty) try checker.walkPage(walked, tree.root, 0, .{});
        if (walked.branch_pages != tree.branch_pages or walked.leaf_pages != tree.leaf_pages or
            walked.overflow_pages != tree.overflow_pages or walked.entries != tree.entries)
        {
            return checker.fail(0, "counts that are not those of the tree");
        }
    }

    fn walkPage(checker: *Checker, walked: *Walk, page: u64, level: u32, in: Bounds) Error!void {
        try checker.take(page, 1);
        const is_leaf = level + 1 == walked.tree.depth;
        const count = try checker.pages.readPage(page, level, is_leaf, walked.kind);
        if (is_leaf) walked.leaf_pages += 1 else walked.branch_pages += 1;
        const bytes = checker.pages.buffer(level);
        var before = in.first;
        for (0..count) |index| {
            const node = nodeOf(bytes, index, is_leaf).?;
            // The first key of a branch is not looked at, and stands for what is above.
            const is_separator = !is_leaf and index == 0;
            const key = if (is_separator) in.first else node.key;
            if (!is_separator) try checker.checkKey(walked, page, node.key, before, in, index);
            if (is_leaf) {
                try checker.checkEntry(walked, page, &node);
            } else {
                var bounds: Bounds = .{ .first = key, .end = in.end };
                if (index + 1 < count) {
                    bounds.end = nodeOf(bytes, index + 1, false).?.key;
                    try checker.pages.checkKeySize(walked.kind, page, bounds.end.?);
                }
                try checker.walkPage(walked, node.child, level + 1, bounds);
            }
            before = key;
        }
    }

    fn checkKey(
        checker: *Checker,
        walked: *const Walk,
        page: u64,
        key: []const u8,
        before: ?[]const u8,
        in: Bounds,
        index: usize,
    ) Error!void {
        try checker.pages.checkKeySize(walked.kind, page, key);
        if (before) |lower| {
            const order = walked.order(lower, key);
            // A leaf's first key may be the one that leads to it.
            if (order == .gt or (order == .eq and index > 0)) {
                return checker.fail(page, "keys out of order");
            }
        }
        if (in.end) |end| {
            if (walked.order(key, end) != .lt) return checker.fail(page, "keys out of order");
        }
    }

    fn checkEntry(checker: *Checker, walked: *Walk, page: u64, node: *const Node) Error!void {
        walked.entries += 1;
        if (node.flags & ~store_pages.node_is_big != 0) return checker.fail(page, "a wrong node");
        const is_big = node.flags & store_pages.node_is_big != 0;
        const start: ?u64 = if (is_big) try checker.takeRun(walked, page, node) else null;
        if (walked.kind == .free) return checker.checkFree(page, node, start);
        if (std.mem.eql(u8, node.key, store_entry.ledger_key)) {
            if (is_big) return checker.fail(page, "a wrong ledger");
            walked.ledger = Ledger.read(node.inner) orelse
                return checker.fail(page, "a wrong ledger");
            return;
        }
        if (!store_entry.isKey(node.key)) return checker.fail(page, "a wrong key");
        if (node.value_bytes < store_entry.trailer_bytes) {
            return checker.fail(page, "a value without a checksum");
        }
        var last: [store_entry.trailer_bytes]u8 = undefined;
        const trailer = if (start) |offset| trailer: {
            try checker.pages.read(&last, offset + node.value_bytes - last.len);
            break :trailer store_entry.trailerOf(&last).?;
        } else store_entry.trailerOf(node.inner).?;
        walked.found.add(node.key, trailer);
    }

    /// Marks the pages of a long value. Returns the offset of its first byte.
    fn takeRun(checker: *Checker, walked: *Walk, page: u64, node: *const Node) Error!u64 {
        const run = try checker.pages.runOf(page, node);
        try checker.take(run.first, run.count);
        walked.overflow_pages += run.count;
        return run.offset;
    }

    /// Checks a list of free pages: how many, then their numbers, falling.
    fn checkFree(checker: *Checker, page: u64, node: *const Node, start: ?u64) Error!void {
        const key = readWord(node.key, 0);
        const words = node.value_bytes / 8;
        const is_past = key > 0 and key <= checker.pages.transaction;
        if (!is_past or words == 0 or node.value_bytes % 8 != 0) {
            return checker.fail(page, "a wrong list of free pages");
        }
        var count: u64 = 0;
        var before: u64 = std.math.maxInt(u64);
        var chunk: [512]u64 = undefined;
        var at: u64 = 0;
        while (at < count + 1) {
            const some: usize = @min(chunk.len, count + 1 - at);
            const bytes = std.mem.sliceAsBytes(chunk[0..some]);
            if (start) |offset| {
                try checker.pages.read(bytes, offset + 8 * at);
            } else @memcpy(bytes, node.inner[8 * at ..][0..bytes.len]);
            for (chunk[0..some]) |word| {
                if (at == 0) {
                    count = word;
                    if (count > words - 1) return checker.fail(page, "a wrong list of free pages");
                } else {
                    if (word >= before) return checker.fail(page, "free pages out of order");
                    try checker.take(word, 1);
                    before = word;
                }
                at += 1;
            }
        }
    }

    /// A meta page with a number that is too low is not the newest, and its tree would be lost
    /// without a trace. That tree's own ledger tells; the transaction before the newest is always
    /// whole as well, and where it is not we have lost nothing.
    fn probeOlder(checker: *Checker, older: *const MetaPage, newest: u64) Error!void {
        const before = checker.pages.detail.*;
        const ledger = checker.findLedger(&older.main) orelse {
            checker.pages.detail.* = before;
            return;
        };
        if (ledger.transaction <= newest) return;
        return checker.fail(older.page, "a meta page that is older than its tree");
    }

    /// The ledger of a tree that may be anything: the first entry of its first leaf.
    fn findLedger(checker: *Checker, tree: *const Tree) ?Ledger {
        if (tree.depth == 0 or tree.depth > depth_max) return null;
        var page = tree.root;
        for (0..tree.depth) |level| {
            if (page < 2 or page >= checker.pages.size / checker.pages.page_bytes) return null;
            const is_leaf = level + 1 == tree.depth;
            _ = checker.pages.readPage(page, 0, is_leaf, .main) catch return null;
            const node = nodeOf(checker.pages.buffer(0), 0, is_leaf).?;
            if (is_leaf) return Ledger.read(node.inner);
            page = node.child;
        }
        unreachable;
    }
};

const testing = std.testing;

/// The bytes of a small store: two levels, long values, free pages.
const TestImage = struct {
    bytes: []u8,
    fd: i32,
    ledger: Ledger,

    fn init(comptime StoreScratch: type) !TestImage {
        var scratch: StoreScratch = .init();
        defer scratch.directory.cleanup();
        try scratch.open();
        defer scratch.store.deinit();
        var name: [8]u8 = undefined;
        for (0..2) |version| {
            for (0..8) |index| {
                const key = try std.fmt.bufPrint(&name, "key/{d}", .{index});
                const value: [700]u8 = @splat(@intCast(16 * version + index));
                try scratch.put(key, &value);
            }
        }
        for (0..2) |version| {
            const value: [2030]u8 = @splat(@intCast(version));
            try scratch.put("long", &value);
        }
        const opened = (try scratch.store.place.openData(&scratch.detail)).?;
        defer _ = linux.close(opened.fd);
        const image: TestImage = .{
            .bytes = try testing.allocator.alloc(u8, opened.size),
            .fd = try std.posix.memfd_create("image", 0),
            .ledger = scratch.store.ledger,
        };
        const source: Pages = .{ .fd = opened.fd, .size = opened.size, .detail = undefined };
        try source.read(image.bytes, 0);
        image.write(0, image.bytes);
        return image;
    }

    fn deinit(image: TestImage) void {
        testing.allocator.free(image.bytes);
        _ = linux.close(image.fd);
    }

    fn write(image: TestImage, offset: usize, bytes: []const u8) void {
        _ = linux.pwrite(image.fd, bytes.ptr, bytes.len, @intCast(offset));
    }

    /// Checks the file with some bytes changed, and puts them back.
    fn checkWith(
        image: TestImage,
        offset: usize,
        bytes: []const u8,
        detail: *Detail,
    ) Error!Findings {
        image.write(offset, bytes);
        defer image.write(offset, image.bytes[offset..][0..bytes.len]);
        return check(image.fd, image.bytes.len, detail);
    }

    fn meta(image: TestImage, index: usize) MetaPage {
        var copy: MetaPage = undefined;
        const start = index * std.mem.readInt(u32, image.bytes[40..44], .little);
        @memcpy(std.mem.asBytes(&copy), image.bytes[start..][0..@sizeOf(MetaPage)]);
        return copy;
    }

    fn expectCorrupt(image: TestImage, page: usize, changed: *const MetaPage) !void {
        var detail: Detail = .{};
        const offset = page * changed.free.pad;
        const result = image.checkWith(offset, std.mem.asBytes(changed), &detail);
        try testing.expectError(error.Corrupt, result);
        try testing.expect(detail.name_bytes > 0);
    }
};

test "store check: whatever byte is changed, it finds the damage or the same content" {
    const image: TestImage = try .init(@import("../testing/store_scratch.zig").StoreScratch);
    defer image.deinit();
    var detail: Detail = .{};
    try testing.expectEqual(image.ledger, (try check(image.fd, image.bytes.len, &detail)).ledger);
    try testing.expectEqual(9, image.ledger.entries);
    var refused: usize = 0;
    for (image.bytes, 0..) |byte, offset| {
        const mask = @as(u8, 1) << @intCast((offset / 3) % 8);
        for ([_]u8{ byte ^ mask, byte ^ 0xff }) |changed| {
            const findings = image.checkWith(offset, &.{changed}, &detail) catch |err| {
                try testing.expectEqual(error.Corrupt, err);
                refused += 1;
                continue;
            };
            try testing.expectEqual(image.ledger, findings.ledger);
        }
    }
    try testing.expect(refused > 500);
}

test "store check: refuses every truncation that takes something away" {
    const image: TestImage = try .init(@import("../testing/store_scratch.zig").StoreScratch);
    defer image.deinit();
    var detail: Detail = .{};
    var size: usize = 0;
    while (size < image.bytes.len) : (size += 509) {
        _ = linux.ftruncate(image.fd, @intCast(size));
        const findings = check(image.fd, size, &detail) catch |err| {
            try testing.expectEqual(error.Corrupt, err);
            image.write(0, image.bytes);
            continue;
        };
        try testing.expectEqual(image.ledger, findings.ledger);
        image.write(0, image.bytes);
    }
}

test "store check: refuses meta pages that went back, and an older tree under a newer number" {
    const image: TestImage = try .init(@import("../testing/store_scratch.zig").StoreScratch);
    defer image.deinit();
    const index: usize = @intCast(image.ledger.transaction & 1);
    const newest, const older = .{ image.meta(index), image.meta(1 - index) };
    try testing.expectEqual(newest.transaction, older.transaction + 1);
    var changed = newest;
    changed.transaction -= 2; // The older page now is the newest, and its tree is sound.
    try image.expectCorrupt(index, &changed);
    changed = newest;
    changed.main = older.main;
    changed.free = older.free;
    try image.expectCorrupt(index, &changed);
    changed = older;
    changed.transaction += 2;
    try image.expectCorrupt(1 - index, &changed);
}

test "store check: refuses a page that is in use and free, in whichever order" {
    const image: TestImage = try .init(@import("../testing/store_scratch.zig").StoreScratch);
    defer image.deinit();
    var detail: Detail = .{};
    const newest = image.meta(@intCast(image.ledger.transaction & 1));
    const start = newest.free.root * newest.free.pad;
    const bytes = image.bytes[start..][0..newest.free.pad];
    const node = nodeOf(bytes, 0, true).?;
    try testing.expect(readWord(node.inner, 0) > 0);
    const first = @intFromPtr(node.inner.ptr) - @intFromPtr(bytes.ptr) + 8;
    const root = std.mem.asBytes(&newest.main.root);
    const result = image.checkWith(start + first, root, &detail);
    try testing.expectError(error.Corrupt, result);
    try testing.expectEqualStrings("a page that is used twice", detail.name[0..detail.name_bytes]);
}
