//! The border, the part of logs: their persister, how far they are, waiting for them.
//!
//! The rules of exports.zig hold here too.
const std = @import("std");
const abi = @import("abi.zig");
const constants = @import("constants.zig");
const consumer_removal = @import("consumer_removal.zig");
const durability = @import("durability.zig");
const exports = @import("exports.zig");
const file = @import("file.zig");
const handles = @import("handles.zig");
const open_module = @import("wal/open.zig");
const options = @import("options.zig");
const persister_module = @import("wal/persister.zig");
const unused = @import("unused.zig");
const Channel = @import("channel.zig").Channel;
const Consumer = @import("consumer.zig").Consumer;
const Persister = persister_module.Persister;
const Producer = @import("producer.zig").Producer;
const Status = @import("status.zig").Status;
const DetailOut = exports.DetailOut;
const code = exports.code;

fn statusOf(err: persister_module.Error) Status {
    return switch (err) {
        error.Corrupt => .corrupt_log,
        error.OtherLog => .other_log,
        error.Mismatch => .other_log,
        error.Busy => .busy,
        error.NotFound => .not_found,
        error.AlreadyExists => .already_exists,
        error.NoSpace => .no_space,
        error.UnsafeFile => .unsafe_file,
        error.UnsupportedFileSystem => .unsupported_file_system,
        error.TableFull => .table_full,
        error.Truncated => .truncated,
        error.CorruptHeader => .corrupt_header,
        error.CorruptRecord => .corrupt_record,
        error.Os, error.OutOfMemory, error.Other => .os_error,
    };
}

/// What a log has said when it was opened.
pub const LogFacts = extern struct {
    next_sequence: f64,
    salt: u32,
    reserved_0: u32 = 0,
    log_id: [16]u8,
    report: open_module.Report,
};

/// Opens a log's directory (zero-ended absolute path) to write in it. `parameters` holds a
/// `PersisterParameters`. Returns a persister handle, which does nothing yet.
pub export fn mt_persister_open(
    path: [*:0]const u8,
    parameters: [*]const u8,
    detail: [*]u8,
) callconv(.c) i32 {
    var result: DetailOut = .{ .bytes = detail };
    const wanted = options.PersisterParameters.read(parameters);
    const persister_options = wanted.toOptions() orelse return result.finish(.invalid_argument);
    const persister = Persister.init(path, persister_options, &result.value) catch |err|
        return result.finish(statusOf(err));
    return exports.addHandle(Persister, persister, &result);
}

/// Opens the log, and repairs its end, unless another persister has it. Returns 1 and writes
/// `LogFacts` if it is ours, 0 if not.
pub export fn mt_persister_acquire(handle: u32, facts: [*]u8, detail: [*]u8) callconv(.c) i32 {
    var result: DetailOut = .{ .bytes = detail };
    const persister = handles.get(Persister, handle) orelse return result.finish(.closed);
    const is_ours = persister.acquire(&result.value) catch |err|
        return result.finish(statusOf(err));
    _ = result.finish(.ok);
    if (!is_ours) return 0;
    const log = &persister.log.?;
    const value: LogFacts = .{
        .next_sequence = @floatFromInt(log.nextSequence()),
        .salt = log.control.log.salt,
        .log_id = log.control.log.log_id,
        .report = persister.report,
    };
    @memcpy(facts[0..@sizeOf(LogFacts)], std.mem.asBytes(&value));
    return 1;
}

/// Starts writing what comes through the ring file (zero-ended absolute path) of that channel.
pub export fn mt_persister_start(
    handle: u32,
    path: [*:0]const u8,
    name: [*]const u8,
    name_bytes: u32,
    detail: [*]u8,
) callconv(.c) i32 {
    var result: DetailOut = .{ .bytes = detail };
    const persister = handles.get(Persister, handle) orelse return result.finish(.closed);
    if (name_bytes > constants.name_bytes_max) return result.finish(.invalid_argument);
    const place = file.Place.open(path, false, &result.value) catch |err|
        return result.finish(file.statusOf(err));
    defer place.close();
    persister.start(place, name[0..name_bytes], &result.value) catch |err|
        return result.finish(statusOf(err));
    return result.finish(.ok);
}

/// Writes a `DurabilityReport`.
pub export fn mt_channel_durability(handle: u32, out: [*]u8) callconv(.c) i32 {
    const channel = handles.get(Channel, handle) orelse return code(.closed);
    const value = durability.report(channel);
    @memcpy(out[0..@sizeOf(durability.DurabilityReport)], std.mem.asBytes(&value));
    return code(if (channel.isPoisoned()) .truncated else .ok);
}

/// Lets consumers of the channel read its log in that directory (zero-ended absolute path). Returns
/// 1 if it is the one that the channel's file names, 0 if not: then nothing changes.
pub export fn mt_channel_grant_log(handle: u32, path: [*:0]const u8) callconv(.c) i32 {
    const channel = handles.get(Channel, handle) orelse return code(.closed);
    return @intFromBool(channel.grantLog(std.mem.span(path)));
}

/// Last sequence that is on the disk.
pub export fn mt_producer_durable(handle: u32) callconv(.c) f64 {
    const producer = handles.get(Producer, handle) orelse return exports.codeAsFloat(.closed);
    return exports.toFloat(durability.durable(&producer.ring));
}

/// Spins, then sleeps for up to `timeout_ms`, until a sequence is on the disk.
pub export fn mt_producer_await_durable(
    handle: u32,
    sequence: f64,
    spins: u32,
    timeout_ms: u32,
) callconv(.c) i32 {
    const producer = handles.get(Producer, handle) orelse return code(.closed);
    const wanted = exports.toSequence(sequence) orelse return code(.invalid_argument);
    const timeout_ns = exports.msToNs(timeout_ms);
    return code(durability.awaitDurable(producer, &wanted, spins, timeout_ns));
}

/// Says for which sequence `mt_producer_durable_wait` is, the next one or the one under way. After
/// lowering it, look at `mt_producer_durable`: only a later commit ends the wait.
pub export fn mt_producer_want_durable(handle: u32, sequence: f64) callconv(.c) i32 {
    const producer = handles.get(Producer, handle) orelse return code(.closed);
    const wanted = exports.toSequence(sequence) orelse return code(.invalid_argument);
    durability.want(producer, wanted);
    return code(.ok);
}

/// Sleeps on another thread, for up to `timeout_ms`, until what is wanted is on the disk.
pub export fn mt_producer_durable_wait(handle: u32, timeout_ms: u32) callconv(.c) i32 {
    const producer = handles.enterWait(Producer, handle) orelse return code(.closed);
    defer handles.leaveWait(Producer, producer);
    const timeout_ns = exports.msToNs(timeout_ms);
    return code(durability.awaitDurable(producer, &producer.wanted_durable, 0, timeout_ns));
}

/// Makes the log keep everything from a sequence on for this consumer, whatever it acknowledges.
pub export fn mt_consumer_keep(handle: u32, sequence: f64) callconv(.c) i32 {
    const consumer = handles.get(Consumer, handle) orelse return code(.closed);
    const wanted = exports.toSequence(sequence) orelse return code(.invalid_argument);
    const slot = consumer.slot orelse return code(.invalid_argument);
    @atomicStore(u64, &slot.keep, wanted, .release);
    return code(.ok);
}

/// Removes a channel's file (zero-ended absolute path) if no living process has it open, and its
/// log lacks nothing; with `only_look` nothing is removed. Returns an `unused.Verdict`.
pub export fn mt_channel_remove_unused(
    path: [*:0]const u8,
    only_look: u32,
    detail: [*]u8,
) callconv(.c) i32 {
    var result: DetailOut = .{ .bytes = detail };
    const place = file.Place.open(path, false, &result.value) catch |err|
        return result.finish(file.statusOf(err));
    defer place.close();
    const verdict = unused.remove(place, abi.fingerprint, only_look != 0, &result.value) catch |err|
        return result.finish(file.statusOf(err));
    _ = result.finish(.ok);
    return @intCast(@intFromEnum(verdict));
}

/// Removes a named consumer that does not live: its slot, and what its log keeps for it.
pub export fn mt_channel_remove_consumer(
    handle: u32,
    name: [*]const u8,
    name_bytes: u32,
    detail: [*]u8,
) callconv(.c) i32 {
    var result: DetailOut = .{ .bytes = detail };
    const channel = handles.get(Channel, handle) orelse return result.finish(.closed);
    const is_name = name_bytes > 0 and name_bytes <= constants.name_bytes_max;
    if (!is_name or channel.access == .read_only) return result.finish(.invalid_argument);
    consumer_removal.remove(channel, name[0..name_bytes], &result.value) catch |err|
        return result.finish(consumer_removal.statusOf(err));
    return result.finish(if (channel.isPoisoned()) .truncated else .ok);
}

/// Writes the `Detail` of a consumer's last `corrupt_log` or `sequence_gone`.
pub export fn mt_consumer_log_detail(handle: u32, detail: [*]u8) callconv(.c) i32 {
    const consumer = handles.get(Consumer, handle) orelse return code(.closed);
    const result: DetailOut = .{ .value = consumer.logDetail(), .bytes = detail };
    return result.finish(.ok);
}
