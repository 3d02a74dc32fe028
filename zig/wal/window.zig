//! Window: the bytes of a file from any place on, read ahead in large aligned parts.
//!
//! - As little as is asked for and one part more is held, so that what was just read is verified
//!   while the processor's cache still has it.
//! - What is held may be older than the file: `forget` makes the next look read again.
//! - A part that cannot be read (a bad sector) is tried page by page; pages that cannot be read are
//!   filled with a pattern that is neither zero nor a record, so that they are found as damage.
const std = @import("std");
const constants = @import("../constants.zig");
const scan = @import("scan.zig");
const Detail = @import("../detail.zig").Detail;

const page_bytes = constants.page_bytes;

/// Bytes of one reading: what a second-level cache holds.
const part_bytes = 256 * 1024;

/// The longest group, wherever it begins, and a part behind it.
const buffer_bytes = std.mem.alignForward(usize, scan.group_bytes_most, page_bytes) +
    2 * part_bytes;

const unreadable = 0xa5;

pub fn Window(comptime File: type) type {
    return struct {
        const Self = @This();

        buffer: []align(page_bytes) u8,
        file: File = undefined,
        /// Offset of the file's first byte in what it is a part of, a multiple of a sector.
        base: u64 = 0,
        /// Nothing is read from here on.
        end: u64 = 0,
        start: u64 = 0,
        held: usize = 0,
        unreadable_pages: u32 = 0,

        pub fn init() error{OutOfMemory}!Self {
            const alignment = comptime std.mem.Alignment.fromByteUnits(page_bytes);
            return .{
                .buffer = try std.heap.page_allocator.alignedAlloc(u8, alignment, buffer_bytes),
            };
        }

        pub fn deinit(window: *Self) void {
            std.heap.page_allocator.free(window.buffer);
        }

        /// Goes to another file, of which the bytes up to `end` are looked at.
        pub fn attach(window: *Self, file: File, base: u64, end: u64) void {
            window.file = file;
            window.base = base;
            window.end = end;
            window.unreadable_pages = 0;
            window.forget();
        }

        pub fn forget(window: *Self) void {
            window.start = 0;
            window.held = 0;
        }

        /// The bytes from `offset` on: `needed` at least, unless the file ends before.
        pub fn at(window: *Self, offset: u64, needed: usize) []const u8 {
            if (offset < window.base or offset >= window.end) return "";
            const wanted: usize = @intCast(@min(needed, window.end - offset));
            if (offset < window.start or offset > window.start + window.held) {
                window.start = alignDown(window, offset);
                window.held = 0;
            }
            while (window.start + window.held < offset + wanted) {
                window.makeRoom(offset);
                if (!window.readPart()) break;
            }
            const from: usize = @intCast(@min(offset - window.start, window.held));
            const to: usize = @intCast(@min(window.held, window.end - window.start));
            return window.buffer[from..@max(from, to)];
        }

        /// A place to read from: on a page of the file.
        fn alignDown(window: *const Self, offset: u64) u64 {
            return window.base + std.mem.alignBackward(u64, offset - window.base, page_bytes);
        }

        fn makeRoom(window: *Self, offset: u64) void {
            if (window.held + part_bytes <= window.buffer.len) return;
            const from: usize = @intCast(window.alignDown(offset) - window.start);
            const rest = window.buffer[from..window.held];
            @memmove(window.buffer[0..rest.len], rest);
            window.start += from;
            window.held = rest.len;
        }

        /// False at the end of the file.
        fn readPart(window: *Self) bool {
            const out = window.buffer[window.held..][0..part_bytes];
            const offset = window.start + window.held - window.base;
            var detail: Detail = .{};
            const count = window.file.readAt(out, offset, &detail) catch
                window.readPages(out, offset);
            window.held += count;
            return count == part_bytes;
        }

        fn readPages(window: *Self, out: []u8, offset: u64) usize {
            var detail: Detail = .{};
            var done: usize = 0;
            while (done < out.len) : (done += page_bytes) {
                const page = out[done..][0..page_bytes];
                const count = window.file.readAt(page, offset + done, &detail) catch {
                    if (window.base + offset + done >= window.end) return done;
                    @memset(page, unreadable);
                    window.unreadable_pages += 1;
                    continue;
                };
                if (count < page_bytes) return done + count;
            }
            return done;
        }
    };
}

const TestFile = struct {
    bytes: []const u8,
    bad_page: ?usize = null,

    fn readAt(file: TestFile, out: []u8, offset: u64, _: *Detail) error{Os}!usize {
        const from: usize = @intCast(@min(offset, file.bytes.len));
        const count = @min(out.len, file.bytes.len - from);
        if (file.bad_page) |page| {
            const bad = page * page_bytes;
            if (from <= bad and bad < from + count) return error.Os;
        }
        @memcpy(out[0..count], file.bytes[from..][0..count]);
        return count;
    }
};

test "wal window: any place of a file, a file that ends early, a page that cannot be read" {
    const allocator = std.testing.allocator;
    const bytes = try allocator.alloc(u8, 5 * buffer_bytes / 2 + 17);
    defer allocator.free(bytes);
    for (bytes, 0..) |*byte, i| byte.* = @truncate(i *% 31 +% (i >> 8));
    var window: Window(TestFile) = try .init();
    defer window.deinit();
    window.attach(.{ .bytes = bytes }, 1024, 1024 + bytes.len + 100);
    var random: std.Random.DefaultPrng = .init(1);
    for (0..2000) |_| {
        const offset = random.random().uintLessThan(usize, bytes.len + 200);
        const needed = random.random().uintLessThan(usize, scan.group_bytes_most);
        const found = window.at(1024 + offset, needed);
        const count = @min(needed, bytes.len -| offset);
        try std.testing.expect(found.len >= count);
        const expected = bytes[@min(offset, bytes.len)..][0..found.len];
        try std.testing.expect(std.mem.eql(u8, expected, found));
    }
    window.attach(.{ .bytes = bytes, .bad_page = 3 }, 0, bytes.len);
    try std.testing.expectEqual(bytes[100], window.at(100, 1)[0]);
    try std.testing.expectEqual(unreadable, window.at(3 * page_bytes + 5, 1)[0]);
    try std.testing.expectEqual(bytes[4 * page_bytes], window.at(4 * page_bytes, 1)[0]);
    try std.testing.expectEqual(1, window.unreadable_pages);
}
