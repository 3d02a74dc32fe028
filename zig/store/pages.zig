//! Store pages: LMDB's pages read with `pread`, and believed in nothing.
//!
//! LMDB maps its file and believes it: a wrong page number or offset makes it read or write where
//! it should not, or abort the process. What is read here is a private copy that is checked as far
//! as one page goes; what pages say of each other is checked in check.zig.
//!
//! Source: the structs of LMDB's mdb.c, "MDB_page", "MDB_node", "MDB_meta" (format 1, 64 bits).
const std = @import("std");
const linux = std.os.linux;
const constants = @import("../constants.zig");
const Detail = @import("../detail.zig").Detail;

pub const Error = error{ Corrupt, Os, OutOfMemory };

/// `MDB_db`: one tree.
pub const Tree = extern struct {
    /// Of the first tree, the bytes of a page.
    pad: u32,
    flags: u16,
    depth: u16,
    branch_pages: u64,
    leaf_pages: u64,
    overflow_pages: u64,
    entries: u64,
    root: u64,

    pub const no_root = std.math.maxInt(u64);
};

/// A meta page: `MDB_page`'s head, then `MDB_meta`.
pub const MetaPage = extern struct {
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
pub const node_is_big: u16 = 0x01;

/// Bytes of a file, at most. Arbitrary; offsets into it cannot overflow.
const size_max = 1 << 48;

/// Depth of a tree, at most: LMDB's cursors have no more.
pub const depth_max = 32;

pub const Kind = enum { free, main };

pub const Node = struct {
    flags: u16,
    key: []const u8,
    /// In a leaf: bytes of the value, wherever it is.
    value_bytes: u32,
    /// In a leaf: what stands in the page. In a branch: nothing.
    inner: []const u8,
    /// In a branch: page of the child.
    child: u64,
};

pub fn readWord(bytes: []const u8, offset: usize) u64 {
    return std.mem.readInt(u64, bytes[offset..][0..8], .little);
}

fn readHalf(bytes: []const u8, offset: usize) u16 {
    return std.mem.readInt(u16, bytes[offset..][0..2], .little);
}

/// Where a long value is: its pages, and the offset of its first byte in the file.
pub const Run = struct { first: u64, count: u64, offset: u64 };

/// The pages of one open file.
pub const Pages = struct {
    fd: i32,
    size: u64,
    /// Says after `Corrupt` where it is, as `offset`, and what is wrong, as the name.
    detail: *Detail,
    page_bytes: u32 = 0,
    /// Pages up to the last one in use.
    count: u64 = 0,
    /// Number of the newest transaction.
    transaction: u64 = 0,
    /// One page for each level of a tree.
    buffers: []u8 = &.{},

    pub fn fail(pages: *const Pages, page: u64, what: []const u8) Error {
        pages.detail.offset = @floatFromInt(page *| pages.page_bytes);
        pages.detail.setName(what);
        return error.Corrupt;
    }

    pub fn read(pages: *const Pages, out: []u8, offset: u64) Error!void {
        var done: usize = 0;
        while (done < out.len) {
            const at: i64 = @intCast(offset + done);
            const rc = linux.pread(pages.fd, out.ptr + done, out.len - done, at);
            switch (linux.errno(rc)) {
                .SUCCESS => {},
                .INTR => continue,
                else => |errno| {
                    pages.detail.errno = @intFromEnum(errno);
                    return error.Os;
                },
            }
            if (rc == 0) {
                const page = if (pages.page_bytes == 0) 0 else offset / pages.page_bytes;
                return pages.fail(page, "the end of the file");
            }
            done += rc;
        }
    }

    /// The newest meta page and the other one.
    pub fn readMetas(pages: *Pages) Error!struct { MetaPage, MetaPage } {
        var metas: [2]MetaPage = undefined;
        try pages.read(std.mem.asBytes(&metas[0]), 0);
        if (!metas[0].isSound(0)) return pages.fail(0, "a wrong meta page");
        pages.page_bytes = metas[0].free.pad;
        try pages.read(std.mem.asBytes(&metas[1]), pages.page_bytes);
        if (!metas[1].isSound(1) or metas[1].free.pad != pages.page_bytes) {
            return pages.fail(1, "a wrong meta page");
        }
        const index: usize = @intFromBool(metas[1].transaction > metas[0].transaction);
        const newest, const older = .{ metas[index], metas[1 - index] };
        if (newest.transaction -% older.transaction != 1) {
            return pages.fail(index, "meta pages that do not follow each other");
        }
        // A page is in the file or listed as free there, by 8 bytes.
        const last_page = newest.last_page;
        if (pages.size > size_max or last_page < 1 or last_page >= pages.size / 8) {
            return pages.fail(index, "a wrong number of pages");
        }
        pages.count = newest.last_page + 1;
        pages.transaction = newest.transaction;
        return .{ newest, older };
    }

    /// Makes room for one page of each level. After `readMetas`.
    pub fn allocate(pages: *Pages) Error!void {
        pages.buffers = try std.heap.c_allocator.alloc(u8, depth_max * pages.page_bytes);
    }

    pub fn free(pages: *Pages) void {
        std.heap.c_allocator.free(pages.buffers);
    }

    pub fn buffer(pages: *const Pages, level: u32) []u8 {
        return pages.buffers[level * pages.page_bytes ..][0..pages.page_bytes];
    }

    /// Reads a page and checks its head and where its nodes lie. Returns how many it has.
    pub fn readPage(
        pages: *Pages,
        page: u64,
        level: u32,
        is_leaf: bool,
        kind: Kind,
    ) Error!usize {
        const bytes = pages.buffer(level);
        try pages.read(bytes, page * pages.page_bytes);
        const flags: u16 = if (is_leaf) PageFlags.leaf else PageFlags.branch;
        if (readWord(bytes, 0) != page or readHalf(bytes, 10) != flags) {
            return pages.fail(page, "another page");
        }
        const lower, const upper = .{ readHalf(bytes, 12), readHalf(bytes, 14) };
        if (lower < page_head_bytes or lower & 1 != 0 or lower > upper or upper > bytes.len) {
            return pages.fail(page, "wrong bounds of a page");
        }
        const count = (lower - page_head_bytes) / 2;
        const least: usize = if (!is_leaf and kind == .main) 2 else 1;
        if (count < least) return pages.fail(page, "too few nodes");
        var taken: std.StaticBitSet(page_bytes_max / 2) = .initEmpty();
        var total: usize = 0;
        for (0..count) |index| {
            const start: usize = readHalf(bytes, page_head_bytes + 2 * index);
            const node = if (start < upper) null else nodeOf(bytes, index, is_leaf);
            const found = node orelse return pages.fail(page, "a node outside of its page");
            const size = node_head_bytes + found.key.len + found.inner.len;
            const end = start + std.mem.alignForward(usize, size, 2);
            if (end > bytes.len) return pages.fail(page, "a node outside of its page");
            taken.setRangeValue(.{ .start = start / 2, .end = end / 2 }, true);
            total += end - start;
        }
        if (total != bytes.len - upper or taken.count() * 2 != total) {
            return pages.fail(page, "nodes that overlap");
        }
        return count;
    }

    /// Finds the pages of a long value, wherever they are said to be.
    pub fn runOf(pages: *const Pages, page: u64, node: *const Node) Error!Run {
        const first = readWord(node.inner, 0);
        if (first < 2 or first >= pages.count) {
            return pages.fail(page, "a page beyond the last one");
        }
        var head: [page_head_bytes]u8 = undefined;
        try pages.read(&head, first * pages.page_bytes);
        if (readWord(&head, 0) != first or readHalf(&head, 10) != PageFlags.overflow) {
            return pages.fail(first, "another page");
        }
        const count = std.mem.readInt(u32, head[12..16], .little);
        const needed = (page_head_bytes - 1 + @as(u64, node.value_bytes)) / pages.page_bytes + 1;
        if (count < needed) return pages.fail(first, "too few pages of a value");
        if ((first + needed) * pages.page_bytes > pages.size) {
            return pages.fail(first, "the end of the file");
        }
        const offset = first * pages.page_bytes + page_head_bytes;
        return .{ .first = first, .count = count, .offset = offset };
    }

    /// Checks the size of a key.
    pub fn checkKeySize(pages: *const Pages, kind: Kind, page: u64, key: []const u8) Error!void {
        const is_right = switch (kind) {
            .free => key.len == 8,
            .main => key.len > 0 and key.len <= constants.store_key_bytes_max,
        };
        if (!is_right) return pages.fail(page, "a wrong key");
    }
};

/// A node of a page, or null if it is not within that page.
pub fn nodeOf(bytes: []const u8, index: usize, is_leaf: bool) ?Node {
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
