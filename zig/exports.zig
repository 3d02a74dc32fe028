//! The border: every function that TypeScript calls. Convert, delegate, map to `Status`.
//!
//! - Nothing that comes in is trusted: handles are looked up, sizes checked, text bounded. A panic
//!   here would end the whole Deno process.
//! - Results: `i32` and `f64` are `>= 0` or a negative `Status`; sequences and positions travel as
//!   `f64`, exact up to 2^53, because a 64-bit integer would be a `bigint` in JavaScript.
//! - Functions whose name ends in `_wait` sleep and are called on another thread (`nonblocking`).
//! - Buffers: `[*]` parameters take a typed array of at least the stated size.
const std = @import("std");
const abi = @import("abi.zig");
const affinity = @import("affinity.zig");
const channel_module = @import("channel.zig");
const clock = @import("clock.zig");
const constants = @import("constants.zig");
const consumer_module = @import("consumer.zig");
const consumer_park = @import("consumer_park.zig");
const crc32c = @import("crc32c.zig");
const directory = @import("directory.zig");
const file = @import("file.zig");
const handles = @import("handles.zig");
const header = @import("header.zig");
const notifier = @import("notifier.zig");
const options = @import("options.zig");
const pin = @import("pin.zig");
const producer_module = @import("producer.zig");
const record = @import("record.zig");
const report = @import("report.zig");
const Channel = channel_module.Channel;
const Consumer = consumer_module.Consumer;
const Detail = @import("detail.zig").Detail;
const Producer = producer_module.Producer;
const Status = @import("status.zig").Status;

pub fn code(status: Status) i32 {
    return @intFromEnum(status);
}

pub fn codeAsFloat(status: Status) f64 {
    return @floatFromInt(@intFromEnum(status));
}

pub fn toFloat(value: u64) f64 {
    // A hostile word may be larger than any that is counted.
    return @floatFromInt(@as(i64, @intCast(@min(value, std.math.maxInt(i64)))));
}

/// A sequence from JavaScript; null for what is none.
pub fn toSequence(value: f64) ?u64 {
    if (!(value >= 0 and value < 9007199254740992)) return null;
    return @intFromFloat(value);
}

/// Copies a detail out, whatever the alignment of JavaScript's buffer.
pub const DetailOut = struct {
    value: Detail = .{},
    bytes: [*]u8,

    pub fn finish(out: *const DetailOut, status: Status) i32 {
        @memcpy(out.bytes[0..@sizeOf(Detail)], std.mem.asBytes(&out.value));
        return code(status);
    }
};

fn channelStatus(err: channel_module.Error) Status {
    return switch (err) {
        error.TableFull => .table_full,
        error.OutOfMemory => .os_error,
        else => |other| file.statusOf(@errorCast(other)),
    };
}

/// What went wrong, unless the file was truncated, which explains all else.
fn poisonedOr(channel: *const Channel, status: Status) Status {
    return if (channel.isPoisoned()) .truncated else status;
}

pub fn addHandle(comptime T: type, object: *T, out: *const DetailOut) i32 {
    const handle = handles.add(T, object) catch {
        switch (T) {
            Channel => object.release(),
            else => object.deinit(),
        }
        return out.finish(.table_full);
    };
    return @intCast(handle);
}

/// A number that changes with the shape of any shared struct.
pub export fn mt_abi_fingerprint() callconv(.c) u32 {
    return abi.fingerprint;
}

/// Keeps the library in memory for the life of the process, whatever `dlclose` is called; a thread
/// that is inside it, or a callback under way, would otherwise return into nothing.
pub export fn mt_library_pin() callconv(.c) i32 {
    return code(if (pin.pinLibrary()) .ok else .os_error);
}

/// Writes the default directory's path. Returns its bytes.
pub export fn mt_directory_default(out: [*]u8, size: u32) callconv(.c) i32 {
    const path = directory.defaultPath(out[0..size]) orelse return code(.invalid_argument);
    return @intCast(path.len);
}

/// Writes the channels' names in a directory (zero-ended path), each with a zero behind it. Returns
/// the bytes that all of them need.
pub export fn mt_directory_list(
    path: [*:0]const u8,
    out: [*]u8,
    size: u32,
    detail: [*]u8,
) callconv(.c) i32 {
    return listNames(path, file.ring_suffix, out[0..size], detail);
}

/// Writes the names of a directory's files with that suffix, without it, a zero behind each.
pub fn listNames(path: [*:0]const u8, suffix: []const u8, out: []u8, detail: [*]u8) i32 {
    var result: DetailOut = .{ .bytes = detail };
    const opened = file.Directory.openOfAny(path, false, &result.value) catch |err|
        return result.finish(file.statusOf(err));
    defer opened.close();
    const needed = directory.list(opened, suffix, out, &result.value) catch |err|
        return result.finish(file.statusOf(err));
    return std.math.cast(i32, needed) orelse code(.invalid_argument);
}

/// Makes a channel's file (zero-ended absolute path) and opens it. `parameters` holds a
/// `CreateParameters`. Returns a channel handle.
pub export fn mt_channel_create(
    path: [*:0]const u8,
    parameters: [*]const u8,
    detail: [*]u8,
) callconv(.c) i32 {
    var result: DetailOut = .{ .bytes = detail };
    const wanted = options.CreateParameters.read(parameters);
    const identity = wanted.identity() orelse return result.finish(.invalid_argument);
    const place = file.Place.open(path, wanted.make_directory != 0, &result.value) catch |err|
        return result.finish(file.statusOf(err));
    defer place.close();
    const map_options = wanted.map.toOptions(.read_write);
    const channel = channel_module.create(
        place,
        &identity,
        wanted.groupId(),
        map_options,
        &result.value,
    ) catch |err| return result.finish(channelStatus(err));
    return addHandle(Channel, channel, &result);
}

/// Opens a channel's file (zero-ended absolute path). `parameters` holds an `OpenParameters`.
/// Returns a channel handle.
pub export fn mt_channel_open(
    path: [*:0]const u8,
    parameters: [*]const u8,
    detail: [*]u8,
) callconv(.c) i32 {
    var result: DetailOut = .{ .bytes = detail };
    const wanted = options.OpenParameters.read(parameters);
    const name = wanted.nameText() orelse return result.finish(.invalid_argument);
    const place = file.Place.open(path, false, &result.value) catch |err|
        return result.finish(file.statusOf(err));
    defer place.close();
    const access: file.Access = if (wanted.read_only != 0) .read_only else .read_write;
    const map_options = wanted.map.toOptions(access);
    const channel = channel_module.open(place, name, map_options, &result.value) catch |err|
        return result.finish(channelStatus(err));
    return addHandle(Channel, channel, &result);
}

/// Removes a channel's file (zero-ended absolute path). Processes that have it open go on with what
/// they have.
pub export fn mt_channel_remove(path: [*:0]const u8, detail: [*]u8) callconv(.c) i32 {
    var result: DetailOut = .{ .bytes = detail };
    const place = file.Place.open(path, false, &result.value) catch |err|
        return result.finish(file.statusOf(err));
    defer place.close();
    file.remove(place, &result.value) catch |err| return result.finish(file.statusOf(err));
    return code(.ok);
}

/// Removes a channel's file (zero-ended absolute path) if it is of before this host's last start.
/// Returns 1 if it was removed, 0 if there was nothing to remove.
pub export fn mt_channel_remove_stale(path: [*:0]const u8, detail: [*]u8) callconv(.c) i32 {
    var result: DetailOut = .{ .bytes = detail };
    const place = file.Place.open(path, false, &result.value) catch |err|
        return result.finish(file.statusOf(err));
    defer place.close();
    const is_removed = file.removeStale(place, abi.fingerprint, &result.value) catch |err|
        return result.finish(file.statusOf(err));
    return if (is_removed) 1 else 0;
}

/// Copies the channel's `Identity` to `out`.
pub export fn mt_channel_identity(handle: u32, out: [*]u8) callconv(.c) i32 {
    const channel = handles.get(Channel, handle) orelse return code(.closed);
    @memcpy(out[0..@sizeOf(header.Identity)], std.mem.asBytes(&channel.identity));
    return code(.ok);
}

/// Writes a `ChannelReport`.
pub export fn mt_channel_report(handle: u32, out: [*]u8) callconv(.c) i32 {
    const channel = handles.get(Channel, handle) orelse return code(.closed);
    const value = report.ofChannel(channel);
    @memcpy(out[0..@sizeOf(report.ChannelReport)], std.mem.asBytes(&value));
    return code(if (channel.isPoisoned()) .truncated else .ok);
}

/// Writes the `PeerReport` of a producer slot. `not_found` for a free one.
pub export fn mt_channel_producer(handle: u32, index: u32, out: [*]u8) callconv(.c) i32 {
    const channel = handles.get(Channel, handle) orelse return code(.closed);
    const value = report.ofProducer(channel, index) orelse return code(.not_found);
    @memcpy(out[0..@sizeOf(report.PeerReport)], std.mem.asBytes(&value));
    return code(.ok);
}

/// Writes the `PeerReport` of a consumer slot. `not_found` for a free one.
pub export fn mt_channel_consumer(handle: u32, index: u32, out: [*]u8) callconv(.c) i32 {
    const channel = handles.get(Channel, handle) orelse return code(.closed);
    const value = report.ofConsumer(channel, index) orelse return code(.not_found);
    @memcpy(out[0..@sizeOf(report.PeerReport)], std.mem.asBytes(&value));
    return code(.ok);
}

/// Hand-off latency of a consumer slot: `out[i]` gets the value in ns below which the share
/// `shares[i]` of its messages lies. Returns the number of messages measured; `invalid_argument`
/// if one of the shares is not from 0 to 1.
pub export fn mt_channel_latency(
    handle: u32,
    index: u32,
    shares: [*]const f64,
    out: [*]f64,
    count: u32,
) callconv(.c) f64 {
    const channel = handles.get(Channel, handle) orelse return codeAsFloat(.closed);
    if (index >= channel.ring.consumers_max) return codeAsFloat(.invalid_argument);
    const latency = &channel.ring.consumers[index].latency;
    for (shares[0..count], out[0..count]) |share, *value| {
        if (!(share >= 0 and share <= 1)) return codeAsFloat(.invalid_argument);
        value.* = @floatFromInt(latency.percentile(share * 100));
    }
    return @floatFromInt(@atomicLoad(u64, &latency.count, .monotonic));
}

/// Address of the data area, mapped twice in a row: `2 × capacity` bytes. For view mode.
pub export fn mt_channel_data(handle: u32) callconv(.c) ?*anyopaque {
    const channel = handles.get(Channel, handle) orelse return null;
    return channel.ring.data;
}

/// Closes a handle of any kind. Ends its waits first. `closed` if it was closed before.
pub export fn mt_close(handle: u32) callconv(.c) i32 {
    return code(if (handles.close(handle)) .ok else .closed);
}

/// Opens a producer. Returns a producer handle.
pub export fn mt_producer_open(
    channel_handle: u32,
    name: [*]const u8,
    name_bytes: u32,
    detail: [*]u8,
) callconv(.c) i32 {
    var result: DetailOut = .{ .bytes = detail };
    const channel = handles.get(Channel, channel_handle) orelse return result.finish(.closed);
    if (name_bytes > constants.name_bytes_max) return result.finish(.invalid_argument);
    if (channel.access == .read_only) return result.finish(.invalid_argument);
    const producer = Producer.init(channel, name[0..name_bytes], &result.value) catch |err| {
        return result.finish(poisonedOr(channel, producer_module.statusOf(err)));
    };
    return addHandle(Producer, producer, &result);
}

fn sequenceOrCode(result: producer_module.Error!u64) f64 {
    const value = result catch |err| return codeAsFloat(producer_module.statusOf(err));
    return toFloat(value);
}

/// Publishes one message. Returns its sequence.
pub export fn mt_producer_offer(
    handle: u32,
    payload: [*]const u8,
    length: u32,
    user_flags: u32,
) callconv(.c) f64 {
    const producer = handles.get(Producer, handle) orelse return codeAsFloat(.closed);
    return sequenceOrCode(producer.offer(payload[0..length], userFlags(user_flags)));
}

/// Only the application's own bits come in.
inline fn userFlags(flags: u32) u8 {
    return @as(u8, @truncate(flags)) & (record.Flags.user | record.Flags.critical);
}

/// Publishes `count` messages that lie one after the other, in one visible step. Returns the last
/// sequence.
pub export fn mt_producer_offer_batch(
    handle: u32,
    payload: [*]const u8,
    lengths: [*]const u32,
    count: u32,
) callconv(.c) f64 {
    const producer = handles.get(Producer, handle) orelse return codeAsFloat(.closed);
    return sequenceOrCode(producer.offerBatch(payload, .{ .array = lengths, .count = count }));
}

/// The same for messages of one length.
pub export fn mt_producer_offer_equal(
    handle: u32,
    payload: [*]const u8,
    length: u32,
    count: u32,
) callconv(.c) f64 {
    const producer = handles.get(Producer, handle) orelse return codeAsFloat(.closed);
    const lengths: producer_module.Lengths = .{ .array = null, .each = length, .count = count };
    return sequenceOrCode(producer.offerBatch(payload, lengths));
}

/// Reserves room for a message. Returns its payload's offset in the data area.
pub export fn mt_producer_try_claim(handle: u32, length: u32) callconv(.c) f64 {
    const producer = handles.get(Producer, handle) orelse return codeAsFloat(.closed);
    return sequenceOrCode(producer.tryClaim(length));
}

/// Publishes the open claim, copying `payload` in unless it is null. Returns its sequence.
pub export fn mt_producer_publish(
    handle: u32,
    payload: ?[*]const u8,
    user_flags: u32,
) callconv(.c) f64 {
    const producer = handles.get(Producer, handle) orelse return codeAsFloat(.closed);
    return sequenceOrCode(producer.publish(payload, userFlags(user_flags)));
}

/// Gives the open claim back.
pub export fn mt_producer_abort(handle: u32) callconv(.c) i32 {
    const producer = handles.get(Producer, handle) orelse return code(.closed);
    producer.abort() catch |err| return code(producer_module.statusOf(err));
    return code(.ok);
}

/// Longest message of one record, in bytes.
pub export fn mt_producer_payload_max(handle: u32) callconv(.c) f64 {
    const producer = handles.get(Producer, handle) orelse return codeAsFloat(.closed);
    return toFloat(producer.payloadMax());
}

/// Longest message, in bytes; beyond `payload_max` it is split.
pub export fn mt_producer_message_max(handle: u32) callconv(.c) f64 {
    const producer = handles.get(Producer, handle) orelse return codeAsFloat(.closed);
    return toFloat(producer.messageMax());
}

/// Writes the `PeerReport` of the consumer that holds this producer back most. `not_found` if none.
pub export fn mt_producer_gating(handle: u32, out: [*]u8) callconv(.c) i32 {
    const producer = handles.get(Producer, handle) orelse return code(.closed);
    const index = producer.slowest() orelse return code(.not_found);
    const value = report.ofConsumer(producer.channel, index) orelse return code(.not_found);
    @memcpy(out[0..@sizeOf(report.PeerReport)], std.mem.asBytes(&value));
    return code(.ok);
}

/// Sleeps until what was refused last would fit, on the calling thread.
pub export fn mt_producer_park(handle: u32, timeout_ms: u32) callconv(.c) i32 {
    const producer = handles.get(Producer, handle) orelse return code(.closed);
    return code(producer.park(msToNs(timeout_ms), true));
}

/// The same on another thread.
pub export fn mt_producer_wait(handle: u32, timeout_ms: u32) callconv(.c) i32 {
    const producer = handles.enterWait(Producer, handle) orelse return code(.closed);
    defer handles.leaveWait(Producer, producer);
    return code(producer.park(msToNs(timeout_ms), false));
}

pub fn msToNs(ms: u32) u64 {
    return @as(u64, ms) * std.time.ns_per_ms;
}

/// Opens a consumer. `parameters` holds a `ConsumerParameters`. Returns a consumer handle.
pub export fn mt_consumer_open(
    channel_handle: u32,
    parameters: [*]const u8,
    detail: [*]u8,
) callconv(.c) i32 {
    var result: DetailOut = .{ .bytes = detail };
    const channel = handles.get(Channel, channel_handle) orelse return result.finish(.closed);
    const wanted = options.ConsumerParameters.read(parameters);
    const consumer_options = wanted.toOptions() orelse return result.finish(.invalid_argument);
    const is_observer = wanted.observes != 0;
    if (!is_observer and channel.access == .read_only) return result.finish(.invalid_argument);
    const opened = if (is_observer)
        Consumer.initObserver(
            channel,
            consumer_options.start,
            consumer_options.replays,
            &result.value,
        )
    else
        Consumer.init(channel, consumer_options, &result.value);
    const consumer = opened catch |err| {
        return result.finish(poisonedOr(channel, consumer_module.statusOf(err)));
    };
    return addHandle(Consumer, consumer, &result);
}

fn countOrCode(result: consumer_module.Error!u32) i32 {
    const value = result catch |err| return code(consumer_module.statusOf(err));
    return @intCast(value);
}

const poll_limit_max = std.math.maxInt(i32);

/// Copies up to `limit` messages to `out` (8-byte aligned), each behind a `Delivery`. Returns how
/// many.
pub export fn mt_consumer_poll(
    handle: u32,
    out: [*]u8,
    size: u32,
    limit: u32,
) callconv(.c) i32 {
    const consumer = handles.get(Consumer, handle) orelse return code(.closed);
    return countOrCode(consumer.poll(out[0..size], @min(limit, poll_limit_max), false));
}

/// The same, after spinning for `spins` looks and then sleeping for up to `timeout_ms`.
pub export fn mt_consumer_poll_parked(
    handle: u32,
    out: [*]u8,
    size: u32,
    limit: u32,
    spins: u32,
    timeout_ms: u32,
) callconv(.c) i32 {
    const consumer = handles.get(Consumer, handle) orelse return code(.closed);
    switch (parkConsumer(consumer, spins, timeout_ms)) {
        .ok, .timed_out => {},
        else => |status| return code(status),
    }
    return countOrCode(consumer.poll(out[0..size], @min(limit, poll_limit_max), false));
}

/// Like `mt_consumer_poll`, without payloads: `Delivery.offset` says where they lie.
pub export fn mt_consumer_poll_in_place(
    handle: u32,
    out: [*]u8,
    size: u32,
    limit: u32,
) callconv(.c) i32 {
    const consumer = handles.get(Consumer, handle) orelse return code(.closed);
    if (consumer.slot == null or consumer.policy != .block) return code(.invalid_argument);
    return countOrCode(consumer.poll(out[0..size], @min(limit, poll_limit_max), true));
}

/// Frees the space of everything that was polled.
pub export fn mt_consumer_ack_all(handle: u32) callconv(.c) i32 {
    const consumer = handles.get(Consumer, handle) orelse return code(.closed);
    consumer.ackAll();
    return code(if (consumer.channel.isPoisoned()) .truncated else .ok);
}

/// Frees the space up to and including a sequence.
pub export fn mt_consumer_ack(handle: u32, sequence: f64) callconv(.c) i32 {
    const consumer = handles.get(Consumer, handle) orelse return code(.closed);
    const wanted = toSequence(sequence) orelse return code(.invalid_argument);
    consumer.ack(wanted) catch |err| return code(consumer_module.statusOf(err));
    return code(if (consumer.channel.isPoisoned()) .truncated else .ok);
}

/// Makes the next poll begin behind a sequence that was delivered or acknowledged.
pub export fn mt_consumer_rewind(handle: u32, sequence: f64) callconv(.c) i32 {
    const consumer = handles.get(Consumer, handle) orelse return code(.closed);
    const wanted = toSequence(sequence) orelse return code(.invalid_argument);
    consumer.rewind(wanted) catch |err| return code(consumer_module.statusOf(err));
    return code(.ok);
}

/// 1 if a poll would have something to say, 0 if not.
pub export fn mt_consumer_peek(handle: u32) callconv(.c) i32 {
    const consumer = handles.get(Consumer, handle) orelse return code(.closed);
    const has_news = consumer.peek() catch |err| return code(consumer_module.statusOf(err));
    return if (has_news) 1 else 0;
}

/// Spins for `spins` looks, then sleeps for up to `timeout_ms`, until a poll has something to say.
pub export fn mt_consumer_park(handle: u32, spins: u32, timeout_ms: u32) callconv(.c) i32 {
    const consumer = handles.get(Consumer, handle) orelse return code(.closed);
    return code(parkConsumer(consumer, spins, timeout_ms));
}

inline fn parkConsumer(consumer: *Consumer, spins: u32, timeout_ms: u32) Status {
    if (timeout_ms == 0) return consumer.spin(spins);
    if (consumer.channel.access == .read_only) return .invalid_argument;
    return consumer_park.park(consumer, spins, msToNs(timeout_ms));
}

/// Last sequence acknowledged; 0 if none ever was.
pub export fn mt_consumer_cursor(handle: u32) callconv(.c) f64 {
    const consumer = handles.get(Consumer, handle) orelse return codeAsFloat(.closed);
    return toFloat(consumer.acked.sequence -| 1);
}

/// After `lapped`: goes on behind the gap, which the detail tells.
pub export fn mt_consumer_skip_gap(handle: u32, detail: [*]u8) callconv(.c) i32 {
    var result: DetailOut = .{ .bytes = detail };
    const consumer = handles.get(Consumer, handle) orelse return result.finish(.closed);
    consumer.skipGap(&result.value) catch |err|
        return result.finish(consumer_module.statusOf(err));
    return result.finish(.ok);
}

/// Writes a `Fault`: what stands at the consumer's place and what should.
pub export fn mt_consumer_fault(handle: u32, out: [*]u8) callconv(.c) i32 {
    const consumer = handles.get(Consumer, handle) orelse return code(.closed);
    const value = report.faultOf(consumer);
    @memcpy(out[0..@sizeOf(report.Fault)], std.mem.asBytes(&value));
    return code(.ok);
}

/// Sleeps until a poll has something to say, on another thread.
pub export fn mt_consumer_wait(handle: u32, timeout_ms: u32) callconv(.c) i32 {
    const consumer = handles.enterWait(Consumer, handle) orelse return code(.closed);
    defer handles.leaveWait(Consumer, consumer);
    if (consumer.channel.access == .read_only) return code(.invalid_argument);
    return code(consumer_park.park(consumer, 0, msToNs(timeout_ms)));
}

/// Makes `mt_notifier_wait` return `token` (not 0) once, when a poll has something to say. Returns
/// the isolate to pass there.
pub export fn mt_consumer_arm(handle: u32, token: u32) callconv(.c) i32 {
    const consumer = handles.get(Consumer, handle) orelse return code(.closed);
    if (consumer.channel.access == .read_only or token == 0) return code(.invalid_argument);
    const isolate = handles.isolate();
    notifier.arm(consumer, isolate, token) catch return code(.table_full);
    return @intCast(isolate);
}

/// Makes it return the consumer's token now.
pub export fn mt_consumer_disarm(handle: u32) callconv(.c) i32 {
    const consumer = handles.get(Consumer, handle) orelse return code(.closed);
    notifier.disarm(consumer);
    return code(.ok);
}

/// Returns the token of a consumer of the isolate that has something to say, or 0.
pub export fn mt_notifier_take(isolate: u32) callconv(.c) u32 {
    return notifier.take(isolate);
}

/// The same, sleeping for up to `timeout_ms`, on another thread. 0 when there was none.
pub export fn mt_notifier_wait(isolate: u32, timeout_ms: u32) callconv(.c) u32 {
    return notifier.waitFor(isolate, msToNs(timeout_ms));
}

/// The monotonic clock in ns.
pub export fn mt_clock_monotonic_ns() callconv(.c) f64 {
    return toFloat(clock.monotonicNs());
}

/// Ticks of the clock that timestamps are made of, in a second.
pub export fn mt_clock_ticks_per_second() callconv(.c) f64 {
    return clock.ticksPerSecond();
}

/// Which clock that is: a `clock.Source`.
pub export fn mt_clock_source() callconv(.c) u32 {
    return @intFromEnum(clock.source());
}

/// Pins the calling thread to a processor core.
pub export fn mt_affinity_pin(core: u32) callconv(.c) i32 {
    affinity.pinThread(core) catch return code(.invalid_argument);
    return code(.ok);
}

/// CRC-32C of bytes, as RFC 3720 has it.
pub export fn mt_crc32c(bytes: [*]const u8, size: u32) callconv(.c) u32 {
    return crc32c.checksum(bytes[0..size]);
}

/// Verifies a record that lies in `bytes`. Returns its bytes up to the next record, or a `Status`.
pub export fn mt_record_verify(
    bytes: [*]const u8,
    size: u32,
    salt: u32,
    sequence: f64,
) callconv(.c) i32 {
    const wanted = toSequence(sequence) orelse return code(.invalid_argument);
    return report.verifyRecord(bytes[0..size], salt, wanted);
}
