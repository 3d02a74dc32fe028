//! Clock: ticks for stamping messages, and the way from ticks to nanoseconds.
//!
//! | Source      | Where                                  | Tick rate                           |
//! | :---------- | :------------------------------------- | :---------------------------------- |
//! | `tsc`       | x86-64 with an invariant TSC           | calibrated, about 10 ms             |
//! | `cntvct`    | aarch64                                | `cntfrq_el0`, as the firmware says  |
//! | `monotonic` | everything else                        | nanoseconds of CLOCK_MONOTONIC      |
//!
//! Invariants:
//! - Every process of one host decides for the same source, so ticks may be compared between
//!   processes. They mean nothing on another host, nor after a boot.
//! - The counter is read without a fence: the processor may move the reading over neighbouring
//!   loads by some nanoseconds.
//! - The rate is found once and never changes. All threads see the same one.
//! - A tick is `nsPerTickFixed() / 2^ns_per_tick_shift` nanoseconds.
//!
//! What it does not do: follow the steering of NTP, which differs by up to 500 ppm, or notice that
//! a virtual machine has moved to a host with another rate.
//!
//! Source of the fixed-point conversion: the kernel's clocksource `mult` and `shift`. The counters:
//! Intel SDM volume 3, "Invariant TSC"; Arm ARM, "The Generic Timer".
const std = @import("std");
const builtin = @import("builtin");
const assert = std.debug.assert;

/// Libc where there is one: in a program that libc starts, std.os.linux does not find the vDSO and
/// makes a system call of every reading (measured: 129 ns instead of 19).
const system = if (builtin.link_libc or builtin.os.tag != .linux) std.c else std.os.linux;

/// The counter behind `ticks`. Values are ABI: append, never renumber.
pub const Source = enum(u32) { tsc = 0, cntvct = 1, monotonic = 2 };

/// Returns the counter. Thread: any. Cost: the instruction, and on x86-64 a load and a branch.
pub inline fn ticks() u64 {
    return switch (source()) {
        .tsc => if (comptime builtin.cpu.arch == .x86_64) readTsc() else unreachable,
        .cntvct => if (comptime builtin.cpu.arch == .aarch64) readCntvct() else unreachable,
        .monotonic => monotonicNs(),
    };
}

/// Returns which counter `ticks` reads on this host.
pub inline fn source() Source {
    switch (builtin.cpu.arch) {
        .aarch64 => return .cntvct,
        .x86_64 => {
            // Publishes nothing but itself, so a relaxed load does.
            const decided = decision.load(.monotonic);
            return if (decided != undecided) @enumFromInt(decided) else decide();
        },
        else => return .monotonic,
    }
}

/// Returns nanoseconds of CLOCK_MONOTONIC, the same in all processes of one boot.
pub fn monotonicNs() u64 {
    return readClock(.MONOTONIC);
}

/// Returns nanoseconds since 1970 (UTC). May jump, also backwards.
pub fn realtimeNs() u64 {
    return readClock(.REALTIME);
}

/// Returns the tick rate.
///
/// The first call sleeps until 10 ms have passed since the process loaded this library; later ones
/// and those on a source of known rate return at once. Thread: any.
pub fn ticksPerSecond() f64 {
    const scale: f64 = @floatFromInt(ns_per_s << ns_per_tick_shift);
    return scale / @as(f64, @floatFromInt(nsPerTickFixed()));
}

/// Returns nanoseconds per tick, times 2^`ns_per_tick_shift`. The first call waits as
/// `ticksPerSecond` does.
pub inline fn nsPerTickFixed() u64 {
    if (source() == .monotonic) return 1 << ns_per_tick_shift;
    const fixed = ns_per_tick_fixed.load(.monotonic); // Publishes nothing but itself.
    return if (fixed != 0) fixed else findRate();
}

/// Fraction bits of `nsPerTickFixed`. The slowest counter that fits ticks at 15.3 kHz; a counter of
/// 5 GHz is still given to one part in 10^13.
pub const ns_per_tick_shift = 48;

/// Returns a number of ticks, usually the difference of two readings, in nanoseconds.
///
/// Rounds down. Assumes that the result fits: 584 years. The first call waits as `ticksPerSecond`
/// does; later ones cost a load, a branch, a 64 x 64 bit multiplication and a shift.
pub inline fn ticksToNs(delta: u64) u64 {
    const product = @as(u128, delta) * nsPerTickFixed();
    return @truncate(product >> ns_per_tick_shift);
}

/// Returns about as many ticks as last `ns`, for a threshold that may be off by half. Never waits:
/// a TSC, which may not be calibrated yet, is taken for one of 2.5 GHz.
pub inline fn roughTicks(ns: u64) u64 {
    if (source() == .tsc) return ns * 5 / 2;
    return @intFromFloat(@as(f64, @floatFromInt(ns)) * ticksPerSecond() / ns_per_s);
}

const ns_per_s = std.time.ns_per_s;

fn readClock(clock: system.clockid_t) u64 {
    var time: system.timespec = undefined;
    const result = system.clock_gettime(clock, &time);
    assert(result == 0); // Fails only for a clock that does not exist.
    return @as(u64, @intCast(time.sec)) * ns_per_s + @as(u64, @intCast(time.nsec));
}

// The counters. Volatile: each call is a new reading.

inline fn readTsc() u64 {
    var low: u32 = undefined;
    var high: u32 = undefined;
    asm volatile ("rdtsc"
        : [low] "={eax}" (low),
          [high] "={edx}" (high),
    );
    return @as(u64, high) << 32 | low;
}

inline fn readCntvct() u64 {
    return asm volatile ("mrs %[result], cntvct_el0"
        : [result] "=r" (-> u64),
    );
}

inline fn readCntfrq() u64 {
    return asm volatile ("mrs %[result], cntfrq_el0"
        : [result] "=r" (-> u64),
    );
}

// The decision.

const undecided = std.math.maxInt(u32);

/// A `Source` or `undecided`. Every thread decides alike, so it does not matter who stores it.
var decision: std.atomic.Value(u32) = .init(undecided);

fn decide() Source {
    @branchHint(.cold);
    const decided: Source = if (hasInvariantTsc()) .tsc else .monotonic;
    decision.store(@intFromEnum(decided), .monotonic);
    return decided;
}

fn hasInvariantTsc() bool {
    const leaf_max = 0x8000_0000;
    const leaf_power = 0x8000_0007;
    const invariant_tsc = 1 << 8;
    if (cpuid(leaf_max).eax < leaf_power) return false;
    return cpuid(leaf_power).edx & invariant_tsc != 0;
}

fn cpuid(leaf: u32) struct { eax: u32, edx: u32 } {
    var eax: u32 = leaf;
    var edx: u32 = undefined;
    asm volatile ("cpuid"
        : [eax] "+{eax}" (eax),
          [edx] "={edx}" (edx),
        :
        : .{ .ebx = true, .ecx = true });
    return .{ .eax = eax, .edx = edx };
}

// The rate.

/// `nsPerTickFixed` once it is found, 0 before.
var ns_per_tick_fixed: std.atomic.Value(u64) = .init(0);

/// Time over which the rate is measured. A sample is good to about 50 ns, so 10 ms give 10 ppm.
const calibration_ns = 10 * std.time.ns_per_ms;

/// Age from which the load-time sample is not used: the host may have slept in between, which the
/// counter and the clock count differently (a counter that went back shows that it was reset).
/// Arbitrary: longer than a start, shorter than a nap.
const anchor_age_ns_max = 10 * ns_per_s;

/// One moment on both clocks.
const Sample = struct {
    ticks: u64,
    ns: u64,

    /// Returns the tightest of some readings, so that an interrupt in between does no harm.
    fn take() Sample {
        var best: Sample = undefined;
        var best_width: u64 = std.math.maxInt(u64);
        for (0..8) |_| { // Arbitrary: enough to meet one undisturbed.
            const before = ticks();
            const ns = readClock(.MONOTONIC_RAW); // Not steered by NTP.
            const width = ticks() -% before;
            if (width >= best_width) continue;
            best_width = width;
            best = .{ .ticks = before +% width / 2, .ns = ns };
        }
        return best;
    }
};

/// The moment of loading; written before any other code of the library runs, never after.
var load_anchor: ?Sample = null;

fn takeLoadAnchor() callconv(.c) void {
    if (source() == .tsc) load_anchor = .take();
}

comptime {
    // Run by the loader. Where it is not (other formats, a static executable without a libc), the
    // first caller takes the anchor and pays the whole wait.
    if (builtin.cpu.arch == .x86_64 and builtin.object_format == .elf) {
        @export(&&takeLoadAnchor, .{
            .name = "message_transport_clock_anchor",
            .section = ".init_array",
            .visibility = .hidden,
        });
    }
}

/// Finds the rate, and returns what all threads agreed on.
fn findRate() u64 {
    @branchHint(.cold);
    const found = switch (source()) {
        .tsc => calibrate(),
        .cntvct => if (comptime builtin.cpu.arch == .aarch64) fromFrequency() else unreachable,
        .monotonic => unreachable, // `nsPerTickFixed` knows it.
    };
    // Threads that calibrate at once find rates that differ in the last digits: the first one wins.
    return ns_per_tick_fixed.cmpxchgStrong(0, found, .monotonic, .monotonic) orelse found;
}

fn fromFrequency() u64 {
    const frequency_hz = readCntfrq();
    // Firmware that leaves the register empty exists; then the counter is measured.
    return if (frequency_hz == 0) calibrate() else fixedFrom(ns_per_s, frequency_hz);
}

fn calibrate() u64 {
    var anchor = load_anchor orelse Sample.take();
    var now: Sample = .take();
    const is_stale = now.ns - anchor.ns > anchor_age_ns_max or now.ticks <= anchor.ticks;
    if (is_stale) anchor = now;
    while (now.ns - anchor.ns < calibration_ns) : (now = .take()) {
        const rest: system.timespec = .{
            .sec = 0,
            .nsec = @intCast(calibration_ns - (now.ns - anchor.ns)),
        };
        _ = system.nanosleep(&rest, null); // A signal may end it early: the loop measures again.
    }
    return fixedFrom(now.ns - anchor.ns, now.ticks - anchor.ticks);
}

fn fixedFrom(delta_ns: u64, delta_ticks: u64) u64 {
    return @intCast((@as(u128, delta_ns) << ns_per_tick_shift) / delta_ticks);
}

// Tests.

const testing = std.testing;

/// Lets `ns` pass on CLOCK_MONOTONIC.
fn spin(ns: u64) void {
    const start = monotonicNs();
    while (monotonicNs() - start < ns) std.atomic.spinLoopHint();
}

test "ticks: never go back on one thread, and move" {
    const first = ticks();
    var last = first;
    for (0..100_000) |_| {
        const now = ticks();
        try testing.expect(now >= last);
        last = now;
    }
    try testing.expect(last > first);
}

test "ticks: go forward from one thread to the next" {
    const Relay = struct {
        ticks: u64 = 0,

        fn run(relay: *@This()) void {
            relay.ticks = ticks();
        }
    };
    for (0..50) |_| {
        var relay: Relay = .{};
        const before = ticks();
        const thread = try std.Thread.spawn(.{}, Relay.run, .{&relay});
        thread.join();
        try testing.expect(before <= relay.ticks);
        try testing.expect(relay.ticks <= ticks());
    }
}

test "source: is the counter of the architecture, or the clock" {
    switch (builtin.cpu.arch) {
        .x86_64 => try testing.expect(source() != .cntvct),
        .aarch64 => try testing.expectEqual(.cntvct, source()),
        else => try testing.expectEqual(.monotonic, source()),
    }
    decision.store(undecided, .monotonic);
    const again = source();
    try testing.expectEqual(source(), again);
}

test "ticksToNs: within 1 % of the clock over a real interval" {
    _ = ticksPerSecond(); // The wait of the first call is not part of the interval.
    const start: Sample = .take();
    spin(50 * std.time.ns_per_ms);
    const end: Sample = .take();
    const expected: f64 = @floatFromInt(end.ns - start.ns);
    const actual: f64 = @floatFromInt(ticksToNs(end.ticks - start.ticks));
    try testing.expectApproxEqRel(expected, actual, 0.01);
    const delta: f64 = @floatFromInt(end.ticks - start.ticks);
    const seconds = delta / ticksPerSecond();
    try testing.expectApproxEqRel(expected, seconds * ns_per_s, 0.01);
}

test "ticksToNs: a week, and the longest result that fits, do not overflow" {
    const week_s = 7 * std.time.s_per_day;
    const rate = ticksPerSecond();
    const week: u64 = @intFromFloat(rate * week_s);
    const actual: f64 = @floatFromInt(ticksToNs(week));
    try testing.expectApproxEqRel(@as(f64, week_s * ns_per_s), actual, 1e-9);

    const longest: u64 = @intFromFloat(@min(rate, ns_per_s) * 584.0 * 365.0 * std.time.s_per_day);
    const longest_ns: f64 = @as(f64, @floatFromInt(longest)) / rate * ns_per_s;
    try testing.expectApproxEqRel(longest_ns, @as(f64, @floatFromInt(ticksToNs(longest))), 1e-9);
    try testing.expectEqual(0, ticksToNs(0));
}

test "nsPerTickFixed: exact for whole rates, and the same in every thread" {
    try testing.expectEqual(1 << ns_per_tick_shift, fixedFrom(ns_per_s, ns_per_s));
    try testing.expectEqual(16 << ns_per_tick_shift, fixedFrom(ns_per_s, 62_500_000));
    try testing.expectEqual(1 << ns_per_tick_shift - 2, fixedFrom(ns_per_s, 4 * ns_per_s));

    // Without the anchor every thread waits, so that all of them measure at the same time.
    const anchor = load_anchor;
    defer load_anchor = anchor;
    load_anchor = null;
    ns_per_tick_fixed.store(0, .monotonic);
    const Caller = struct {
        fn run(result: *u64) void {
            result.* = nsPerTickFixed();
        }
    };
    var results: [4]u64 = undefined;
    var threads: [4]std.Thread = undefined;
    for (&threads, &results) |*thread, *result| {
        thread.* = try std.Thread.spawn(.{}, Caller.run, .{result});
    }
    for (threads) |thread| thread.join();
    for (results) |result| try testing.expectEqual(nsPerTickFixed(), result);
}

test "calibrate: an anchor from before a sleep or a reset of the counter is not used" {
    const anchor = load_anchor;
    defer load_anchor = anchor;
    const good: f64 = @floatFromInt(calibrate());
    const now: Sample = .take();
    const too_old: Sample = .{ .ticks = now.ticks - 1, .ns = now.ns - anchor_age_ns_max - 1 };
    const ahead: Sample = .{ .ticks = std.math.maxInt(u64), .ns = now.ns };
    for ([_]Sample{ too_old, ahead }) |bad| {
        load_anchor = bad;
        try testing.expectApproxEqRel(good, @as(f64, @floatFromInt(calibrate())), 0.01);
    }
}

test "monotonic: where there is no counter, a tick is a nanosecond" {
    if (builtin.cpu.arch == .aarch64) return error.SkipZigTest; // There is always one.
    const decided = decision.load(.monotonic);
    defer decision.store(decided, .monotonic);
    decision.store(@intFromEnum(Source.monotonic), .monotonic);
    try testing.expectEqual(.monotonic, source());
    const before = monotonicNs();
    const now = ticks();
    try testing.expect(before <= now and now <= monotonicNs());
    try testing.expectEqual(123_456_789, ticksToNs(123_456_789));
    try testing.expectEqual(1e9, ticksPerSecond());
}

test "monotonicNs: never goes back; realtimeNs: is in this century" {
    const first = monotonicNs();
    try testing.expect(monotonicNs() >= first);
    const year_2020_ns = 1_577_836_800 * ns_per_s;
    const year_2100_ns = 4_102_444_800 * ns_per_s;
    try testing.expect(realtimeNs() > year_2020_ns);
    try testing.expect(realtimeNs() < year_2100_ns);
}
