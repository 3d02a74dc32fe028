//! Ring file: an identity page, the shared lines, producer and consumer slots, then the data area.
//!
//! | Offset | Size | Part             | Written by                       |
//! | -----: | ---: | :--------------- | :------------------------------- |
//! |      0 | 4096 | `Identity`       | creator, before the file has a name |
//! |   4096 |  128 | `ClaimLine`      | producers                        |
//! |   4224 |  128 | `WaitLine` data  | sleeping consumers, waking producers |
//! |   4352 |  128 | `WaitLine` space | sleeping producers, waking consumers |
//! |   4480 |  128 | `ControlLine`    | consumers that join and leave    |
//! |   4608 |  128 | `DurabilityLine` | the persister                    |
//! |   4736 |  128 | `WaitLine` commit | who waits for the disk, the persister |
//! |   4864 |  512 | block index      | producers, one word each 1/64 of a ring |
//! |   5376 | 20864 | `Chronicle`     | whoever something happens to; the persister |
//! |  26240 | n × 384 | `ProducerSlot` | its owner                       |
//! |        | n × `ConsumerSlot` | consumer slots | its owner               |
//! |  `header_bytes` | capacity | data | producers                       |
//!
//! - Positions are bytes since creation and never wrap; `index = position & (capacity - 1)`.
//! - The identity never changes and has a checksum. Every other word may be written by a hostile
//!   peer at any time: it is read once, checked against private copies, and only then used.
//! - A crash leaves words of the dead process as they were. Its lock is gone (liveness.zig), and
//!   whoever meets the slot next frees it.
const std = @import("std");
const assert = std.debug.assert;
const constants = @import("constants.zig");
const crc32c = @import("crc32c.zig");
const Histogram = @import("histogram.zig").Histogram;
const History = @import("history.zig").History;
const Pair = @import("memory.zig").Pair;
const line = constants.line_bytes;

pub const magic = "MTRING01".*;
pub const version = 3;

/// Bits of `Identity.flags`.
pub const ChannelFlags = struct {
    pub const many_producers: u32 = 1 << 0;
    pub const timestamped: u32 = 1 << 1;
    pub const huge_pages: u32 = 1 << 2;
    pub const group_shared: u32 = 1 << 3;
    /// There is a log: consumer slot 0 is the persister's.
    pub const durable: u32 = 1 << 4;
    /// What its producers wait for by default is the disk.
    pub const level_disk: u32 = 1 << 5;
    pub const all: u32 = many_producers | timestamped | huge_pages | group_shared | durable |
        level_disk;

    /// Those that say what the records are like, in the ring and in its log.
    pub const of_records: u32 = timestamped;
};

/// What a channel is. Written once, before the file gets its name.
pub const Identity = extern struct {
    magic: [8]u8 = magic,
    version: u32 = version,
    fingerprint: u32,
    header_bytes: u64,
    capacity: u64,
    alignment: u32,
    producers_max: u32,
    consumers_max: u32,
    flags: u32,
    salt: u32,
    schema_hash: u32,
    created_ns: u64,
    creator_pid: u32,
    schema_bytes: u32,
    name_bytes: u32,
    log_path_bytes: u32 = 0,
    boot_id: [16]u8,
    name: [constants.name_bytes_max]u8 = @splat(0),
    schema: [constants.schema_bytes_max]u8 = @splat(0),
    /// Sequence of the first record: 1, or the one behind the last in the log.
    first_sequence: u64 = 1,
    log_id: [16]u8 = @splat(0),
    /// Directory of the log, absolute.
    log_path: [constants.log_path_bytes_max]u8 = @splat(0),
    reserved_1: [1060]u8 = @splat(0),
    crc: u32 = 0,

    comptime {
        assert(@sizeOf(Identity) == 4096);
        assert(@offsetOf(Identity, "crc") == 4092);
    }

    pub fn computeCrc(identity: *const Identity) u32 {
        const bytes = std.mem.asBytes(identity);
        return crc32c.mask(crc32c.checksum(bytes[0..@offsetOf(Identity, "crc")]));
    }

    /// Checks a copy of the page that was read from a file, where any byte may be wrong, apart from
    /// magic, version and fingerprint, which have errors of their own.
    pub fn isSound(identity: *const Identity) bool {
        if (identity.crc != identity.computeCrc()) return false;
        if (!isCapacity(identity.capacity)) return false;
        if (!isAlignment(identity.alignment, identity.capacity)) return false;
        if (identity.flags & ~ChannelFlags.all != 0) return false;
        const producers: u32 = if (identity.isMany()) constants.producers_max else 1;
        if (identity.producers_max != producers) return false;
        if (identity.consumers_max == 0) return false;
        if (identity.consumers_max > constants.consumers_max) return false;
        if (identity.name_bytes > constants.name_bytes_max) return false;
        if (identity.schema_bytes > constants.schema_bytes_max) return false;
        if (identity.first_sequence -% 1 >= constants.sequence_max) return false;
        if (identity.log_path_bytes >= constants.log_path_bytes_max) return false;
        if (identity.isDurable() != (identity.log_path_bytes > 0)) return false;
        if (identity.flags & ChannelFlags.level_disk != 0 and !identity.isDurable()) return false;
        return identity.header_bytes == identity.headerBytes();
    }

    pub fn isMany(identity: *const Identity) bool {
        return identity.flags & ChannelFlags.many_producers != 0;
    }

    pub fn isDurable(identity: *const Identity) bool {
        return identity.flags & ChannelFlags.durable != 0;
    }

    /// Directory of the log; empty without one.
    pub fn logPath(identity: *const Identity) []const u8 {
        return identity.log_path[0..@min(identity.log_path_bytes, identity.log_path.len)];
    }

    /// Bytes before the data area, from the numbers of slots and the page size asked for.
    pub fn headerBytes(identity: *const Identity) u64 {
        const end = consumerSlotOffset(identity.producers_max, identity.consumers_max);
        const huge = identity.flags & ChannelFlags.huge_pages != 0;
        const unit: u64 = if (huge) constants.huge_page_bytes else constants.page_bytes;
        return std.mem.alignForward(u64, end, unit);
    }

    /// Bytes of payload that one record may have: an eighth of the ring, so that several fit.
    pub fn recordPayloadMax(identity: *const Identity) u32 {
        const eighth = identity.capacity / 8 - 32;
        return @intCast(@min(eighth, constants.record_payload_max));
    }

    /// Bytes that one claim may span: half the ring, so that a claim always finds room in the end.
    pub fn claimMax(identity: *const Identity) u64 {
        return identity.capacity / 2;
    }
};

pub fn isCapacity(capacity: u64) bool {
    return capacity >= constants.capacity_min and capacity <= constants.capacity_max and
        std.math.isPowerOfTwo(capacity);
}

pub fn isAlignment(alignment: u32, capacity: u64) bool {
    return alignment >= constants.alignment_min and alignment <= constants.alignment_max and
        std.math.isPowerOfTwo(alignment) and alignment <= capacity / 8;
}

/// Value of `ClaimLine.last` while nothing was published.
pub const nothing_published = std.math.maxInt(u64);

/// Where producers are. In a channel of many, `claim` is the compare-exchange word.
pub const ClaimLine = extern struct {
    /// End of what has been claimed, and the sequence that the next claim begins with.
    claim: Pair align(line),
    /// Start of the newest published record; only in a channel with a single producer.
    last: u64,
    /// Producers go no further than this before they look at the consumers' cursors again.
    limit: u64,
    /// What `limit` is about to become; a joining consumer stays clear of it.
    limit_announced: u64,
    reserved_0: [88]u8,
};

/// One direction of sleep and wake-up (wait.zig).
pub const WaitLine = extern struct {
    /// How often somebody went to sleep on `signal`, and how many of those have been woken.
    sleeps: u32 align(line),
    served: u32,
    /// The futex word: changes at each wake-up.
    signal: u32,
    reserved_0: [116]u8,
};

/// Who takes part.
pub const ControlLine = extern struct {
    /// Bit i: consumer slot i holds producers back.
    gating: u64 align(line),
    /// 1 when some process has no `membarrier`, so that wakers must fence by themselves.
    fence_required: u32,
    /// A `Refusal`: why producers may not claim, though there were room.
    refusal: u32,
    reserved_0: [112]u8,
};

/// Values of `ControlLine.refusal`.
pub const Refusal = struct {
    pub const none: u32 = 0;
    /// The log's disk is full, or its cap is reached: until there is room again.
    pub const full: u32 = 1;
    /// The log could not be made durable: until a persister opens it anew.
    pub const failed: u32 = 2;
};

/// How the log stands.
pub const LogState = enum(u32) {
    /// Nobody writes it.
    absent = 0,
    running = 1,
    full = 2,
    failed = 3,
};

/// How far the log is. Written by the persister alone.
pub const DurabilityLine = extern struct {
    /// Last sequence that is on the device. Stored with release after the sync.
    durable: u64 align(line),
    /// Last sequence that is in the log's files, where a reader finds it.
    logged: u64,
    epoch: u32,
    state: u32,
    /// Of a failure: the operating system's error, or the `Fault` that was found.
    errno: u32,
    fault: u32,
    groups: u64,
    syncs: u64,
    /// Nanoseconds that syncs took: all together, and the longest.
    sync_ns: u64,
    sync_ns_max: u64,
    log_bytes: u64,
    segments: u32,
    /// Times that segments were cut that a consumer still needed.
    forced_cuts: u32,
    /// Sequence of the first record in the log.
    oldest: u64,
    /// Times that this was told, and times that somebody was woken for it.
    publishes: u64,
    wakeups: u64,
    /// Times that there was no room.
    full_times: u64,
    reserved_0: [8]u8,
};

pub const SlotState = struct {
    pub const free: u32 = 0;
    pub const taken: u32 = 1;
    /// A consumer that has left; its name and cursor are kept until the slot is needed.
    pub const detached: u32 = 2;
    /// As `detached`, but it has died, and producers have let go of it.
    pub const released: u32 = 3;
};

/// Who holds a slot: for people and messages. Whether it is alive, only its lock says.
pub const Owner = extern struct {
    state: u32,
    pid: u32,
    tid: u32,
    name_bytes: u32,
    /// Start of the process in clock ticks since boot, as /proc/<pid>/stat has it.
    start_time: u64,
    /// Random number of the process, drawn when the library was loaded.
    nonce: u64,
    name: [constants.name_bytes_max]u8,
};

/// Bit of `Intent.count`: the claim was won. Set before anything is written into a claim of several
/// records, whose inner ones could be taken for claims of their own, and by whoever has found it
/// out.
pub const intent_won: u64 = 1 << 63;

/// What a producer of many is claiming, so that its death can be repaired. `sequence` is 0 while
/// nothing is open; it is stored last and cleared first.
pub const Intent = extern struct {
    sequence: u64,
    position: u64,
    bytes: u64,
    count: u64,
};

/// Counts are stored plainly by their one writer, on a line of its own.
pub const ProducerCounters = extern struct {
    /// Times that these counters were set to 0, for a producer of another name.
    resets: u64,
    messages: u64,
    bytes: u64,
    back_pressured: u64,
    wakeups: u64,
    aborted: u64,
    repaired: u64,
    /// Visible steps: after each it was looked whether somebody sleeps.
    publishes: u64,
    /// Times that it slept until there was room, and those of them that ended by time.
    waits: u64,
    waits_timed_out: u64,
    /// Claims refused because the log was full or had failed.
    log_refused: u64,
    /// Waits that ended by time although there was room: a defect of the sleep protocol.
    late_wakeups: u64,
};

pub const ProducerSlot = extern struct {
    intent: Intent align(line),
    reserved_0: [96]u8,
    counters: ProducerCounters,
    reserved_1: [32]u8,
    owner: Owner,

    comptime {
        assert(@sizeOf(ProducerSlot) == 3 * line);
    }
};

/// How far a consumer is: it has finished everything before.
pub const Cursor = extern struct {
    position: u64,
    /// Sequence of the next message; written after `position`, for reports.
    sequence: u64,
};

/// What a consumer does to producers when it is slow.
pub const Policy = enum(u32) {
    /// Holds them back, while it lives.
    block = 0,
    /// Is overrun, and told what it has lost.
    drop = 1,
    /// Is overrun, and reads on in the log.
    spill = 2,
    /// Holds them back also when it is dead: the persister.
    hold = 3,

    /// Whether producers wait for such a consumer.
    pub fn isGating(policy: Policy) bool {
        return policy == .block or policy == .hold;
    }
};

pub const ConsumerCounters = extern struct {
    /// Times that these counters were set to 0, for a consumer that did not come back.
    resets: u64,
    messages: u64,
    bytes: u64,
    /// Times that the producer overran this consumer, and messages lost by it.
    laps: u64,
    lost: u64,
    damaged: u64,
    aborted: u64,
    wakeups: u64,
    /// Waits that ended by time although a message was there: a defect of the sleep protocol.
    late_wakeups: u64,
    /// Acknowledgements: after each it was looked whether a producer sleeps.
    acks: u64,
    /// Times that it slept until there was a message, and those of them that ended by time.
    waits: u64,
    waits_timed_out: u64,
    /// Claims of dead producers that it has ended.
    repaired: u64,
};

pub const ConsumerSlot = extern struct {
    cursor: Cursor align(line),
    reserved_0: [112]u8,
    counters: ConsumerCounters,
    reserved_1: [24]u8,
    owner: Owner,
    policy: u32,
    reserved_2: u32,
    /// First sequence that this consumer needs the log to keep; 0 for its cursor.
    keep: u64,
    reserved_3: [112]u8,
    latency: Histogram,

    comptime {
        assert(@offsetOf(ConsumerSlot, "owner") == 2 * line);
    }
};

/// Slot of the persister, in a channel that has a log, and its name.
pub const persister_index = 0;
pub const persister_name = "mt.persister";

/// What that slot holds from the file's beginning on.
pub fn persisterSlot(first_sequence: u64) ConsumerSlot {
    var slot = std.mem.zeroes(ConsumerSlot);
    slot.cursor.sequence = first_sequence;
    slot.owner.state = SlotState.detached;
    slot.owner.name_bytes = persister_name.len;
    @memcpy(slot.owner.name[0..persister_name.len], persister_name);
    slot.policy = @intFromEnum(Policy.hold);
    return slot;
}

/// Everything between the identity page and the slots.
pub const SharedLines = extern struct {
    claim_line: ClaimLine,
    data: WaitLine,
    space: WaitLine,
    control: ControlLine,
    durability: DurabilityLine,
    commit: WaitLine,
    index: [constants.blocks]u64,

    comptime {
        assert(@sizeOf(SharedLines) == 6 * line + 512);
        assert(@offsetOf(SharedLines, "index") == 6 * line);
    }
};

/// What has happened, for people: nothing is decided by it.
pub const Chronicle = extern struct {
    history: History,
    /// Bytes of records that each group of the log had. Written by the persister.
    group_bytes: Histogram,
    /// Nanoseconds that each sync of the log took. Written by the persister.
    sync_time: Histogram,

    comptime {
        assert(@sizeOf(Chronicle) == 20864);
        assert(@sizeOf(Chronicle) % line == 0);
    }
};

pub const shared_offset = @sizeOf(Identity);
pub const chronicle_offset = shared_offset + @sizeOf(SharedLines);
pub const producer_slots_offset = chronicle_offset + @sizeOf(Chronicle);

pub fn consumerSlotOffset(producers_max: u64, index: u64) u64 {
    const first = producer_slots_offset + producers_max * @sizeOf(ProducerSlot);
    return first + index * @sizeOf(ConsumerSlot);
}

fn soundIdentity() Identity {
    var identity: Identity = .{
        .fingerprint = 1,
        .header_bytes = 0,
        .capacity = 65536,
        .alignment = 64,
        .producers_max = 1,
        .consumers_max = 4,
        .flags = 0,
        .salt = 7,
        .schema_hash = 0,
        .created_ns = 1,
        .creator_pid = 1,
        .schema_bytes = 0,
        .name_bytes = 0,
        .boot_id = @splat(3),
    };
    identity.header_bytes = identity.headerBytes();
    identity.crc = identity.computeCrc();
    return identity;
}

test "Identity.isSound: every flipped bit is found" {
    const identity = soundIdentity();
    try std.testing.expect(identity.isSound());
    for (0..@sizeOf(Identity) * 8) |bit| {
        var copy = identity;
        std.mem.asBytes(&copy)[bit / 8] ^= @as(u8, 1) << @intCast(bit % 8);
        try std.testing.expect(!copy.isSound());
    }
}

test "Identity.isSound: contradictions under a right checksum are found" {
    const Change = struct { field: []const u8, value: u64 };
    inline for ([_]Change{
        .{ .field = "capacity", .value = 65537 },
        .{ .field = "capacity", .value = 2048 },
        .{ .field = "alignment", .value = 4 },
        .{ .field = "alignment", .value = 1024 },
        .{ .field = "producers_max", .value = 2 },
        .{ .field = "consumers_max", .value = 0 },
        .{ .field = "consumers_max", .value = 65 },
        .{ .field = "flags", .value = 1 << 31 },
        .{ .field = "name_bytes", .value = 97 },
        .{ .field = "schema_bytes", .value = 2049 },
        .{ .field = "header_bytes", .value = 4096 },
    }) |change| {
        var copy = soundIdentity();
        @field(copy, change.field) = change.value;
        copy.crc = copy.computeCrc();
        try std.testing.expect(!copy.isSound());
    }
}
