//! Reports: the state of a channel and of its peers, for people and for errors. Read from shared
//! words that may change meanwhile; good for looking at, not for deciding.
const std = @import("std");
const constants = @import("constants.zig");
const channel_module = @import("channel.zig");
const file = @import("file.zig");
const header = @import("header.zig");
const record = @import("record.zig");
const Channel = channel_module.Channel;
const Consumer = @import("consumer.zig").Consumer;
const Status = @import("status.zig").Status;
const memory = @import("memory.zig").direct;
const protocol = @import("ring.zig").Protocol(memory);

fn toFloat(value: u64) f64 {
    return @floatFromInt(value);
}

pub const ChannelReport = extern struct {
    /// Bytes claimed since creation.
    claimed: f64,
    /// Sequence that the next message gets.
    next_sequence: f64,
    /// Bytes between the slowest gating consumer and what is claimed.
    occupancy: f64,
    /// 0 when the file was removed while we have it open.
    has_name: f64,
};

pub fn ofChannel(channel: *const Channel) ChannelReport {
    const ring = &channel.ring;
    const pair = protocol.readClaim(ring);
    var slowest = pair.position;
    var rest = memory.load(u64, &ring.lines.control.gating, .acquire);
    while (rest != 0) : (rest &= rest - 1) {
        const index = @ctz(rest);
        if (index >= ring.consumers_max) continue;
        slowest = @min(slowest, memory.load(u64, &ring.consumers[index].cursor.position, .acquire));
    }
    return .{
        .claimed = toFloat(pair.position),
        .next_sequence = toFloat(pair.sequence),
        .occupancy = toFloat(pair.position - slowest),
        .has_name = if (file.hasName(channel.fd)) 1 else 0,
    };
}

pub const PeerState = enum(u32) { alive = 1, dead = 2, detached = 3, released = 4 };

pub const PeerReport = extern struct {
    /// Messages and bytes finished.
    messages: f64,
    bytes: f64,
    /// Of a consumer: how far it is behind what is claimed.
    lag_messages: f64,
    lag_bytes: f64,
    /// Of a consumer: last sequence acknowledged.
    cursor: f64,
    back_pressured: f64,
    wakeups: f64,
    late_wakeups: f64,
    laps: f64,
    lost: f64,
    damaged: f64,
    aborted: f64,
    repaired: f64,
    publishes: f64,
    acks: f64,
    waits: f64,
    waits_timed_out: f64,
    log_refused: f64,
    resets: f64,
    index: u32,
    state: u32,
    policy: u32,
    pid: u32,
    tid: u32,
    name_bytes: u32,
    name: [constants.name_bytes_max]u8,
};

fn setOwner(report: *PeerReport, index: u32, owner: *const header.Owner) void {
    const name = channel_module.ownerName(owner);
    report.index = index;
    report.pid = memory.load(u32, &owner.pid, .monotonic);
    report.tid = memory.load(u32, &owner.tid, .monotonic);
    report.name_bytes = @intCast(name.len);
    @memcpy(report.name[0..name.len], name);
}

/// Null for a free slot.
pub fn ofProducer(channel: *const Channel, index: u32) ?PeerReport {
    if (index >= channel.ring.producers_max) return null;
    const slot = &channel.ring.producers[index];
    const state = memory.load(u32, &slot.owner.state, .acquire);
    if (state == header.SlotState.free) return null;
    var report = std.mem.zeroes(PeerReport);
    setOwner(&report, index, &slot.owner);
    const state_now: PeerState = if (channel.isProducerDead(index)) .dead else .alive;
    report.state = @intFromEnum(state_now);
    copyCounters(&report, &slot.counters);
    return report;
}

/// Null for a free slot.
pub fn ofConsumer(channel: *const Channel, index: u32) ?PeerReport {
    if (index >= channel.ring.consumers_max) return null;
    const slot = &channel.ring.consumers[index];
    const state = memory.load(u32, &slot.owner.state, .acquire);
    if (state == header.SlotState.free) return null;
    var report = std.mem.zeroes(PeerReport);
    setOwner(&report, index, &slot.owner);
    const is_dead = channel.isConsumerDead(index);
    const state_now: PeerState = switch (state) {
        header.SlotState.detached => .detached,
        header.SlotState.released => .released,
        else => if (is_dead) .dead else .alive,
    };
    report.state = @intFromEnum(state_now);
    report.policy = memory.load(u32, &slot.policy, .monotonic);
    const pair = protocol.readClaim(&channel.ring);
    const sequence = memory.load(u64, &slot.cursor.sequence, .monotonic);
    const position = memory.load(u64, &slot.cursor.position, .acquire);
    report.cursor = toFloat(sequence -| 1);
    report.lag_messages = toFloat(pair.sequence -| sequence);
    report.lag_bytes = toFloat(pair.position -| position);
    copyCounters(&report, &slot.counters);
    return report;
}

/// Each counter has a field of its name in the report. The first is `resets`, so that what is read
/// behind it was counted since.
fn copyCounters(report: *PeerReport, counters: anytype) void {
    inline for (@typeInfo(@TypeOf(counters.*)).@"struct".fields) |field| {
        const value = memory.load(u64, &@field(counters, field.name), .acquire);
        @field(report, field.name) = toFloat(value);
    }
}

/// What stands at a consumer's place, when that is damaged.
pub const Fault = extern struct {
    position: f64,
    /// Bytes from the start of the file to the record.
    offset: f64,
    expected_sequence: f64,
    actual_sequence: f64,
    expected_crc: f64,
    actual_crc: f64,
};

pub fn faultOf(consumer: *const Consumer) Fault {
    const ring = &consumer.ring;
    const source = ring.recordAt(consumer.position);
    const sequence = memory.load(u64, ring.sequenceWord(consumer.position), .acquire);
    const index = consumer.position & (ring.capacity - 1);
    var fault = std.mem.zeroes(Fault);
    fault.position = toFloat(consumer.position);
    fault.offset = toFloat(consumer.channel.identity.header_bytes + index);
    fault.expected_sequence = toFloat(consumer.sequence);
    fault.actual_sequence = toFloat(sequence);
    const head_word = memory.load(u64, @ptrCast(@alignCast(source + 8)), .monotonic);
    const head = record.parseHeadWord(head_word, ring.record_payload_max) orelse return fault;
    const end = record.header_bytes + head.length;
    const crc = @import("crc32c.zig");
    const state = crc.update(
        record.beginCrc(ring.salt, sequence, head_word),
        source[record.header_bytes..end],
    );
    fault.expected_crc = toFloat(record.finishCrc(state));
    fault.actual_crc = toFloat(std.mem.readInt(u32, source[end..][0..4], .little));
    return fault;
}

/// Verifies one record in a buffer: bytes up to the next 8-byte boundary behind it, or a status.
pub fn verifyRecord(bytes: []const u8, salt: u32, sequence: u64) i32 {
    const corrupt: i32 = @intFromEnum(Status.corrupt_record);
    if (bytes.len < record.header_bytes) return corrupt;
    if (std.mem.readInt(u64, bytes[0..8], .little) != sequence) return corrupt;
    const head_word = std.mem.readInt(u64, bytes[8..16], .little);
    const head = record.parseHeadWord(head_word, constants.record_payload_max) orelse
        return corrupt;
    const stride = record.stride(head.length, constants.alignment_min);
    if (stride > bytes.len) return corrupt;
    const verdict = record.verifyInPlace(bytes.ptr, salt, sequence, head_word, head.length);
    return if (verdict == .sound) @intCast(stride) else corrupt;
}
