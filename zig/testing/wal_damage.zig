//! Damages a log of three segments in every way, and looks whether opening and verifying notice.
//!
//! - Verifying everything finds every flipped bit, lost sector, missing and foreign file.
//! - Opening calls damage below a proven end corruption, never a torn tail, and then changes
//!   nothing. It reads headers and the last segment only: what is elsewhere is not its business.
//! - One damaged slot of the control file leaves the other one.
const std = @import("std");
const assert = std.debug.assert;
const control_module = @import("../wal/control.zig");
const fault_disk = @import("fault_disk.zig");
const format = @import("../wal/format.zig");
const log_module = @import("../wal/log.zig");
const open_module = @import("../wal/open.zig");
const record = @import("../record.zig");
const scan = @import("../wal/scan.zig");
const verify = @import("wal_verify.zig");
const Detail = @import("../detail.zig").Detail;
const Log = log_module.Log(fault_disk);
const Opener = open_module.Opener(fault_disk);

const segments = 3;
const files = segments + 1;
const segment_bytes = 3 * fault_disk.page_bytes;

/// What opening makes of it.
const Opened = union(enum) { whole, torn, created, corrupt: scan.Fault };

/// One file of the log, as it should be.
const Original = struct {
    name: [64]u8 = undefined,
    name_bytes: usize = 0,
    bytes: [fault_disk.file_bytes_max]u8 = undefined,
    size: usize = 0,

    fn text(original: *const Original) []const u8 {
        return original.name[0..original.name_bytes];
    }
};

/// How the log's life ended.
const Ending = enum {
    /// The last group was settled; then the process was killed.
    settled,
    /// The control file says where it ended.
    finished,
};

pub const Lab = struct {
    disk: fault_disk.Disk,
    source: verify.Source,
    options: log_module.Options,
    ending: Ending,
    /// The control file, then the segments.
    originals: [files]Original,
    /// Where the last segment ends, and where its last group begins.
    end: u64,
    last_group: u64,
    result: Result,

    pub fn init(ending: Ending, log_id: u8) !*Lab {
        const lab = try std.heap.page_allocator.create(Lab);
        errdefer lab.deinit();
        lab.disk.init();
        lab.disk.reset(1);
        lab.source = .{ .disk = &lab.disk, .mode = .read };
        lab.options = .{
            .log = format.exampleLog(),
            .segment_bytes = segment_bytes,
            .boot_id = @splat(3),
        };
        lab.options.log.log_id = @splat(log_id);
        lab.ending = ending;
        lab.result = .{};
        try lab.write(ending);
        lab.disk.flush();
        lab.keep();
        return lab;
    }

    pub fn deinit(lab: *Lab) void {
        std.heap.page_allocator.destroy(lab);
    }

    fn write(lab: *Lab, ending: Ending) !void {
        var report: open_module.Report = .{};
        var detail: Detail = .{};
        var log = try Opener.open(lab.disk.directory(), lab.options, &report, &detail);
        defer log.deinit();
        for (0..segments) |i| {
            if (i > 0) try log.rotate(&detail);
            for ([_]u16{ 0, 100, 1000, 100 }) |length| try appendOne(&log, length);
        }
        assert(try log.settle(&detail));
        lab.last_group = log.place.offset - log.header.group_alignment;
        if (ending == .finished) try log.finish(&detail);
        lab.end = log.place.offset;
    }

    fn keep(lab: *Lab) void {
        var count: usize = 1;
        for (lab.disk.names.slice()) |*name| {
            const parts = format.parseName(name.text());
            const original = &lab.originals[if (parts) |found| found.segment else 0];
            original.name_bytes = name.text().len;
            @memcpy(original.name[0..original.name_bytes], name.text());
            const inode = &lab.disk.inodes[name.inode];
            original.size = inode.size;
            @memcpy(&original.bytes, &inode.cached);
            if (parts != null) count += 1;
        }
        assert(count == files);
    }

    /// Makes the log what it was.
    fn restore(lab: *Lab) void {
        assert(lab.disk.opens() == 0);
        lab.disk.reset(1);
        var detail: Detail = .{};
        for (&lab.originals) |*original| {
            var name: [64:0]u8 = undefined;
            @memcpy(name[0..original.name_bytes], original.text());
            name[original.name_bytes] = 0;
            const file = lab.disk.directory().createFile(&name, &detail) catch unreachable;
            defer file.close();
            @memcpy(file.inode.cached[0..original.size], original.bytes[0..original.size]);
            file.inode.resize(original.size);
        }
        lab.disk.flush();
    }

    fn bytesOf(lab: *Lab, file: usize) []u8 {
        const inode = lab.disk.find(lab.originals[file].text()).?;
        return inode.cached[0..inode.size];
    }

    fn unlink(lab: *Lab, file: usize) void {
        var name: [64:0]u8 = undefined;
        const original = &lab.originals[file];
        @memcpy(name[0..original.name_bytes], original.text());
        name[original.name_bytes] = 0;
        var detail: Detail = .{};
        lab.disk.directory().unlink(&name, &detail) catch unreachable;
    }

    fn verifyAll(lab: *Lab) verify.Verdict {
        lab.disk.flush();
        return verify.verifyAll(&lab.source, verify.Nobody{});
    }

    /// Opens it. What opening changes is undone; on `corrupt` there must be nothing.
    fn open(lab: *Lab) Opened {
        lab.disk.flush();
        const changes = lab.disk.changes;
        var report: open_module.Report = .{};
        var detail: Detail = .{};
        const directory = lab.disk.directory();
        var log = Opener.open(directory, lab.options, &report, &detail) catch |err| {
            assert(err == error.Corrupt);
            if (lab.disk.changes > changes + syncs_of_opening) lab.note("refused and written");
            return .{ .corrupt = @enumFromInt(detail.errno) };
        };
        log.deinit();
        return switch (@as(open_module.Verdict, @enumFromInt(report.verdict))) {
            .created => .created,
            .whole => .whole,
            .torn => .torn,
        };
    }

    /// Calls that count as changes and change nothing: control file, directory, a prepared file.
    const syncs_of_opening = 3;

    fn note(lab: *Lab, what: []const u8) void {
        lab.result.violations += 1;
        if (lab.result.violations == 1) lab.result.violation = what;
    }

    /// What damage to a byte has to come to.
    fn judge(lab: *Lab, file: usize, offset: u64) void {
        lab.result.tried += 1;
        if (lab.verifyAll() == .sound) return lab.note("damage was not found");
        const is_header = offset < format.header_bytes;
        if (file != 0 and file != segments and !is_header) return;
        const opened = lab.open();
        if (file == 0) {
            if (opened != .whole) lab.note("a slot was lost, and the log with it");
        } else if (is_header or offset < lab.last_group) {
            if (opened != .corrupt) lab.note("damage below a proven end is no corruption");
        } else if (offset < lab.end) {
            const is_said = lab.ending == .finished;
            if (is_said and opened != .corrupt) lab.note("an end was forgotten");
            if (opened == .whole) lab.note("a damaged group was taken for whole");
        } else if (opened != .torn) {
            lab.note("bytes behind the end were not saved aside");
        }
    }

    /// Flips one bit of every byte; behind a segment's groups, of every 64th.
    pub fn flipAll(lab: *Lab, step: usize) void {
        for (0..files) |file| {
            const original = &lab.originals[file];
            const used = scan.usedBytes(original.bytes[0..original.size]);
            var offset: usize = 0;
            while (offset < original.size) : (offset += if (offset < used) step else 64) {
                lab.restore();
                lab.bytesOf(file)[offset] ^= @as(u8, 1) << @intCast((offset * 7 + file) % 8);
                lab.judge(file, offset);
            }
        }
        lab.restore();
    }

    /// Zeroes every sector, and fills it with noise.
    pub fn spoilSectors(lab: *Lab) void {
        var prng: std.Random.DefaultPrng = .init(1);
        for (0..files) |file| {
            var offset: usize = 0;
            while (offset < lab.originals[file].size) : (offset += fault_disk.sector_bytes) {
                for ([_]bool{ false, true }) |is_noise| {
                    lab.restore();
                    const sector = lab.bytesOf(file)[offset..][0..fault_disk.sector_bytes];
                    const was_zero = std.mem.allEqual(u8, sector, 0);
                    if (is_noise) prng.random().bytes(sector) else @memset(sector, 0);
                    if (!is_noise and (was_zero or lab.isUnsaid(file, offset))) continue;
                    lab.judge(file, offset);
                }
            }
        }
        lab.restore();
    }

    /// Whether nothing says that there was a sector: the last group's, and it has no records.
    fn isUnsaid(lab: *const Lab, file: usize, offset: u64) bool {
        return lab.ending == .settled and file == segments and offset == lab.last_group;
    }

    /// Cuts every file at every sector, and one byte around it.
    pub fn truncateAll(lab: *Lab) void {
        for (0..files) |file| {
            const size = lab.originals[file].size;
            var at: usize = 0;
            while (at <= size) : (at += fault_disk.sector_bytes) {
                for ([_]usize{ at -| 1, at, at + 1 }) |length| {
                    if (length >= size) continue;
                    lab.restore();
                    const inode = lab.disk.find(lab.originals[file].text()).?;
                    @memset(inode.cached[length..inode.size], 0);
                    inode.size = length;
                    lab.judgeCut(file, length);
                }
            }
        }
        lab.restore();
    }

    fn judgeCut(lab: *Lab, file: usize, length: usize) void {
        lab.result.tried += 1;
        if (lab.verifyAll() == .sound) lab.note("a file that was cut was not found");
        const opened = lab.open();
        const is_half = file == 0 and length >= control_module.slot_bytes;
        if (is_half) {
            if (opened != .whole) lab.note("half a control file, and the log is lost");
            return;
        }
        const wanted: scan.Fault = if (file == 0)
            .control
        else if (length < format.header_bytes) .segment_header else .size;
        lab.expect(wanted, opened);
    }

    fn expect(lab: *Lab, wanted: scan.Fault, opened: Opened) void {
        if (opened != .corrupt or opened.corrupt != wanted) lab.note("damage of a wrong class");
    }

    fn judgeFiles(lab: *Lab, wanted: scan.Fault) void {
        lab.result.tried += 1;
        const verdict = lab.verifyAll();
        if (verdict != .bad or verdict.bad.fault != wanted) lab.note("a wrong file was not found");
        lab.expect(wanted, lab.open());
        lab.restore();
    }

    /// Files that are missing, in each other's place, or of another log.
    pub fn exchangeFiles(lab: *Lab, other: *Lab) void {
        lab.restore();
        for (0..files) |file| {
            lab.unlink(file);
            lab.judgeFiles(if (file == 0) .control else .segment_missing);
        }
        for (1..files) |file| lab.unlink(file);
        lab.judgeFiles(.segment_missing);
        for (1..files) |left| for (left + 1..files) |right| {
            @memcpy(lab.bytesOf(left), lab.originals[right].bytes[0..segment_bytes]);
            @memcpy(lab.bytesOf(right), lab.originals[left].bytes[0..segment_bytes]);
            lab.judgeFiles(.segment_foreign);
        };
        for (1..files) |file| {
            @memcpy(lab.bytesOf(file), other.originals[file].bytes[0..segment_bytes]);
            lab.judgeFiles(.segment_foreign);
        }
    }
};

fn appendOne(log: *Log, length: u16) !void {
    var body: [2048]u8 align(8) = undefined;
    var payload: [1024]u8 = undefined;
    const sequence = log.nextSequence();
    for (payload[0..length], 0..) |*byte, i| byte.* = @truncate(sequence + i);
    const stride = record.stride(length, 8);
    record.writeBody(&body, log.header.log.salt, sequence, 0, 0, payload[0..length], stride);
    std.mem.writeInt(u64, body[0..8], sequence, .little);
    const crc = std.mem.readInt(u32, body[record.header_bytes + length ..][0..4], .little);
    var detail: Detail = .{};
    const chain = format.extendChain(log.place.chain, crc);
    try log.append(body[0..stride], 1, chain, &detail);
    try log.sync(&detail);
}

/// What a number of damages came to.
pub const Result = struct {
    tried: u64 = 0,
    violations: u64 = 0,
    /// There is no seed here.
    seed: u64 = 0,
    /// The first one.
    violation: []const u8 = "",
};

/// Does all the damage there is; of single bytes, one of every `step`.
pub fn damageAll(step: usize) !Result {
    var all: Result = .{};
    for (std.enums.values(Ending)) |ending| {
        const lab = try Lab.init(ending, 1);
        defer lab.deinit();
        const other = try Lab.init(ending, 2);
        defer other.deinit();
        lab.flipAll(step);
        lab.spoilSectors();
        lab.truncateAll();
        lab.exchangeFiles(other);
        all.tried += lab.result.tried;
        if (all.violations == 0) all.violation = lab.result.violation;
        all.violations += lab.result.violations;
    }
    return all;
}

/// Opens a log with a torn tail, dies at the call `skip`, and opens it again. False when the first
/// opening came to its end.
fn tearTwice(lab: *Lab, skip: u32, seed: u64) !bool {
    lab.restore();
    const from: usize = @intCast(lab.last_group);
    lab.bytesOf(segments)[from + 40] ^= 1;
    lab.disk.flush();
    var tail: [fault_disk.sector_bytes]u8 = undefined;
    @memcpy(&tail, lab.bytesOf(segments)[from..][0..tail.len]);
    lab.disk.random = .init(seed);
    lab.disk.setPlan(.{ .fault = .halt, .skip = skip });
    var report: open_module.Report = .{};
    var detail: Detail = .{};
    const directory = lab.disk.directory();
    if (Opener.open(directory, lab.options, &report, &detail)) |opened| {
        var log = opened;
        log.deinit();
        return false;
    } else |err| try std.testing.expectEqual(error.Os, err);
    lab.disk.crash(.mixed);
    var log = try Opener.open(directory, lab.options, &report, &detail);
    log.deinit();
    for (lab.disk.names.slice()) |*name| {
        if (!std.mem.startsWith(u8, name.text(), "torn-")) continue;
        if (std.mem.startsWith(u8, &lab.disk.inodes[name.inode].device, &tail)) return true;
    }
    return error.TailIsLost;
}

test "wal damage: a torn tail stays saved when its repair is torn too" {
    const lab = try Lab.init(.settled, 1);
    defer lab.deinit();
    for (1..20) |seed| {
        var skip: u32 = 0;
        while (try tearTwice(lab, skip, seed)) skip += 1;
        try std.testing.expect(skip > 10);
    }
}

test "wal damage: everything is found, and named right" {
    const result = try damageAll(101);
    if (result.violations == 0) return;
    std.debug.print("{s}, and {d} more of {d}\n", .{
        result.violation, result.violations - 1, result.tried,
    });
    return error.Violation;
}
