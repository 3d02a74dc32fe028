//! A disk in memory in the place of wal/disk.zig, which loses, spoils and refuses as its seed says.
//!
//! - A file has what the page cache shows and what the device has. A write changes the cache and
//!   makes its sectors dirty; `File.sync` brings the dirty ones to the device.
//! - Names change at once for everybody and on the device with `Directory.sync`.
//! - `crash` is a host without power: each dirty sector is then new, old, garbage or zero, each
//!   name operation has happened or not, whatever the others did. The cache begins anew.
//! - A sync that fails leaves some of the dirty sectors on the device. The others are no longer
//!   dirty although the cache shows them: the next sync succeeds without them.
//! - Reading past the cache shows the dirty sectors too, as the kernel writes them out first. That
//!   makes them no more durable: what is not synced, the device may have in its own memory.
//! - `halt` makes one call, and all after it, fail half done: the process is dead from there on.
const std = @import("std");
const assert = std.debug.assert;
const real = @import("../wal/disk.zig");
const Detail = @import("../detail.zig").Detail;

pub const Error = real.Error;
pub const Mode = real.Mode;

pub const sector_bytes = 512;
pub const page_bytes = 4096;
pub const file_bytes_max = 32 * 1024;
const sectors_max = file_bytes_max / sector_bytes;
const page_sectors = page_bytes / sector_bytes;
const inodes_max = 48;
const name_bytes_max = 48;
const operations_max = 96;

const Sectors = std.StaticBitSet(sectors_max);

pub const Inode = struct {
    opens: u32 = 0,
    size: usize = 0,
    device_size: usize = 0,
    /// Bytes behind which all is zero.
    touched: usize = file_bytes_max,
    dirty: Sectors = .initEmpty(),
    cached: [file_bytes_max]u8 align(page_bytes) = undefined,
    device: [file_bytes_max]u8 align(page_bytes) = undefined,

    fn reset(inode: *Inode) void {
        inode.opens = 0;
        inode.size = 0;
        inode.device_size = 0;
        inode.dirty = .initEmpty();
        @memset(inode.cached[0..inode.touched], 0);
        @memset(inode.device[0..inode.touched], 0);
        inode.touched = 0;
    }

    fn touch(inode: *Inode, end: usize) void {
        inode.touched = @max(inode.touched, std.mem.alignForward(usize, end, sector_bytes));
    }

    fn readDevice(inode: *Inode) void {
        @memcpy(inode.cached[0..inode.touched], inode.device[0..inode.touched]);
    }

    pub fn resize(inode: *Inode, size: usize) void {
        inode.touch(size);
        inode.size = size;
    }

    /// Whether the device has all that everybody sees.
    pub fn isDurable(inode: *const Inode) bool {
        const size = inode.touched;
        return inode.dirty.count() == 0 and inode.size == inode.device_size and
            std.mem.eql(u8, inode.cached[0..size], inode.device[0..size]);
    }

    fn isStale(inode: *const Inode, sector: usize) bool {
        const from = sector * sector_bytes;
        const cached = inode.cached[from..][0..sector_bytes];
        return !std.mem.eql(u8, cached, inode.device[from..][0..sector_bytes]);
    }
};

/// A name, and the number of its inode.
pub const Name = struct {
    buffer: [name_bytes_max]u8,
    bytes: u8,
    inode: u8,

    fn init(name: []const u8, inode: u8) Name {
        assert(name.len <= name_bytes_max);
        var made: Name = .{ .buffer = undefined, .bytes = @intCast(name.len), .inode = inode };
        @memcpy(made.buffer[0..name.len], name);
        return made;
    }

    pub fn text(name: *const Name) []const u8 {
        return name.buffer[0..name.bytes];
    }
};

/// What a directory lists.
pub const Names = struct {
    items: [inodes_max]Name = undefined,
    count: usize = 0,

    pub fn slice(names: *const Names) []const Name {
        return names.items[0..names.count];
    }

    fn find(names: *const Names, name: []const u8) ?usize {
        for (names.slice(), 0..) |*item, i| if (std.mem.eql(u8, item.text(), name)) return i;
        return null;
    }

    fn put(names: *Names, name: Name) void {
        const i = names.find(name.text()) orelse names.count;
        names.items[i] = name;
        if (i == names.count) names.count += 1;
    }

    fn remove(names: *Names, name: Name) void {
        const i = names.find(name.text()) orelse return;
        if (names.items[i].inode != name.inode) return;
        names.count -= 1;
        names.items[i] = names.items[names.count];
    }

    fn apply(names: *Names, operation: Operation) void {
        if (operation.removes) |name| names.remove(name);
        if (operation.puts) |name| names.put(name);
    }

    fn has(names: *const Names, inode: u8) bool {
        for (names.slice()) |item| if (item.inode == inode) return true;
        return false;
    }
};

const Operation = struct { removes: ?Name = null, puts: ?Name = null };

/// What goes wrong.
pub const Fault = enum { none, full, write, sync, halt };

/// When: at the first fitting call after `skip` others, and `repeats` times from there.
pub const Plan = struct { fault: Fault = .none, skip: u32 = 0, repeats: u32 = 1 };

/// How a crash treats what was not durable.
pub const Loss = enum { nothing, everything, mixed };

pub const Disk = struct {
    random: std.Random.DefaultPrng = .init(0),
    plan: Plan = .{},
    /// Whether the plan's fault has struck since it was made.
    has_struck: bool = false,
    is_halted: bool = false,
    /// Calls that would have changed something.
    changes: u64 = 0,
    names: Names = .{},
    device_names: Names = .{},
    operations: [operations_max]Operation = undefined,
    operations_count: usize = 0,
    inodes: [inodes_max]Inode,
    used: std.StaticBitSet(inodes_max) = .initEmpty(),

    /// Must be followed by `reset`.
    pub fn init(disk: *Disk) void {
        disk.* = .{ .inodes = undefined };
        for (&disk.inodes) |*inode| inode.touched = file_bytes_max;
    }

    /// Empties it. Costs little.
    pub fn reset(disk: *Disk, seed: u64) void {
        disk.random = .init(seed);
        disk.setPlan(.{});
        disk.changes = 0;
        disk.names.count = 0;
        disk.device_names.count = 0;
        disk.operations_count = 0;
        disk.used = .initEmpty();
    }

    pub fn setPlan(disk: *Disk, plan: Plan) void {
        disk.plan = plan;
        disk.has_struck = false;
        disk.is_halted = false;
    }

    pub fn directory(disk: *Disk) Directory {
        return .{ .disk = disk };
    }

    /// The inode of that name, as everybody sees it.
    pub fn find(disk: *Disk, name: []const u8) ?*Inode {
        const i = disk.names.find(name) orelse return null;
        return &disk.inodes[disk.names.items[i].inode];
    }

    pub fn opens(disk: *const Disk) u32 {
        var count: u32 = 0;
        var it = disk.used.iterator(.{});
        while (it.next()) |i| count += disk.inodes[i].opens;
        return count;
    }

    fn coin(disk: *Disk) bool {
        return disk.random.random().boolean();
    }

    /// Whether a fault of this call strikes.
    fn strikes(disk: *Disk, kind: Fault) bool {
        if (disk.plan.fault != kind or disk.plan.repeats == 0) return false;
        if (disk.plan.skip > 0) {
            disk.plan.skip -= 1;
            return false;
        }
        disk.plan.repeats -= 1;
        disk.has_struck = true;
        return true;
    }

    /// Begins a call that changes something. True if the process dies in it.
    fn begin(disk: *Disk) Error!bool {
        if (disk.is_halted) return error.Os;
        disk.changes += 1;
        if (!disk.strikes(.halt)) return false;
        disk.is_halted = true;
        return true;
    }

    /// Begins a call that changes nothing.
    fn look(disk: *Disk) Error!void {
        if (!disk.is_halted and disk.strikes(.halt)) disk.is_halted = true;
        if (disk.is_halted) return error.Os;
    }

    fn newInode(disk: *Disk) u8 {
        for (0..inodes_max) |i| {
            if (disk.used.isSet(i) and disk.isNeeded(@intCast(i))) continue;
            disk.used.set(i);
            disk.inodes[i].reset();
            return @intCast(i);
        }
        @panic("fault disk: too many files");
    }

    fn isNeeded(disk: *const Disk, inode: u8) bool {
        if (disk.inodes[inode].opens > 0 or disk.names.has(inode)) return true;
        if (disk.device_names.has(inode)) return true;
        for (disk.operations[0..disk.operations_count]) |operation| {
            if (operation.puts) |name| if (name.inode == inode) return true;
        }
        return false;
    }

    fn perform(disk: *Disk, operation: Operation) void {
        disk.names.apply(operation);
        assert(disk.operations_count < operations_max);
        disk.operations[disk.operations_count] = operation;
        disk.operations_count += 1;
    }

    /// The power is cut and comes back. Nobody may have a file open.
    pub fn crash(disk: *Disk, loss: Loss) void {
        disk.setPlan(.{});
        for (disk.operations[0..disk.operations_count]) |operation| {
            if (disk.survives(loss)) disk.device_names.apply(operation);
        }
        disk.operations_count = 0;
        disk.names = disk.device_names;
        var it = disk.used.iterator(.{});
        while (it.next()) |i| {
            assert(disk.inodes[i].opens == 0);
            if (disk.names.has(@intCast(i))) disk.crashInode(&disk.inodes[i], loss);
        }
    }

    fn survives(disk: *Disk, loss: Loss) bool {
        return switch (loss) {
            .nothing => true,
            .everything => false,
            .mixed => disk.coin(),
        };
    }

    fn crashInode(disk: *Disk, inode: *Inode, loss: Loss) void {
        var it = inode.dirty.iterator(.{});
        while (it.next()) |sector| disk.crashSector(inode, sector, loss);
        inode.dirty = .initEmpty();
        if (disk.survives(loss)) inode.device_size = inode.size;
        inode.size = inode.device_size;
        if (inode.size < inode.touched) @memset(inode.device[inode.size..inode.touched], 0);
        inode.readDevice();
    }

    fn crashSector(disk: *Disk, inode: *Inode, sector: usize, loss: Loss) void {
        const random = disk.random.random();
        const from = sector * sector_bytes;
        const old = inode.device[from..][0..sector_bytes];
        const new = inode.cached[from..][0..sector_bytes];
        const Fate = enum { new, old, zero, noise, torn };
        const fate: Fate = switch (loss) {
            .nothing => .new,
            .everything => .old,
            .mixed => random.enumValue(Fate),
        };
        switch (fate) {
            .new => @memcpy(old, new),
            .old => {},
            .zero => @memset(old, 0),
            .noise => random.bytes(old),
            .torn => {
                const at = random.uintLessThan(usize, sector_bytes);
                @memcpy(old[0..at], new[0..at]);
            },
        }
    }

    /// Makes what everybody sees what the device has: for damage that a test does.
    pub fn flush(disk: *Disk) void {
        var it = disk.used.iterator(.{});
        while (it.next()) |i| {
            const inode = &disk.inodes[i];
            inode.dirty = .initEmpty();
            inode.device_size = inode.size;
            @memcpy(inode.device[0..inode.touched], inode.cached[0..inode.touched]);
        }
        disk.operations_count = 0;
        disk.device_names = disk.names;
    }
};

pub const File = struct {
    disk: *Disk,
    inode: *Inode,
    mode: Mode,

    pub fn close(opened: File) void {
        assert(opened.inode.opens > 0);
        opened.inode.opens -= 1;
    }

    pub fn size(opened: File, _: *Detail) Error!u64 {
        return opened.inode.size;
    }

    fn isDirect(opened: File) bool {
        return opened.mode == .read_direct or opened.mode == .write_direct;
    }

    pub fn readAt(opened: File, buffer: []u8, offset: u64, _: *Detail) Error!usize {
        try opened.disk.look();
        const inode = opened.inode;
        if (offset >= inode.size) return 0;
        const count = @min(buffer.len, inode.size - offset);
        const cached = inode.cached[offset..][0..count];
        if (!opened.isDirect()) {
            @memcpy(buffer[0..count], cached);
            return count;
        }
        checkDirect(buffer.ptr, buffer.len, offset);
        @memcpy(buffer[0..count], inode.device[offset..][0..count]);
        var it = inode.dirty.iterator(.{});
        while (it.next()) |sector| {
            const from = sector * sector_bytes;
            if (from < offset or from - offset >= count) continue;
            const at = from - offset;
            const end = @min(at + sector_bytes, count);
            @memcpy(buffer[at..end], cached[at..end]);
        }
        return count;
    }

    fn checkDirect(pointer: [*]const u8, bytes: usize, offset: u64) void {
        assert(std.mem.isAligned(@intFromPtr(pointer), page_bytes));
        assert(bytes % page_bytes == 0 and offset % page_bytes == 0);
    }

    pub fn writeAt(
        opened: File,
        parts: []const []const u8,
        offset: u64,
        _: *Detail,
    ) Error!void {
        assert(opened.mode == .write or opened.mode == .write_direct);
        var total: usize = 0;
        for (parts) |part| {
            if (opened.isDirect()) checkDirect(part.ptr, part.len, offset);
            total += part.len;
        }
        const disk = opened.disk;
        const err: ?Error = if (try disk.begin())
            error.Os
        else if (disk.strikes(.full))
            error.NoSpace
        else if (disk.strikes(.write)) error.Os else null;
        // The kernel takes a part of it before it refuses.
        const taken = if (err == null) total else disk.random.random().uintAtMost(usize, total);
        opened.put(parts, offset, taken);
        if (err) |found| return found;
    }

    fn put(opened: File, parts: []const []const u8, offset: u64, bytes: usize) void {
        if (bytes == 0) return;
        const inode = opened.inode;
        assert(offset + bytes <= file_bytes_max);
        var at: usize = offset;
        const end = at + bytes;
        for (parts) |part| {
            const count = @min(part.len, end - at);
            @memcpy(inode.cached[at..][0..count], part[0..count]);
            at += count;
        }
        inode.resize(@max(inode.size, end));
        const first = offset / sector_bytes;
        const last = (end - 1) / sector_bytes;
        inode.dirty.setRangeValue(.{ .start = first, .end = last + 1 }, true);
        // The page cache knows pages: what else of them it shows and the device has not goes along.
        const from = first / page_sectors * page_sectors;
        for (from..(last / page_sectors + 1) * page_sectors) |sector| {
            if (!inode.dirty.isSet(sector) and inode.isStale(sector)) inode.dirty.set(sector);
        }
    }

    pub fn sync(opened: File, detail: *Detail) Error!void {
        const disk = opened.disk;
        const inode = opened.inode;
        const is_dying = try disk.begin();
        const fails = is_dying or disk.strikes(.sync);
        var it = inode.dirty.iterator(.{});
        while (it.next()) |sector| {
            if (fails and disk.coin()) continue;
            const from = sector * sector_bytes;
            @memcpy(inode.device[from..][0..sector_bytes], inode.cached[from..][0..sector_bytes]);
            if (is_dying) inode.dirty.unset(sector);
        }
        if (is_dying) return error.Os; // The others are written later, or lost.
        inode.dirty = .initEmpty();
        inode.device_size = inode.size;
        if (!fails) return;
        detail.errno = @intFromEnum(std.os.linux.E.IO);
        return error.Os;
    }

    pub fn allocate(opened: File, bytes: u64, _: *Detail) Error!void {
        assert(bytes <= file_bytes_max);
        if (try opened.disk.begin()) return error.Os;
        if (opened.disk.strikes(.full)) return error.NoSpace;
        opened.inode.resize(@max(opened.inode.size, bytes));
    }

    /// Drops some of what is clean: the kernel promises nothing.
    pub fn forgetCache(opened: File) void {
        const inode = opened.inode;
        for (0..sectors_max / page_sectors) |page| {
            const from = page * page_sectors;
            const is_dirty = for (from..from + page_sectors) |sector| {
                if (inode.dirty.isSet(sector)) break true;
            } else false;
            if (is_dirty or opened.disk.coin()) continue;
            const offset = page * page_bytes;
            @memcpy(inode.cached[offset..][0..page_bytes], inode.device[offset..][0..page_bytes]);
        }
    }
};

pub const Directory = struct {
    disk: *Disk,

    pub fn close(_: Directory) void {}

    pub fn openFile(
        directory: Directory,
        name: [*:0]const u8,
        mode: Mode,
        _: *Detail,
    ) Error!File {
        try directory.disk.look();
        const inode = directory.disk.find(std.mem.span(name)) orelse return error.NotFound;
        inode.opens += 1;
        return .{ .disk = directory.disk, .inode = inode, .mode = mode };
    }

    pub fn createFile(directory: Directory, name: [*:0]const u8, _: *Detail) Error!File {
        const disk = directory.disk;
        const text = std.mem.span(name);
        if (try disk.begin()) return error.Os;
        if (disk.strikes(.full)) return error.NoSpace;
        const inode = disk.find(text) orelse blk: {
            const number = disk.newInode();
            disk.perform(.{ .puts = .init(text, number) });
            break :blk &disk.inodes[number];
        };
        const used = std.math.divCeil(usize, inode.size, sector_bytes) catch unreachable;
        inode.dirty.setRangeValue(.{ .start = 0, .end = used }, true);
        @memset(inode.cached[0..inode.size], 0);
        inode.size = 0;
        inode.opens += 1;
        return .{ .disk = disk, .inode = inode, .mode = .write };
    }

    pub fn rename(
        directory: Directory,
        from: [*:0]const u8,
        to: [*:0]const u8,
        _: *Detail,
    ) Error!void {
        const disk = directory.disk;
        if (try disk.begin()) return error.Os;
        if (disk.strikes(.full)) return error.NoSpace;
        const text = std.mem.span(from);
        const i = disk.names.find(text) orelse return error.NotFound;
        const inode = disk.names.items[i].inode;
        disk.perform(.{
            .removes = .init(text, inode),
            .puts = .init(std.mem.span(to), inode),
        });
    }

    pub fn unlink(directory: Directory, name: [*:0]const u8, _: *Detail) Error!void {
        const disk = directory.disk;
        if (try disk.begin()) return error.Os;
        const text = std.mem.span(name);
        const i = disk.names.find(text) orelse return error.NotFound;
        disk.perform(.{ .removes = .init(text, disk.names.items[i].inode) });
    }

    pub fn sync(directory: Directory, _: *Detail) Error!void {
        const disk = directory.disk;
        if (try disk.begin()) return error.Os;
        if (disk.strikes(.sync)) return error.Os;
        disk.operations_count = 0;
        disk.device_names = disk.names;
    }

    pub fn list(directory: Directory, visitor: anytype, _: *Detail) !void {
        try directory.disk.look();
        for (directory.disk.names.slice()) |*name| try visitor.visit(name.text());
    }
};

const testing = std.testing;

fn testDisk() !*Disk {
    const disk = try testing.allocator.create(Disk);
    disk.init();
    disk.reset(1);
    return disk;
}

test "fault disk: what is synced survives, what is not is lost" {
    const disk = try testDisk();
    defer testing.allocator.destroy(disk);
    const directory = disk.directory();
    var detail: Detail = .{};
    const file = try directory.createFile("a", &detail);
    try file.writeAt(&.{ "syn", "ced" }, 0, &detail);
    try file.sync(&detail);
    try directory.sync(&detail);
    try file.writeAt(&.{"lost"}, sector_bytes, &detail);
    (try directory.createFile("b", &detail)).close();
    file.close();
    disk.crash(.everything);
    try testing.expectEqual(null, disk.find("b"));
    try testing.expectEqual(6, disk.find("a").?.size);
    try testing.expectEqualStrings("synced", disk.find("a").?.cached[0..6]);
}

test "fault disk: after a failed sync the cache shows what the device has not" {
    const disk = try testDisk();
    defer testing.allocator.destroy(disk);
    var detail: Detail = .{};
    const file = try disk.directory().createFile("a", &detail);
    defer file.close();
    try file.writeAt(&.{&@as([16 * 1024]u8, @splat(7))}, 0, &detail);
    disk.setPlan(.{ .fault = .sync });
    try testing.expectError(error.Os, file.sync(&detail));
    try file.sync(&detail);
    const direct = try disk.directory().openFile("a", .read_direct, &detail);
    defer direct.close();
    var shown: [16 * 1024]u8 = undefined;
    var had: [16 * 1024]u8 align(page_bytes) = undefined;
    _ = try file.readAt(&shown, 0, &detail);
    _ = try direct.readAt(&had, 0, &detail);
    try testing.expect(std.mem.allEqual(u8, &shown, 7));
    try testing.expect(!std.mem.allEqual(u8, &had, 7));
}

test "fault disk: a full one takes a part, and takes all when it is asked again" {
    const disk = try testDisk();
    defer testing.allocator.destroy(disk);
    var detail: Detail = .{};
    const file = try disk.directory().createFile("a", &detail);
    defer file.close();
    disk.setPlan(.{ .fault = .full });
    try testing.expectError(error.NoSpace, file.writeAt(&.{"1234"}, 0, &detail));
    try file.writeAt(&.{"1234"}, 0, &detail);
    try testing.expectEqualStrings("1234", file.inode.cached[0..4]);
}
