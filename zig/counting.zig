//! Counting: the file of counters (counters.zig) of a service that lives, by that service.
//!
//! - The lock is taken before the file has a name, or while it is a dead one's: a file that nobody
//!   holds is a dead one's.
//! - Whoever removes a file holds its lock, and looks whether the name is still that file's.
//! - Stores are relaxed: each word stands for itself, and there is one writer.
const std = @import("std");
const linux = std.os.linux;
const constants = @import("constants.zig");
const counters_module = @import("counters.zig");
const crc32c = @import("crc32c.zig");
const fault_points = @import("testing/fault_points.zig");
const file = @import("file.zig");
const liveness = @import("liveness.zig");
const process = @import("process.zig");
const sigbus = @import("sigbus.zig");
const Detail = @import("detail.zig").Detail;
const Histogram = @import("histogram.zig").Histogram;
const Entry = counters_module.Entry;
const Error = counters_module.Error;
const Identity = counters_module.Identity;
const Kind = counters_module.Kind;
const Owner = counters_module.Owner;
const Shape = counters_module.Shape;
const Table = counters_module.Table;
const countHistograms = counters_module.countHistograms;
const mapFile = counters_module.mapFile;
const valueOf = counters_module.valueOf;
const suffix = counters_module.suffix;

/// What a service wants to count.
pub const Wanted = struct {
    instance: []const u8,
    entries: []const Entry,
    group: ?u32,

    fn identity(wanted: *const Wanted, name: []const u8) Identity {
        const table = std.mem.sliceAsBytes(wanted.entries);
        const entries: u32 = @intCast(wanted.entries.len);
        const histograms = countHistograms(wanted.entries);
        var page: Identity = .{
            .fingerprint = counters_module.fingerprint,
            .size = Shape.of(entries, histograms).size,
            .entries = entries,
            .histograms = histograms,
            .flags = if (wanted.group == null) 0 else counters_module.Flags.group_shared,
            .table_crc = crc32c.mask(crc32c.checksum(table)),
            .created_ns = wallNs(),
            .boot_id = file.bootId() orelse @splat(0),
            .instance_bytes = @intCast(name.len),
        };
        @memcpy(page.instance[0..name.len], name);
        page.crc = page.computeCrc();
        return page;
    }
};

fn wallNs() u64 {
    var now: linux.timespec = undefined;
    _ = linux.clock_gettime(.REALTIME, &now);
    return @intCast(@max(0, now.sec) * std.time.ns_per_s + now.nsec);
}

const allocator = std.heap.c_allocator;

/// The file of one service, by whom it counts. Belongs to one thread.
pub const Counters = struct {
    fd: i32,
    memory: []align(std.heap.page_size_min) u8,
    /// 1 after the file was truncated under the mapping (sigbus.zig).
    poisoned: u32 = 0,
    /// Private copies of what bounds an access.
    entries: u32,
    values: [*]u64,
    kinds: [constants.counters_max]Kind,
    histograms: [constants.counters_max]?*Histogram,

    /// Opens the file of an instance, making it where there is none, or no fit one. `name` gets the
    /// instance's name: with a number behind it while somebody counts under the first one.
    pub fn init(
        directory: file.Directory,
        wanted: *const Wanted,
        name: *Name,
        detail: *Detail,
    ) Error!*Counters {
        for (1..constants.counter_instances_max + 1) |number| {
            name.* = .init(wanted.instance, number);
            const fd = acquire(directory, wanted, name, detail) catch |err| switch (err) {
                error.Busy => continue,
                else => return err,
            };
            return map(fd, wanted, detail);
        }
        return error.Busy;
    }

    /// Takes `fd` over, also on failure.
    fn map(fd: i32, wanted: *const Wanted, detail: *Detail) Error!*Counters {
        errdefer _ = linux.close(fd);
        const counters = try allocator.create(Counters);
        errdefer allocator.destroy(counters);
        const shape: Shape = .of(@intCast(wanted.entries.len), countHistograms(wanted.entries));
        const memory = try mapFile(fd, shape.size, .read_write, detail);
        errdefer _ = linux.munmap(memory.ptr, memory.len);
        counters.* = .{
            .fd = fd,
            .memory = memory,
            .entries = @intCast(wanted.entries.len),
            .values = @ptrCast(@alignCast(memory.ptr + shape.values)),
            .kinds = undefined,
            .histograms = @splat(null),
        };
        try sigbus.watch(memory, &counters.poisoned);
        const histograms: [*]Histogram = @ptrCast(@alignCast(memory.ptr + shape.histograms));
        var next: usize = 0;
        for (wanted.entries, 0..) |*entry, at| {
            counters.kinds[at] = @enumFromInt(entry.kind);
            switch (counters.kinds[at]) {
                .counter => {},
                .gauge => store(&counters.values[at], 0),
                .histogram => {
                    counters.histograms[at] = &histograms[next];
                    next += 1;
                },
            }
        }
        counters.sign();
        return counters;
    }

    fn sign(counters: *Counters) void {
        const owner = ownerOf(counters);
        @atomicStore(u32, &owner.has_ended, 0, .monotonic);
        @atomicStore(u32, &owner.pid, @intCast(linux.getpid()), .monotonic);
        const openings = @atomicLoad(u32, &owner.openings, .monotonic);
        @atomicStore(u32, &owner.openings, openings +% 1, .monotonic);
        @atomicStore(u64, &owner.started_ns, wallNs(), .monotonic);
        @atomicStore(u64, &owner.start_time, process.startTime(), .monotonic);
    }

    /// Says that whoever counts ends in good order; `deinit` has to follow.
    pub fn end(counters: *Counters) void {
        @atomicStore(u32, &ownerOf(counters).has_ended, 1, .monotonic);
    }

    pub fn deinit(counters: *Counters) void {
        sigbus.unwatch(counters.memory);
        _ = linux.munmap(counters.memory.ptr, counters.memory.len);
        _ = linux.close(counters.fd);
        allocator.destroy(counters);
    }

    /// Adds to a counter, or to a gauge.
    pub inline fn add(counters: *Counters, index: u32, amount: f64) error{InvalidArgument}!void {
        if (index >= counters.entries) return error.InvalidArgument;
        const is_amount = switch (counters.kinds[index]) {
            .counter => amount >= 0 and amount < std.math.inf(f64),
            .gauge => std.math.isFinite(amount),
            .histogram => false,
        };
        if (!is_amount) return error.InvalidArgument;
        const word = &counters.values[index];
        store(word, valueOf(@atomicLoad(u64, word, .monotonic)) + amount);
    }

    /// Sets a gauge.
    pub inline fn set(counters: *Counters, index: u32, value: f64) error{InvalidArgument}!void {
        if (index >= counters.entries or counters.kinds[index] != .gauge)
            return error.InvalidArgument;
        if (!std.math.isFinite(value)) return error.InvalidArgument;
        store(&counters.values[index], value);
    }

    /// Counts a time in a histogram. What is below 0, as of clocks that were set, counts as 0.
    pub inline fn record(counters: *Counters, index: u32, ns: f64) error{InvalidArgument}!void {
        const histogram = try counters.histogramAt(index);
        if (std.math.isNan(ns)) return error.InvalidArgument;
        const most: f64 = 1 << 62;
        histogram.record(@intFromFloat(std.math.clamp(ns, 0, most)));
    }

    pub inline fn histogramAt(counters: *Counters, index: u32) error{InvalidArgument}!*Histogram {
        if (index >= counters.entries) return error.InvalidArgument;
        return counters.histograms[index] orelse error.InvalidArgument;
    }
};

fn ownerOf(counters: *Counters) *Owner {
    return @ptrCast(@alignCast(counters.memory.ptr + Shape.owner));
}

inline fn store(word: *u64, value: f64) void {
    @atomicStore(u64, word, @bitCast(value), .monotonic);
}

/// Name of an instance and of its file.
pub const Name = struct {
    buffer: [constants.name_bytes_max + 8 + suffix.len]u8,
    instance_bytes: usize,

    /// Assumes that `checkInstance` has passed `instance`.
    fn init(instance: []const u8, number: usize) Name {
        var name: Name = .{ .buffer = undefined, .instance_bytes = 0 };
        const text = if (number == 1)
            std.fmt.bufPrintZ(&name.buffer, "{s}{s}", .{ instance, suffix })
        else
            std.fmt.bufPrintZ(&name.buffer, "{s}-{d}{s}", .{ instance, number, suffix });
        name.instance_bytes = (text catch unreachable).len - suffix.len;
        return name;
    }

    pub fn instanceText(name: *const Name) []const u8 {
        return name.buffer[0..name.instance_bytes];
    }

    fn fileName(name: *const Name) [*:0]const u8 {
        return @ptrCast(&name.buffer);
    }
};

/// Times that one looks again when others make and remove the same file meanwhile. Arbitrary.
const attempts_max = 64;

/// Returns the file of an instance, locked: a new one, or a dead one's with the same table.
fn acquire(
    directory: file.Directory,
    wanted: *const Wanted,
    name: *const Name,
    detail: *Detail,
) Error!i32 {
    const place: file.Place = .{ .directory = directory, .name = name.fileName() };
    for (0..attempts_max) |_| {
        if (try takeOver(place, wanted, name, detail)) |fd| return fd;
        return make(place, wanted, name, detail) catch |err| switch (err) {
            error.AlreadyExists => continue,
            else => err,
        };
    }
    return error.AlreadyExists;
}

fn make(
    place: file.Place,
    wanted: *const Wanted,
    name: *const Name,
    detail: *Detail,
) Error!i32 {
    const identity = wanted.identity(name.instanceText());
    const fd = try file.allocate(place.directory, identity.size, wanted.group, detail);
    errdefer _ = linux.close(fd);
    try file.writeAll(fd, std.mem.asBytes(&identity), 0, detail);
    try file.writeAll(fd, std.mem.sliceAsBytes(wanted.entries), Shape.table, detail);
    liveness.tryLock(fd, .writer) catch return error.Os; // Nobody else knows of the file.
    try file.giveName(place, fd, detail);
    return fd;
}

/// Returns a dead one's file with the same table, locked. Null if there is none, or none any more.
fn takeOver(
    place: file.Place,
    wanted: *const Wanted,
    name: *const Name,
    detail: *Detail,
) Error!?i32 {
    var status: linux.Statx = undefined;
    const fd = file.openFile(place, .read_write, &status, detail) catch |err|
        return if (err == error.NotFound) null else err;
    var is_kept = false;
    defer if (!is_kept) {
        _ = linux.close(fd);
    };
    try file.checkOwner(place.directory, &status, true, .read_write, detail);
    liveness.tryLock(fd, .writer) catch |err|
        return if (err == error.Held) error.Busy else error.Os;
    if (!file.isNamed(place, &status)) return null; // Somebody has removed it meanwhile.
    var table: Table = undefined;
    table.read(fd, &status, name.instanceText(), detail) catch |err| switch (err) {
        // Something else lies there, that is not ours to remove.
        error.InvalidMagic, error.Os => return err,
        else => return removeNamed(place, detail),
    };
    const allowed: u16 = if (wanted.group == null) 0o600 else 0o660;
    const has_group = wanted.group == null or status.gid == wanted.group.?;
    const is_same = table.equals(wanted.entries) and has_group and status.mode & 0o777 == allowed;
    if (!is_same) return removeNamed(place, detail);
    is_kept = true;
    return fd;
}

fn removeNamed(place: file.Place, detail: *Detail) Error!?i32 {
    try file.remove(place, detail);
    fault_points.hit(.mid_replacement);
    return null;
}

const TestDirectory = struct {
    path: [64]u8,
    directory: file.Directory,

    fn init() !TestDirectory {
        var made: TestDirectory = undefined;
        var detail: Detail = .{};
        const path = try std.fmt.bufPrintZ(&made.path, "/dev/shm/mt-counting-{x}", .{
            file.randomWord(),
        });
        made.directory = try file.Directory.open(path, true, &detail);
        return made;
    }

    fn deinit(made: *TestDirectory) void {
        made.directory.close();
        _ = linux.rmdir(@ptrCast(&made.path));
    }
};

fn testEntry(kind: Kind, name: []const u8) Entry {
    var entry = std.mem.zeroes(Entry);
    entry.kind = @intFromEnum(kind);
    entry.name_bytes = @intCast(name.len);
    @memcpy(entry.name[0..name.len], name);
    return entry;
}

const test_entries = [_]Entry{
    testEntry(.counter, "a_total"),
    testEntry(.gauge, "b"),
    testEntry(.histogram, "c_seconds"),
};
const test_wanted: Wanted = .{ .instance = "shop", .entries = &test_entries, .group = null };
const TestReport = counters_module.CountersReport;

/// Bytes for what `read` copies of the table above.
const test_copy_bytes = 16 * 1024;

test "counting: any bit of identity or table flipped, and any length, is refused or read whole" {
    var made: TestDirectory = try .init();
    defer made.deinit();
    var detail: Detail = .{};
    var name: Name = undefined;
    const counters: *Counters = try .init(made.directory, &test_wanted, &name, &detail);
    try counters.add(0, 3);
    const place: file.Place = .{ .directory = made.directory, .name = name.fileName() };
    defer file.remove(place, &detail) catch {};
    var out: [test_copy_bytes]u8 = undefined;
    var report: TestReport = .{};
    try counters_module.read(place, &out, &report, &detail);
    try std.testing.expect(report.is_alive == 1 and report.entries == test_entries.len);
    const size = counters.memory.len;
    const table_end = Shape.table + @sizeOf(@TypeOf(test_entries));
    for (0..table_end) |offset| {
        if (offset >= Shape.owner and offset < Shape.table) continue; // Any value may stand there.
        const byte = &counters.memory[offset];
        byte.* ^= @as(u8, 1) << @intCast(offset % 8);
        const answer = counters_module.read(place, &out, &report, &detail);
        byte.* ^= @as(u8, 1) << @intCast(offset % 8);
        try std.testing.expect(std.meta.isError(answer));
    }
    try counters_module.read(place, &out, &report, &detail);
    var at = size;
    while (at > 0) {
        at -|= 509; // Downwards: what is cut off is gone.
        _ = linux.ftruncate(counters.fd, @intCast(at));
        const answer = counters_module.read(place, &out, &report, &detail);
        try std.testing.expectError(error.SizeMismatch, answer);
        try counters.add(0, 1); // Whoever counts goes on, for nobody.
        try counters.record(2, 1);
    }
    counters.deinit();
}

test "counting: hostile values are read as numbers, and counted on from" {
    var made: TestDirectory = try .init();
    defer made.deinit();
    var detail: Detail = .{};
    var name: Name = undefined;
    const counters: *Counters = try .init(made.directory, &test_wanted, &name, &detail);
    defer counters.deinit();
    const place: file.Place = .{ .directory = made.directory, .name = name.fileName() };
    defer file.remove(place, &detail) catch {};
    const shape: Shape = .of(test_entries.len, 1);
    var random: std.Random.DefaultPrng = .init(0xc0);
    var out: [test_copy_bytes]u8 = undefined;
    for (0..50) |turn| {
        const spoilt = counters.memory[shape.values..];
        if (turn == 0) @memset(spoilt, 0xff) else random.random().bytes(spoilt);
        random.random().bytes(counters.memory[Shape.owner..Shape.table]);
        var report: TestReport = .{};
        try counters_module.read(place, &out, &report, &detail);
        const values = out[test_entries.len * @sizeOf(Entry) ..];
        for (0..test_entries.len) |index| {
            const value: f64 = @bitCast(values[index * 8 ..][0..8].*);
            try std.testing.expect(std.math.isFinite(value));
            if (index == 0) try std.testing.expect(value >= 0);
        }
        try counters.add(0, 1);
        try counters.record(2, 5);
        try std.testing.expectError(error.InvalidArgument, counters.histogramAt(0));
    }
}

test "counting: two at once take two names, and a dead one's file is gone on with" {
    var made: TestDirectory = try .init();
    defer made.deinit();
    var detail: Detail = .{};
    var names: [2]Name = undefined;
    const first: *Counters = try .init(made.directory, &test_wanted, &names[0], &detail);
    const second: *Counters = try .init(made.directory, &test_wanted, &names[1], &detail);
    try std.testing.expectEqualStrings("shop", names[0].instanceText());
    try std.testing.expectEqualStrings("shop-2", names[1].instanceText());
    try first.add(0, 7);
    try first.set(1, 7);
    const place: file.Place = .{ .directory = made.directory, .name = names[0].fileName() };
    try std.testing.expectError(error.Busy, counters_module.remove(place, &detail));
    try std.testing.expectEqual(@as(u32, @intCast(linux.getpid())), detail.pid);
    first.deinit();
    const third: *Counters = try .init(made.directory, &test_wanted, &names[0], &detail);
    try std.testing.expectEqualStrings("shop", names[0].instanceText());
    try std.testing.expectEqual(7, valueOf(third.values[0]));
    try std.testing.expectEqual(0, valueOf(third.values[1]));
    third.deinit();
    second.deinit();
    for (&names) |*name| {
        const left: file.Place = .{ .directory = made.directory, .name = name.fileName() };
        try counters_module.remove(left, &detail);
    }
}
