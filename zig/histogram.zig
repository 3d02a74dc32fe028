//! Histogram: latencies, or sizes, of one writer, counted in shared memory, read by anybody.
//!
//! | Offset | Size | Field             | Written by | Unit                                    |
//! | -----: | ---: | :---------------- | :--------- | :-------------------------------------- |
//! |      0 |    8 | count             | writer     | values                                  |
//! |      8 |    8 | sum_ns            | writer     | ns, wraps                               |
//! |     16 |    8 | min_complement_ns | writer     | `value_max_ns` less the least value, ns |
//! |     24 |    8 | max_ns            | writer     | ns                                      |
//! |     32 |   96 | reserved_0        |            | zero                                    |
//! |    128 | 8192 | counts[1024]      | writer     | values                                  |
//!
//! Buckets are log-linear: values below 64 have one each, and every octave above has 32 of equal
//! width, so a bucket is at most 1/32 (3.2 %) of its lowest value wide. Values are nanoseconds from
//! 0 to 2^36 - 1 (68.7 s); larger ones count as that.
//!
//! Invariants:
//! - Zeroed memory is an empty histogram: that is why the least value is stored as a complement.
//! - One writer. Its stores are relaxed and need no lock prefix; words only rise (`sum_ns` wraps).
//! - A reader sees every word whole, but not all words of one moment: while the writer runs,
//!   `count` may differ from the sum of `counts` by the values in flight.
//! - Whatever the memory holds, no reading function traps or runs out of bounds.
//!
//! What a crash leaves behind: at most one value that is in some words and not in others.
//!
//! Source: the bucket layout of HdrHistogram (Gil Tene), with 32 sub-buckets.
const std = @import("std");
const assert = std.debug.assert;

/// Largest value that is told apart from larger ones, in ns: 68.7 s, far beyond a hand-off.
pub const value_max_ns: u64 = (1 << value_bits) - 1;

/// Number of buckets: 32 for the values below 32, and 32 for each of the 31 octaves above.
pub const bucket_count = octave_buckets * (value_bits - octave_bits + 1);

/// Bits of the largest value.
pub const value_bits = 36;

/// Buckets per octave, as a power of two: the width of a bucket is 1/32 of its octave's start.
pub const octave_bits = 5;
const octave_buckets = 1 << octave_bits;

pub const Histogram = extern struct {
    count: u64 = 0,
    sum_ns: u64 = 0,
    min_complement_ns: u64 = 0,
    max_ns: u64 = 0,
    reserved_0: [96]u8 = @splat(0),
    counts: [bucket_count]u64 = @splat(0),

    comptime {
        // These numbers are the file format. Changing one means a new magic and new fixtures.
        assert(@sizeOf(Histogram) == 8320);
        assert(@offsetOf(Histogram, "count") == 0);
        assert(@offsetOf(Histogram, "sum_ns") == 8);
        assert(@offsetOf(Histogram, "min_complement_ns") == 16);
        assert(@offsetOf(Histogram, "max_ns") == 24);
        assert(@offsetOf(Histogram, "counts") == 128);
        assert(bucket_count == 1024);
    }

    /// Counts one value; a value above `value_max_ns` counts as that.
    ///
    /// Thread: the single writer's only. Cost: four to six plain loads and stores.
    pub inline fn record(histogram: *Histogram, ns: u64) void {
        const value = @min(ns, value_max_ns);
        raise(&histogram.min_complement_ns, value_max_ns - value);
        raise(&histogram.max_ns, value);
        add(&histogram.sum_ns, value);
        add(&histogram.counts[indexOf(value)], 1);
        add(&histogram.count, 1);
    }

    /// Returns the least value in ns, or 0 for an empty histogram.
    pub fn minNs(histogram: *const Histogram) u64 {
        if (load(&histogram.count) == 0) return 0;
        return value_max_ns -| load(&histogram.min_complement_ns);
    }

    /// Returns the mean in ns, or 0 for an empty histogram.
    pub fn meanNs(histogram: *const Histogram) f64 {
        const count = load(&histogram.count);
        if (count == 0) return 0;
        const sum: f64 = @floatFromInt(load(&histogram.sum_ns));
        return sum / @as(f64, @floatFromInt(count));
    }

    /// Returns the value in ns below or at which `p` percent of the values lie.
    ///
    /// The result is the highest value of the bucket, but not above the largest value recorded, so
    /// it is never below the true value and at most 1/32 above. 0 for an empty histogram.
    ///
    /// Asserts that `p` is from 0 to 100. Thread: any, any process. Cost: two passes over 8 KiB.
    pub fn percentile(histogram: *const Histogram, p: f64) u64 {
        assert(p >= 0 and p <= 100);
        var total: u64 = 0;
        for (&histogram.counts) |*count| total +|= load(count);
        if (total == 0) return 0;
        const rank = rankOf(p, total);
        var below: u64 = 0;
        for (&histogram.counts, 0..) |*count, place| {
            below +|= load(count);
            if (below < rank) continue;
            const index: u32 = @intCast(place);
            // The bucket may be newer than `max_ns`, so the latter must not push below it.
            return std.math.clamp(load(&histogram.max_ns), lowest(index), highest(index));
        }
        // Counts never fall while one writer keeps the rules; in spoilt memory they may.
        return value_max_ns;
    }
};

/// Returns the bucket of a value. Asserts that it is at most `value_max_ns`.
pub inline fn indexOf(ns: u64) u32 {
    assert(ns <= value_max_ns);
    const shift = shiftOf(ns);
    return @intCast((@as(u32, shift) << octave_bits) + (ns >> shift));
}

/// Returns the smallest value of a bucket in ns. Asserts that there is such a bucket.
pub fn lowest(index: u32) u64 {
    assert(index < bucket_count);
    const shift = widthShift(index);
    return (@as(u64, index) - (@as(u64, shift) << octave_bits)) << shift;
}

/// Returns the largest value of a bucket in ns. Asserts that there is such a bucket.
pub fn highest(index: u32) u64 {
    return lowest(index) + (@as(u64, 1) << widthShift(index)) - 1;
}

/// Returns how far a value is shifted to leave 6 bits, the highest of them set from 64 on.
inline fn shiftOf(ns: u64) u6 {
    return @intCast(63 - octave_bits - @clz(ns | octave_buckets));
}

/// Returns the width of a bucket, as a power of two.
fn widthShift(index: u32) u6 {
    return @intCast((index >> octave_bits) -| 1);
}

/// Returns which value in ascending order, from 1, stands for `p` percent of `total`.
fn rankOf(p: f64, total: u64) u64 {
    const total_float: f64 = @floatFromInt(total);
    const rank = @ceil(p * total_float / 100);
    if (rank >= total_float) return total;
    return @max(1, @as(u64, @intFromFloat(rank)));
}

// Relaxed: every word stands for itself, and readers order nothing by them.

inline fn load(word: *const u64) u64 {
    return @atomicLoad(u64, word, .monotonic);
}

/// Adds without a lock prefix, as there is no other writer.
inline fn add(word: *u64, value: u64) void {
    @atomicStore(u64, word, load(word) +% value, .monotonic);
}

inline fn raise(word: *u64, value: u64) void {
    if (value > load(word)) @atomicStore(u64, word, value, .monotonic);
}

/// A histogram as numbers of JavaScript, exact up to 2^53, which no sound count reaches.
pub const HistogramReport = extern struct {
    sum: f64,
    min: f64,
    max: f64,
    counts: [bucket_count]f64,

    pub fn of(histogram: *const Histogram) HistogramReport {
        var report: HistogramReport = .{
            .sum = @floatFromInt(load(&histogram.sum_ns)),
            .min = @floatFromInt(histogram.minNs()),
            .max = @floatFromInt(load(&histogram.max_ns)),
            .counts = undefined,
        };
        for (&histogram.counts, &report.counts) |*count, *value| {
            value.* = @floatFromInt(load(count));
        }
        return report;
    }

    pub fn writeTo(report: *const HistogramReport, out: [*]f64) void {
        const words = out[0 .. @sizeOf(HistogramReport) / @sizeOf(f64)];
        @memcpy(std.mem.sliceAsBytes(words), std.mem.asBytes(report));
    }
};

// Tests.

const testing = std.testing;
const test_seed = 0x415706;

/// Draws a value whose octave is uniform, so that all buckets are met.
fn drawValue(random: std.Random) u64 {
    return random.int(u64) >> random.intRangeAtMost(u6, 64 - value_bits, 63);
}

test "indexOf: every bucket holds exactly the values from lowest to highest, without a gap" {
    var next: u64 = 0;
    for (0..bucket_count) |place| {
        const index: u32 = @intCast(place);
        try testing.expectEqual(next, lowest(index));
        try testing.expectEqual(index, indexOf(lowest(index)));
        try testing.expectEqual(index, indexOf(highest(index)));
        next = highest(index) + 1;
    }
    try testing.expectEqual(value_max_ns + 1, next);
}

test "indexOf: known places" {
    try testing.expectEqual(0, indexOf(0));
    try testing.expectEqual(31, indexOf(31));
    try testing.expectEqual(63, indexOf(63));
    try testing.expectEqual(64, indexOf(64));
    try testing.expectEqual(64, indexOf(65));
    try testing.expectEqual(65, indexOf(66));
    try testing.expectEqual(95, indexOf(127));
    try testing.expectEqual(96, indexOf(128));
    try testing.expectEqual(1023, indexOf(value_max_ns));
}

test "lowest, highest: no bucket is wider than 1/32 of its lowest value" {
    for (0..bucket_count) |place| {
        const index: u32 = @intCast(place);
        const width = highest(index) - lowest(index) + 1;
        try testing.expect(width == 1 or width * octave_buckets <= lowest(index));
    }
}

test "Histogram: zeroed memory is empty, and is the default value" {
    const zeroed = std.mem.zeroes(Histogram);
    try testing.expectEqual(0, zeroed.minNs());
    try testing.expectEqual(0, zeroed.meanNs());
    for ([_]f64{ 0, 50, 100 }) |p| try testing.expectEqual(0, zeroed.percentile(p));
    const fresh: Histogram = .{};
    try testing.expectEqualSlices(u8, std.mem.asBytes(&zeroed), std.mem.asBytes(&fresh));
}

test "Histogram.percentile: equals the sorted values, less at most 1/32" {
    var random: std.Random.DefaultPrng = .init(test_seed);
    const percents = [_]f64{ 0, 0.1, 1, 25, 50, 75, 90, 99, 99.9, 99.99, 100 };
    var values: [5000]u64 = undefined;
    for ([_]usize{ 1, 2, 7, 100, 1000, 5000 }) |size| {
        var histogram = std.mem.zeroes(Histogram);
        for (values[0..size]) |*value| {
            value.* = drawValue(random.random());
            histogram.record(value.*);
        }
        const sorted = values[0..size];
        std.mem.sort(u64, sorted, {}, std.sort.asc(u64));
        for (percents) |p| {
            const size_float: f64 = @floatFromInt(size);
            const rank: usize = @intFromFloat(@max(1, @ceil(p * size_float / 100)));
            const exact = sorted[rank - 1];
            const actual = histogram.percentile(p);
            try testing.expect(actual >= exact);
            try testing.expect(actual - exact <= exact / octave_buckets);
        }
        try testing.expectEqual(sorted[size - 1], histogram.percentile(100));
    }
}

test "Histogram.record: count, sum, min, max and counts equal the model" {
    var random: std.Random.DefaultPrng = .init(test_seed);
    var histogram = std.mem.zeroes(Histogram);
    var model: [bucket_count]u64 = @splat(0);
    var sum: u64 = 0;
    var min: u64 = std.math.maxInt(u64);
    var max: u64 = 0;
    for (1..2001) |count| {
        const value = drawValue(random.random());
        histogram.record(value);
        sum += value;
        min = @min(min, value);
        max = @max(max, value);
        for (&model, 0..) |*bucket, place| {
            const index: u32 = @intCast(place);
            if (lowest(index) <= value and value <= highest(index)) bucket.* += 1;
        }
        try testing.expectEqual(count, histogram.count);
        try testing.expectEqual(sum, histogram.sum_ns);
        try testing.expectEqual(min, histogram.minNs());
        try testing.expectEqual(max, histogram.max_ns);
    }
    try testing.expectEqualSlices(u64, &model, &histogram.counts);
    const mean = @as(f64, @floatFromInt(sum)) / 2000;
    try testing.expectApproxEqRel(mean, histogram.meanNs(), 1e-12);
}

test "Histogram.record: values above the range count as the largest" {
    var histogram = std.mem.zeroes(Histogram);
    for ([_]u64{ value_max_ns + 1, std.math.maxInt(u64) }) |value| histogram.record(value);
    try testing.expectEqual(2, histogram.counts[bucket_count - 1]);
    try testing.expectEqual(2 * value_max_ns, histogram.sum_ns);
    try testing.expectEqual(value_max_ns, histogram.minNs());
    try testing.expectEqual(value_max_ns, histogram.max_ns);
    try testing.expectEqual(value_max_ns, histogram.percentile(50));
}

test "Histogram.record: the value 0 is the least" {
    var histogram = std.mem.zeroes(Histogram);
    histogram.record(7);
    try testing.expectEqual(7, histogram.minNs());
    histogram.record(0);
    try testing.expectEqual(0, histogram.minNs());
    try testing.expectEqual(1, histogram.counts[0]);
    try testing.expectEqual(7, histogram.max_ns);
}

test "Histogram: spoilt memory gives numbers, never a trap" {
    var random: std.Random.DefaultPrng = .init(test_seed);
    var histogram = std.mem.zeroes(Histogram);
    for (0..20) |turn| {
        if (turn == 0) {
            @memset(std.mem.asBytes(&histogram), 0xff);
        } else {
            random.random().bytes(std.mem.asBytes(&histogram));
        }
        for ([_]f64{ 0, 50, 99.9, 100 }) |p| {
            try testing.expect(histogram.percentile(p) <= value_max_ns);
        }
        try testing.expect(histogram.minNs() <= value_max_ns);
        try testing.expect(!std.math.isNan(histogram.meanNs()));
        histogram.record(random.random().int(u64));
    }
}

test "Histogram.percentile: a value whose bucket is seen before its maximum is not pushed below" {
    var histogram = std.mem.zeroes(Histogram);
    histogram.counts[indexOf(1000)] = 1; // What a reader may see of `record(1000)` on aarch64.
    try testing.expectEqual(lowest(indexOf(1000)), histogram.percentile(50));
}

test "Histogram: a reader sees no value twice and none out of range while the writer runs" {
    const Writer = struct {
        fn run(histogram: *Histogram) void {
            for (0..20_000) |turn| histogram.record(1000 + turn % 24);
        }
    };
    var histogram = std.mem.zeroes(Histogram);
    const thread = try std.Thread.spawn(.{}, Writer.run, .{&histogram});
    var last: u64 = 0;
    while (last < 20_000) {
        var total: u64 = 0;
        for (&histogram.counts) |*count| total += load(count);
        try testing.expect(last <= total and total <= 20_000);
        last = total;
        const median = histogram.percentile(50);
        try testing.expect(median == 0 or (median >= 992 and median <= 1023));
    }
    thread.join();
    try testing.expectEqual(20_000, histogram.count);
    try testing.expectEqual(1023, histogram.percentile(100));
}
