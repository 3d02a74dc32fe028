//! Parameters of the opening calls, as TypeScript writes them into a buffer.
const std = @import("std");
const linux = std.os.linux;
const abi = @import("abi.zig");
const clock = @import("clock.zig");
const constants = @import("constants.zig");
const consumer = @import("consumer.zig");
const file = @import("file.zig");
const header = @import("header.zig");
const format = @import("wal/format.zig");
const persister = @import("wal/persister.zig");
const retention = @import("wal/retention.zig");
const MapOptions = @import("channel.zig").MapOptions;

/// Copies a struct out of a buffer of any alignment.
fn readAs(comptime T: type, bytes: [*]const u8) T {
    var value: T = undefined;
    @memcpy(std.mem.asBytes(&value), bytes[0..@sizeOf(T)]);
    return value;
}

fn textOf(bytes: []const u8, size: u32) ?[]const u8 {
    return if (size <= bytes.len) bytes[0..size] else null;
}

pub const MapParameters = extern struct {
    prefault: u32,
    lock: u32,

    pub fn toOptions(map: MapParameters, access: file.Access) MapOptions {
        return .{ .access = access, .prefault = map.prefault != 0, .lock = map.lock != 0 };
    }
};

pub const CreateParameters = extern struct {
    capacity: f64,
    alignment: u32,
    consumers_max: u32,
    flags: u32,
    /// Group id; used with `ChannelFlags.group_shared`.
    group: u32,
    schema_hash: u32,
    schema_bytes: u32,
    name_bytes: u32,
    make_directory: u32,
    map: MapParameters,
    /// Of a channel with a log: where the log goes on, and what it is.
    salt: u32,
    log_path_bytes: u32,
    first_sequence: f64,
    log_id: [16]u8,
    log_path: [constants.log_path_bytes_max]u8,
    name: [constants.name_bytes_max]u8,
    schema: [constants.schema_bytes_max]u8,

    pub fn read(bytes: [*]const u8) CreateParameters {
        return readAs(CreateParameters, bytes);
    }

    pub fn groupId(parameters: *const CreateParameters) ?u32 {
        const shared = parameters.flags & header.ChannelFlags.group_shared != 0;
        return if (shared) parameters.group else null;
    }

    /// The identity page of the channel asked for; null if that contradicts a limit.
    pub fn identity(parameters: *const CreateParameters) ?header.Identity {
        const name = textOf(&parameters.name, parameters.name_bytes) orelse return null;
        const schema = textOf(&parameters.schema, parameters.schema_bytes) orelse return null;
        if (!file.isName(name)) return null;
        const wanted = parameters.capacity;
        if (!(wanted >= 0 and wanted <= constants.capacity_max)) return null;
        const is_many = parameters.flags & header.ChannelFlags.many_producers != 0;
        var made: header.Identity = .{
            .fingerprint = abi.fingerprint,
            .header_bytes = 0,
            .capacity = @intFromFloat(wanted),
            .alignment = parameters.alignment,
            .producers_max = if (is_many) constants.producers_max else 1,
            .consumers_max = parameters.consumers_max,
            .flags = parameters.flags,
            .salt = @truncate(file.randomWord()),
            .schema_hash = parameters.schema_hash,
            .created_ns = clock.realtimeNs(),
            .creator_pid = @intCast(linux.getpid()),
            .schema_bytes = parameters.schema_bytes,
            .name_bytes = parameters.name_bytes,
            .boot_id = file.bootId() orelse @splat(0),
        };
        @memcpy(made.name[0..name.len], name);
        @memcpy(made.schema[0..schema.len], schema);
        if (made.isDurable() and !parameters.addLog(&made)) return null;
        if (made.consumers_max > constants.consumers_max) return null;
        made.header_bytes = made.headerBytes();
        made.crc = made.computeCrc();
        return if (made.isSound()) made else null;
    }

    fn addLog(parameters: *const CreateParameters, made: *header.Identity) bool {
        const path = textOf(&parameters.log_path, parameters.log_path_bytes) orelse return false;
        const first = parameters.first_sequence;
        if (!(first >= 1 and first <= constants.sequence_max)) return false;
        made.salt = parameters.salt;
        made.first_sequence = @intFromFloat(first);
        made.log_id = parameters.log_id;
        made.log_path_bytes = @intCast(path.len);
        @memcpy(made.log_path[0..path.len], path);
        return true;
    }
};

/// How a log is written.
pub const PersisterParameters = extern struct {
    sync_interval_ms: f64,
    snapshot_interval_ms: f64,
    segment_bytes: f64,
    /// 0 for no cap.
    log_bytes_max: f64,
    sync: u32,
    when_full: u32,
    is_direct: u32,
    alignment: u32,
    /// `ChannelFlags` of the channel.
    flags: u32,
    schema_hash: u32,
    schema_bytes: u32,
    name_bytes: u32,
    name: [constants.name_bytes_max]u8,
    schema: [constants.schema_bytes_max]u8,

    pub fn read(bytes: [*]const u8) PersisterParameters {
        return readAs(PersisterParameters, bytes);
    }

    /// Null if a number is out of its range.
    pub fn toOptions(parameters: *const PersisterParameters) ?persister.Options {
        const name = textOf(&parameters.name, parameters.name_bytes) orelse return null;
        const schema = textOf(&parameters.schema, parameters.schema_bytes) orelse return null;
        if (!file.isName(name)) return null;
        const segment_bytes = toBytes(parameters.segment_bytes) orelse return null;
        if (segment_bytes < constants.segment_bytes_min) return null;
        if (!format.isSegmentBytes(segment_bytes)) return null;
        var log: format.LogIdentity = .{
            .log_id = undefined,
            .salt = @truncate(file.randomWord()),
            .record_alignment = parameters.alignment,
            .flags = parameters.flags & header.ChannelFlags.of_records,
            .schema_hash = parameters.schema_hash,
            .schema_bytes = parameters.schema_bytes,
            .name_bytes = parameters.name_bytes,
            .name = @splat(0),
            .schema = @splat(0),
        };
        for ([_]usize{ 0, 8 }) |at| {
            std.mem.writeInt(u64, log.log_id[at..][0..8], file.randomWord(), .little);
        }
        @memcpy(log.name[0..name.len], name);
        @memcpy(log.schema[0..schema.len], schema);
        return .{
            .log = .{
                .log = log,
                .segment_bytes = segment_bytes,
                .is_direct = parameters.is_direct != 0,
                .boot_id = file.bootId() orelse @splat(0),
            },
            .sync = std.enums.fromInt(persister.SyncMode, parameters.sync) orelse return null,
            .sync_interval_ns = toNs(parameters.sync_interval_ms) orelse return null,
            .snapshot_interval_ns = toNs(parameters.snapshot_interval_ms) orelse return null,
            .cap = .{
                .log_bytes_max = toBytes(parameters.log_bytes_max) orelse return null,
                .when_full = std.enums.fromInt(retention.WhenFull, parameters.when_full) orelse
                    return null,
            },
        };
    }
};

fn toBytes(value: f64) ?u64 {
    return if (value >= 0 and value <= 1 << 53) @intFromFloat(value) else null;
}

fn toNs(ms: f64) ?u64 {
    return if (ms >= 0 and ms <= 1e9) @intFromFloat(ms * std.time.ns_per_ms) else null;
}

pub const OpenParameters = extern struct {
    /// 0 to open whichever channel the file holds.
    name_bytes: u32,
    read_only: u32,
    map: MapParameters,
    name: [constants.name_bytes_max]u8,

    pub fn read(bytes: [*]const u8) OpenParameters {
        return readAs(OpenParameters, bytes);
    }

    pub fn nameText(parameters: *const OpenParameters) ?[]const u8 {
        const name = textOf(&parameters.name, parameters.name_bytes) orelse return null;
        return if (name.len == 0 or file.isName(name)) name else null;
    }
};

/// Values of `ConsumerParameters.start`.
pub const StartKind = enum(u32) { latest = 0, earliest = 1, checkpoint = 2, sequence = 3 };

pub const ConsumerParameters = extern struct {
    sequence: f64,
    start: u32,
    policy: u32,
    observes: u32,
    /// Whether it reads in the ring's memory, and so not in a log.
    views: u32,
    name_bytes: u32,
    reserved_0: u32,
    name: [constants.name_bytes_max]u8,

    pub fn read(bytes: [*]const u8) ConsumerParameters {
        return readAs(ConsumerParameters, bytes);
    }

    pub fn toOptions(parameters: *const ConsumerParameters) ?consumer.Options {
        const kind = std.enums.fromInt(StartKind, parameters.start) orelse return null;
        const is_number = parameters.sequence >= 1 and parameters.sequence < 9007199254740992;
        const policy = std.enums.fromInt(header.Policy, parameters.policy) orelse return null;
        const name = textOf(&parameters.name, parameters.name_bytes) orelse return null;
        // The persister's place is taken by nobody else.
        if (policy == .hold or std.mem.eql(u8, name, header.persister_name)) return null;
        return .{
            .name = name,
            .policy = policy,
            .replays = parameters.views == 0,
            .start = switch (kind) {
                .latest => .latest,
                .earliest => .earliest,
                .checkpoint => .checkpoint,
                .sequence => .{
                    .sequence = if (is_number) @intFromFloat(parameters.sequence) else return null,
                },
            },
        };
    }
};
