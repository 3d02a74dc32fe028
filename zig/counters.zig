//! Counters: what one service counts, in a file that any process can read, also after a crash.
//!
//! | Offset | Size     | Part         | Written by                                   |
//! | -----: | -------: | :----------- | :------------------------------------------- |
//! |      0 |     4096 | `Identity`   | its maker, before the file has a name        |
//! |   4096 |      128 | `Owner`      | whoever counts, when it begins and ends      |
//! |   4224 |  n × 272 | `Entry`      | its maker, before the file has a name        |
//! |        |  n ×   8 | values       | whoever counts; of histograms unused         |
//! |        | h × 8320 | `Histogram`s | whoever counts, in their entries' order       |
//!
//! Values and histograms begin on a line of their own; the file ends on a full page.
//!
//! - One writer, who holds the lock of `liveness.Byte.writer` from before the file has a name: a
//!   file whose lock is free is a dead one's. Its stores are relaxed, each word stands for itself.
//! - Whoever ends in good order says so in `Owner.has_ended` before the lock is free. Nothing rests
//!   on it: it tells people a stop from a crash.
//! - Who comes after a dead one with the same table goes on in its file: what only grows does so
//!   over restarts. Gauges begin with 0. A file with another table is replaced.
//! - A value is the bits of an `f64`: exact up to 2^53, and seconds have fractions.
//! - Identity and table have checksums. Any word may be changed by whoever may write the file: it
//!   is copied once, checked, and only then used.
//! - A crash leaves all words as they were: at most one `record` is in some of its words only.
const std = @import("std");
const assert = std.debug.assert;
const linux = std.os.linux;
const abi = @import("abi.zig");
const constants = @import("constants.zig");
const crc32c = @import("crc32c.zig");
const file = @import("file.zig");
const histogram_module = @import("histogram.zig");
const liveness = @import("liveness.zig");
const sigbus = @import("sigbus.zig");
const Detail = @import("detail.zig").Detail;
const Histogram = histogram_module.Histogram;
const HistogramReport = histogram_module.HistogramReport;
const Status = @import("status.zig").Status;

pub const magic = "MTCOUNT1".*;
pub const version = 2;
pub const suffix = ".counters";
pub const fingerprint = abi.fingerprintOf(.{ Identity, Owner, Entry, Histogram });

/// Bits of `Identity.flags`.
pub const Flags = struct {
    pub const group_shared: u32 = 1 << 0;
};

/// Whose counters these are, and how many. Written once, before the file gets its name.
pub const Identity = extern struct {
    magic: [8]u8 = magic,
    version: u32 = version,
    fingerprint: u32,
    /// Bytes of the file.
    size: u64,
    entries: u32,
    histograms: u32,
    flags: u32,
    /// Checksum of all entries.
    table_crc: u32,
    created_ns: u64,
    boot_id: [16]u8,
    instance_bytes: u32,
    reserved_0: u32 = 0,
    instance: [constants.name_bytes_max]u8 = @splat(0),
    reserved_1: [3924]u8 = @splat(0),
    crc: u32 = 0,

    comptime {
        assert(@sizeOf(Identity) == 4096);
        assert(@offsetOf(Identity, "crc") == 4092);
    }

    pub fn computeCrc(identity: *const Identity) u32 {
        const bytes = std.mem.asBytes(identity);
        return crc32c.mask(crc32c.checksum(bytes[0..@offsetOf(Identity, "crc")]));
    }

    /// Checks a copy of the page, apart from magic, version and fingerprint.
    fn isSound(identity: *const Identity) bool {
        if (identity.crc != identity.computeCrc()) return false;
        if (identity.flags & ~Flags.group_shared != 0) return false;
        if (identity.entries == 0 or identity.entries > constants.counters_max) return false;
        if (identity.histograms > identity.entries) return false;
        if (identity.instance_bytes > identity.instance.len) return false;
        if (!file.isName(identity.instanceText())) return false;
        return identity.size == Shape.of(identity.entries, identity.histograms).size;
    }

    fn instanceText(identity: *const Identity) []const u8 {
        return identity.instance[0..identity.instance_bytes];
    }

    fn isShared(identity: *const Identity) bool {
        return identity.flags & Flags.group_shared != 0;
    }
};

/// Who counts, or counted last. Any value may stand here: it is for people.
pub const Owner = extern struct {
    pid: u32 align(constants.line_bytes),
    /// How many have counted in this file, one after the other.
    openings: u32,
    /// When it began, wall clock.
    started_ns: u64,
    /// Start of the process in clock ticks since boot, as /proc/<pid>/stat has it.
    start_time: u64,
    /// 1 once the last of them has ended in good order; 0 while it lives, and if it died.
    has_ended: u32,
    reserved_0: [100]u8,

    comptime {
        assert(@sizeOf(Owner) == constants.line_bytes);
    }
};

pub const Kind = enum(u32) { counter = 0, gauge = 1, histogram = 2 };

/// What a value is, for machines and for people.
pub const Entry = extern struct {
    /// A `Kind`.
    kind: u32,
    name_bytes: u16,
    help_bytes: u16,
    name: [constants.counter_name_bytes_max]u8,
    help: [constants.counter_help_bytes_max]u8,

    comptime {
        assert(@sizeOf(Entry) == 272);
    }

    fn nameText(entry: *const Entry) []const u8 {
        return entry.name[0..entry.name_bytes];
    }

    fn isSound(entry: *const Entry) bool {
        if (entry.kind > @intFromEnum(Kind.histogram)) return false;
        if (entry.name_bytes == 0 or entry.name_bytes > entry.name.len) return false;
        if (entry.help_bytes > entry.help.len) return false;
        for (entry.nameText()) |byte| switch (byte) {
            'a'...'z', '0'...'9', '_' => {},
            else => return false,
        };
        for (entry.name[entry.name_bytes..]) |byte| if (byte != 0) return false;
        for (entry.help[entry.help_bytes..]) |byte| if (byte != 0) return false;
        return std.unicode.utf8ValidateSlice(entry.help[0..entry.help_bytes]);
    }
};

/// Whether all entries are sound and none has the name of another.
pub fn isTable(entries: []const Entry) bool {
    for (entries, 0..) |*entry, at| {
        if (!entry.isSound()) return false;
        for (entries[0..at]) |*other| {
            if (std.mem.eql(u8, entry.nameText(), other.nameText())) return false;
        }
    }
    return entries.len > 0 and entries.len <= constants.counters_max;
}

pub fn countHistograms(entries: []const Entry) u32 {
    var count: u32 = 0;
    for (entries) |*entry| count += @intFromBool(entry.kind == @intFromEnum(Kind.histogram));
    return count;
}

/// Where the parts of a file are.
pub const Shape = struct {
    values: u32,
    histograms: u32,
    size: u32,

    pub const owner = @sizeOf(Identity);
    pub const table = owner + @sizeOf(Owner);

    pub fn of(entries: u32, histograms: u32) Shape {
        const line = constants.line_bytes;
        const values = std.mem.alignForward(u32, table + entries * @sizeOf(Entry), line);
        const first = std.mem.alignForward(u32, values + entries * @sizeOf(u64), line);
        const end = first + histograms * @sizeOf(Histogram);
        return .{
            .values = values,
            .histograms = first,
            .size = std.mem.alignForward(u32, end, constants.page_bytes),
        };
    }
};

pub const Error = file.Error || error{ TableFull, OutOfMemory, Busy };

pub fn statusOf(err: Error) Status {
    return switch (err) {
        error.TableFull => .table_full,
        error.OutOfMemory => .os_error,
        error.Busy => .busy,
        else => |other| file.statusOf(@errorCast(other)),
    };
}

/// The value in a word; 0 for bits that no sound writer stores.
pub inline fn valueOf(bits: u64) f64 {
    const value: f64 = @bitCast(bits);
    return if (std.math.isFinite(value)) value else 0;
}

/// Whether an instance may have that name, with a number behind it too.
pub fn isInstance(instance: []const u8) bool {
    return file.isName(instance) and instance.len <= constants.counter_instance_bytes_max;
}

/// A sound private copy of a file's identity and entries.
pub const Table = struct {
    identity: Identity,
    entries: [constants.counters_max]Entry,

    fn slice(table: *const Table) []const Entry {
        return table.entries[0..table.identity.entries];
    }

    pub fn equals(table: *const Table, entries: []const Entry) bool {
        const ours = std.mem.sliceAsBytes(table.slice());
        return std.mem.eql(u8, ours, std.mem.sliceAsBytes(entries));
    }

    /// Reads both. `instance` is whose they have to be.
    pub fn read(
        table: *Table,
        fd: i32,
        status: *const linux.Statx,
        instance: []const u8,
        detail: *Detail,
    ) file.Error!void {
        const identity = &table.identity;
        detail.expected = @sizeOf(Identity);
        detail.actual = @floatFromInt(status.size);
        if (status.size < @sizeOf(Identity)) return error.SizeMismatch;
        try readAll(fd, std.mem.asBytes(identity), 0, detail);
        if (!std.mem.eql(u8, &identity.magic, &magic)) return error.InvalidMagic;
        detail.expected = version;
        detail.actual = @floatFromInt(identity.version);
        if (identity.version != version) return error.VersionMismatch;
        detail.expected = @floatFromInt(fingerprint);
        detail.actual = @floatFromInt(identity.fingerprint);
        if (identity.fingerprint != fingerprint) return error.FingerprintMismatch;
        if (!identity.isSound()) return error.InvalidIdentity;
        detail.expected = @floatFromInt(identity.size);
        detail.actual = @floatFromInt(status.size);
        if (status.size != identity.size) return error.SizeMismatch;
        if (!std.mem.eql(u8, identity.instanceText(), instance)) {
            detail.setName(identity.instanceText());
            return error.OtherChannel;
        }
        const boot_id = file.bootId() orelse identity.boot_id;
        if (!std.mem.eql(u8, &boot_id, &identity.boot_id)) return error.OtherBoot;
        const bytes = std.mem.sliceAsBytes(table.entries[0..identity.entries]);
        try readAll(fd, bytes, Shape.table, detail);
        if (identity.table_crc != crc32c.mask(crc32c.checksum(bytes))) return error.InvalidIdentity;
        if (!isTable(table.slice())) return error.InvalidIdentity;
        if (countHistograms(table.slice()) != identity.histograms) return error.InvalidIdentity;
    }
};

fn readAll(fd: i32, bytes: []u8, offset: u64, detail: *Detail) file.Error!void {
    const rc = linux.pread(fd, bytes.ptr, bytes.len, @intCast(offset));
    if (try file.check(rc, detail) != bytes.len) return error.SizeMismatch;
}

pub fn mapFile(
    fd: i32,
    size: usize,
    access: file.Access,
    detail: *Detail,
) file.Error![]align(std.heap.page_size_min) u8 {
    const protection: linux.PROT = .{ .READ = true, .WRITE = access == .read_write };
    const rc = linux.mmap(null, size, protection, .{ .TYPE = .SHARED, .POPULATE = true }, fd, 0);
    _ = try file.check(rc, detail);
    // SAFETY: mapped just now, and until its owner unmaps it.
    return @as([*]align(std.heap.page_size_min) u8, @ptrFromInt(rc))[0..size];
}

/// What a reader is told beside entries, values and histograms.
pub const CountersReport = extern struct {
    /// 1 while whoever counts lives.
    is_alive: u32 = 0,
    pid: u32 = 0,
    openings: u32 = 0,
    entries: u32 = 0,
    started_ms: f64 = 0,
    /// Bytes of all entries, of an `f64` for each, and of a `HistogramReport` for each histogram.
    size: u32 = 0,
    /// 1 if whoever counted last has ended in good order.
    has_ended: u32 = 0,
};

/// Copies to `out` what a file holds, checked: a table that is sound, and values that are finite.
/// If it does not fit, only the report is written. Takes no part in anything.
pub fn read(
    place: file.Place,
    out: []u8,
    report: *CountersReport,
    detail: *Detail,
) Error!void {
    const instance = file.nameOf(std.mem.span(place.name), suffix) orelse return error.NotFound;
    var status: linux.Statx = undefined;
    const fd = try file.openFile(place, .read_only, &status, detail);
    defer _ = linux.close(fd);
    // Before the words are read: whoever has died by then has written its last one.
    const is_alive = liveness.isHeldByOther(fd, .writer);
    var table: Table = undefined;
    try table.read(fd, &status, instance, detail);
    try file.checkOwner(place.directory, &status, table.identity.isShared(), .read_only, detail);
    const entries, const histograms = .{ table.identity.entries, table.identity.histograms };
    const words = entries * @sizeOf(u64) + histograms * @sizeOf(HistogramReport);
    report.* = .{
        .is_alive = @intFromBool(is_alive),
        .entries = entries,
        .size = entries * @sizeOf(Entry) + words,
    };
    if (out.len < report.size) return;
    const shape: Shape = .of(entries, histograms);
    const memory = try mapFile(fd, shape.size, .read_only, detail);
    defer _ = linux.munmap(memory.ptr, memory.len);
    var poisoned: u32 = 0;
    try sigbus.watch(memory, &poisoned);
    defer sigbus.unwatch(memory);
    copyOwner(@ptrCast(@alignCast(memory.ptr + Shape.owner)), report);
    copyValues(&table, memory, out);
    if (@atomicLoad(u32, &poisoned, .acquire) != 0) return error.SizeMismatch;
}

fn copyOwner(owner: *const Owner, report: *CountersReport) void {
    report.pid = @atomicLoad(u32, &owner.pid, .monotonic);
    report.openings = @atomicLoad(u32, &owner.openings, .monotonic);
    report.has_ended = @intFromBool(@atomicLoad(u32, &owner.has_ended, .monotonic) != 0);
    const started_ns = @atomicLoad(u64, &owner.started_ns, .monotonic);
    report.started_ms = @floatFromInt(started_ns / std.time.ns_per_ms);
}

fn copyValues(
    table: *const Table,
    memory: []align(std.heap.page_size_min) const u8,
    out: []u8,
) void {
    const shape: Shape = .of(table.identity.entries, table.identity.histograms);
    const values: [*]const u64 = @ptrCast(@alignCast(memory.ptr + shape.values));
    const histograms: [*]const Histogram = @ptrCast(@alignCast(memory.ptr + shape.histograms));
    const entries = std.mem.sliceAsBytes(table.slice());
    @memcpy(out[0..entries.len], entries);
    var at = entries.len;
    for (table.slice(), 0..) |*entry, index| {
        const value = valueOf(@atomicLoad(u64, &values[index], .monotonic));
        const is_counter = entry.kind == @intFromEnum(Kind.counter);
        put(f64, out, &at, if (is_counter) @max(0, value) else value);
    }
    for (histograms[0..table.identity.histograms]) |*histogram| {
        put(HistogramReport, out, &at, .of(histogram));
    }
}

fn put(comptime T: type, out: []u8, at: *usize, value: T) void {
    @memcpy(out[at.*..][0..@sizeOf(T)], std.mem.asBytes(&value));
    at.* += @sizeOf(T);
}

/// Removes a file whose writer is dead, whatever it holds.
pub fn remove(place: file.Place, detail: *Detail) Error!void {
    var status: linux.Statx = undefined;
    const fd = try file.openFile(place, .read_write, &status, detail);
    defer _ = linux.close(fd);
    try file.checkOwner(place.directory, &status, true, .read_write, detail);
    liveness.tryLock(fd, .writer) catch |err| {
        if (err != error.Held) return error.Os;
        readPid(fd, detail);
        return error.Busy;
    };
    if (!file.isNamed(place, &status)) return error.NotFound;
    try file.remove(place, detail);
}

/// Puts into the detail who counts.
fn readPid(fd: i32, detail: *Detail) void {
    var owner: Owner = undefined;
    var ignored: Detail = .{};
    readAll(fd, std.mem.asBytes(&owner), Shape.owner, &ignored) catch return;
    detail.pid = owner.pid;
}
