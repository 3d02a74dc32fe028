//! Store check: whether data.mdb is sound, before LMDB maps it.
//!
//! LMDB believes its file: a wrong page number or offset makes it read or write where it should
//! not, or abort the process. This walk reads the file with `pread` and believes nothing. It proves
//! of the newest transaction:
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
//! What it cannot do: protect from damage that is done while the store is open.
//!
//! Source: the structs of LMDB's mdb.c, "MDB_page", "MDB_node", "MDB_meta" (format 1, 64 bits).
const std = @import("std");
const linux = std.os.linux;
const constants = @import("constants.zig");
const store_entry = @import("store_entry.zig");
const Detail = @import("detail.zig").Detail;
const Ledger = store_entry.Ledger;

pub const Error = error{ Corrupt, Os, OutOfMemory };

/// `MDB_db`: one tree.
const Tree = extern struct {
    /// Of the first tree, the bytes of a page.
    pad: u32,
    flags: u16,
    depth: u16,
    branch_pages: u64,
    leaf_pages: u64,
    overflow_pages: u64,
    entries: u64,
    root: u64,

    const no_root = std.math.maxInt(u64);
};

/// A meta page: `MDB_page`'s head, then `MDB_meta`.
const MetaPage = extern struct {
    page: u64,
    pad: u16,
    page_flags: u16,
    reserved_0: u32,
    magic: u32,
    version: u32,
    address: u64,
    map_bytes: u64,
    free: Tree,
    main: Tree,
    last_page: u64,
    transaction: u64,

    comptime {
        std.debug.assert(@sizeOf(MetaPage) == 16 + 136);
        std.debug.assert(@offsetOf(MetaPage, "last_page") == 136);
    }

    const magic_word = 0xbeefc0de;
    const format = 1;
    const integer_keys = 0x08;

    fn isSound(meta: *const MetaPage, index: usize) bool {
        return meta.page == index and meta.page_flags == PageFlags.meta and
            meta.magic == magic_word and meta.version == format and
            meta.free.flags == integer_keys and meta.main.flags == 0 and
            meta.transaction & 1 == index and
            std.math.isPowerOfTwo(meta.free.pad) and
            meta.free.pad >= page_bytes_min and meta.free.pad <= page_bytes_max;
    }
};

const page_bytes_min = 512;
const page_bytes_max = 0x8000;

const PageFlags = struct {
    const branch: u16 = 0x01;
    const leaf: u16 = 0x02;
    const overflow: u16 = 0x04;
    const meta: u16 = 0x08;
};

const page_head_bytes = 16;
const node_head_bytes = 8;

/// The value's bytes are in pages of their own.
const node_is_big: u16 = 0x01;

/// Bytes of a file, at most. Arbitrary; offsets into it cannot overflow.
const size_max = 1 << 48;

/// Depth of a tree, at most: LMDB's cursors have no more.
const depth_max = 32;

const Kind = enum { free, main };

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
    var checker: Checker = .{ .fd = fd, .size = size, .detail = detail };
    const newest, const older = try checker.readMetas();
    try checker.allocate();
    defer checker.free();
    var main: Walk = .{ .kind = .main, .tree = newest.main };
    try checker.walk(&main);
    var free: Walk = .{ .kind = .free, .tree = newest.free };
    try checker.walk(&free);
    const ledger = main.ledger orelse return checker.fail(0, "no ledger");
    if (ledger.transaction != newest.transaction) return checker.fail(0, "another ledger");
    if (ledger.entries != main.found.entries or ledger.sum != main.found.sum) {
        return checker.fail(0, "entries that are not those of the ledger");
    }
    try checker.probeOlder(&older, newest.transaction);
    return .{ .ledger = ledger, .page_bytes = checker.page_bytes, .pages = newest.last_page + 1 };
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

const Node = struct {
    flags: u16,
    key: []const u8,
    /// In a leaf: bytes of the value, wherever it is.
    value_bytes: u32,
    /// In a leaf: what stands in the page. In a branch: nothing.
    inner: []const u8,
    /// In a branch: page of the child.
    child: u64,
};

fn readWord(bytes: []const u8, offset: usize) u64 {
    return std.mem.readInt(u64, bytes[offset..][0..8], .little);
}

fn readHalf(bytes: []const u8, offset: usize) u16 {
    return std.mem.readInt(u16, bytes[offset..][0..2], .little);
}

const Checker = struct {
    fd: i32,
    size: u64,
    detail: *Detail,
    page_bytes: u32 = 0,
    pages: u64 = 0,
    transaction: u64 = 0,
    /// One page for each level of a tree.
    buffers: []u8 = &.{},
    used: std.DynamicBitSetUnmanaged = .{},

    const allocator = std.heap.c_allocator;

    fn fail(checker: *const Checker, page: u64, what: []const u8) Error {
        checker.detail.offset = @floatFromInt(page *| checker.page_bytes);
        checker.detail.setName(what);
        return error.Corrupt;
    }

    fn read(checker: *const Checker, out: []u8, offset: u64) Error!void {
        var done: usize = 0;
        while (done < out.len) {
            const at: i64 = @intCast(offset + done);
            const rc = linux.pread(checker.fd, out.ptr + done, out.len - done, at);
            switch (linux.errno(rc)) {
                .SUCCESS => {},
                .INTR => continue,
                else => |errno| {
                    checker.detail.errno = @intFromEnum(errno);
                    return error.Os;
                },
            }
            if (rc == 0) {
                const page = if (checker.page_bytes == 0) 0 else offset / checker.page_bytes;
                return checker.fail(page, "the end of the file");
            }
            done += rc;
        }
    }

    /// The newest meta page and the other one.
    fn readMetas(checker: *Checker) Error!struct { MetaPage, MetaPage } {
        var metas: [2]MetaPage = undefined;
        try checker.read(std.mem.asBytes(&metas[0]), 0);
        if (!metas[0].isSound(0)) return checker.fail(0, "a wrong meta page");
        checker.page_bytes = metas[0].free.pad;
        try checker.read(std.mem.asBytes(&metas[1]), checker.page_bytes);
        if (!metas[1].isSound(1) or metas[1].free.pad != checker.page_bytes) {
            return checker.fail(1, "a wrong meta page");
        }
        const index: usize = @intFromBool(metas[1].transaction > metas[0].transaction);
        const newest, const older = .{ metas[index], metas[1 - index] };
        if (newest.transaction -% older.transaction != 1) {
            return checker.fail(index, "meta pages that do not follow each other");
        }
        // A page is in the file or listed as free there, by 8 bytes.
        const last_page = newest.last_page;
        if (checker.size > size_max or last_page < 1 or last_page >= checker.size / 8) {
            return checker.fail(index, "a wrong number of pages");
        }
        checker.pages = newest.last_page + 1;
        checker.transaction = newest.transaction;
        return .{ newest, older };
    }

    fn allocate(checker: *Checker) Error!void {
        checker.buffers = try allocator.alloc(u8, depth_max * checker.page_bytes);
        errdefer allocator.free(checker.buffers);
        checker.used = try .initEmpty(allocator, checker.pages);
    }

    fn free(checker: *Checker) void {
        allocator.free(checker.buffers);
        checker.used.deinit(allocator);
    }

    fn buffer(checker: *const Checker, level: u32) []u8 {
        return checker.buffers[level * checker.page_bytes ..][0..checker.page_bytes];
    }

    /// Marks pages as used, which may not be so yet.
    fn take(checker: *Checker, page: u64, count: u64) Error!void {
        if (page < 2 or page >= checker.pages or count > checker.pages - page) {
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
        const count = try checker.readPage(page, level, is_leaf, walked.kind);
        if (is_leaf) walked.leaf_pages += 1 else walked.branch_pages += 1;
        const bytes = checker.buffer(level);
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
                    try checker.checkKeySize(walked.kind, page, bounds.end.?);
                }
                try checker.walkPage(walked, node.child, level + 1, bounds);
            }
            before = key;
        }
    }

    fn checkKeySize(checker: *Checker, kind: Kind, page: u64, key: []const u8) Error!void {
        const is_right = switch (kind) {
            .free => key.len == 8,
            .main => key.len > 0 and key.len <= constants.store_key_bytes_max,
        };
        if (!is_right) return checker.fail(page, "a wrong key");
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
        try checker.checkKeySize(walked.kind, page, key);
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

    /// Reads a page and checks its head and where its nodes lie. Returns how many it has.
    fn readPage(
        checker: *Checker,
        page: u64,
        level: u32,
        is_leaf: bool,
        kind: Kind,
    ) Error!usize {
        const bytes = checker.buffer(level);
        try checker.read(bytes, page * checker.page_bytes);
        const flags: u16 = if (is_leaf) PageFlags.leaf else PageFlags.branch;
        if (readWord(bytes, 0) != page or readHalf(bytes, 10) != flags) {
            return checker.fail(page, "another page");
        }
        const lower, const upper = .{ readHalf(bytes, 12), readHalf(bytes, 14) };
        if (lower < page_head_bytes or lower & 1 != 0 or lower > upper or upper > bytes.len) {
            return checker.fail(page, "wrong bounds of a page");
        }
        const count = (lower - page_head_bytes) / 2;
        const least: usize = if (!is_leaf and kind == .main) 2 else 1;
        if (count < least) return checker.fail(page, "too few nodes");
        var taken: std.StaticBitSet(page_bytes_max / 2) = .initEmpty();
        var total: usize = 0;
        for (0..count) |index| {
            const start: usize = readHalf(bytes, page_head_bytes + 2 * index);
            const node = if (start < upper) null else nodeOf(bytes, index, is_leaf);
            const found = node orelse return checker.fail(page, "a node outside of its page");
            const size = node_head_bytes + found.key.len + found.inner.len;
            const end = start + std.mem.alignForward(usize, size, 2);
            if (end > bytes.len) return checker.fail(page, "a node outside of its page");
            taken.setRangeValue(.{ .start = start / 2, .end = end / 2 }, true);
            total += end - start;
        }
        if (total != bytes.len - upper or taken.count() * 2 != total) {
            return checker.fail(page, "nodes that overlap");
        }
        return count;
    }

    fn checkEntry(checker: *Checker, walked: *Walk, page: u64, node: *const Node) Error!void {
        walked.entries += 1;
        if (node.flags & ~node_is_big != 0) return checker.fail(page, "a wrong node");
        const is_big = node.flags & node_is_big != 0;
        const start: ?u64 = if (is_big) try checker.checkRun(walked, page, node) else null;
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
            try checker.read(&last, offset + node.value_bytes - last.len);
            break :trailer store_entry.trailerOf(&last).?;
        } else store_entry.trailerOf(node.inner).?;
        walked.found.add(node.key, trailer);
    }

    /// Checks the pages of a long value. Returns the offset of its first byte.
    fn checkRun(checker: *Checker, walked: *Walk, page: u64, node: *const Node) Error!u64 {
        const run = readWord(node.inner, 0);
        if (run < 2 or run >= checker.pages) {
            return checker.fail(page, "a page beyond the last one");
        }
        var head: [page_head_bytes]u8 = undefined;
        try checker.read(&head, run * checker.page_bytes);
        if (readWord(&head, 0) != run or readHalf(&head, 10) != PageFlags.overflow) {
            return checker.fail(run, "another page");
        }
        const count = std.mem.readInt(u32, head[12..16], .little);
        const needed = (page_head_bytes - 1 + @as(u64, node.value_bytes)) / checker.page_bytes + 1;
        if (count < needed) return checker.fail(run, "too few pages of a value");
        try checker.take(run, count);
        if ((run + needed) * checker.page_bytes > checker.size) {
            return checker.fail(run, "the end of the file");
        }
        walked.overflow_pages += count;
        return run * checker.page_bytes + page_head_bytes;
    }

    /// Checks a list of free pages: how many, then their numbers, falling.
    fn checkFree(checker: *Checker, page: u64, node: *const Node, start: ?u64) Error!void {
        const key = readWord(node.key, 0);
        const words = node.value_bytes / 8;
        if (key == 0 or key > checker.transaction or words == 0 or node.value_bytes % 8 != 0) {
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
                try checker.read(bytes, offset + 8 * at);
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
        const before = checker.detail.*;
        const ledger = checker.findLedger(&older.main) orelse {
            checker.detail.* = before;
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
            if (page < 2 or page >= checker.size / checker.page_bytes) return null;
            const is_leaf = level + 1 == tree.depth;
            _ = checker.readPage(page, 0, is_leaf, .main) catch return null;
            const node = nodeOf(checker.buffer(0), 0, is_leaf).?;
            if (is_leaf) return Ledger.read(node.inner);
            page = node.child;
        }
        unreachable;
    }
};

/// A node of a page, or null if it is not within that page.
fn nodeOf(bytes: []const u8, index: usize, is_leaf: bool) ?Node {
    const start: usize = readHalf(bytes, page_head_bytes + 2 * index);
    if (start & 1 != 0 or start + node_head_bytes > bytes.len) return null;
    const low: u64 = readHalf(bytes, start);
    const high: u64 = readHalf(bytes, start + 2);
    const flags = readHalf(bytes, start + 4);
    const key_start = start + node_head_bytes;
    const key_end = key_start + readHalf(bytes, start + 6);
    const value_bytes: u32 = @intCast(high << 16 | low);
    const inner_bytes: usize =
        if (!is_leaf) 0 else if (flags & node_is_big != 0) 8 else value_bytes;
    const end = key_end + inner_bytes;
    if (end > bytes.len) return null;
    return .{
        .flags = flags,
        .key = bytes[key_start..key_end],
        .value_bytes = value_bytes,
        .inner = bytes[key_end..end],
        .child = @as(u64, flags) << 32 | high << 16 | low,
    };
}

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
        const source: Checker = .{ .fd = opened.fd, .size = opened.size, .detail = undefined };
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
    const image: TestImage = try .init(@import("testing/store_scratch.zig").StoreScratch);
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
    const image: TestImage = try .init(@import("testing/store_scratch.zig").StoreScratch);
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
    const image: TestImage = try .init(@import("testing/store_scratch.zig").StoreScratch);
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
    const image: TestImage = try .init(@import("testing/store_scratch.zig").StoreScratch);
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
