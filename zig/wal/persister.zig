//! Persister: writes a channel's records to its log, in a thread of the process that opened it.
//!
//! It is a consumer that holds producers back, dead or alive. Each turn takes what has arrived
//! during the last sync (batch.zig), appends it as one group, syncs, tells how far the log is, and
//! gives the room back. So groups grow with the load, and a lone record is durable after one sync.
//!
//! - One persister writes a log: the lock on its `LOCK` file says so, which the kernel releases
//!   when its holder dies. Others wait for that and take over where the log ends.
//! - What the ring has and the log has not is written by whoever comes next. What was in the log
//!   and not told of is not written twice: sequences say where to go on.
//! - A disk without room refuses producers and is asked again. A sync that fails ends it for good.
const std = @import("std");
const batch_module = @import("batch.zig");
const build_options = @import("build_options");
const catch_up = @import("catch_up.zig");
const channel_module = @import("../channel.zig");
const clock = @import("../clock.zig");
const constants = @import("../constants.zig");
const control = @import("control.zig");
const consumer_park = @import("../consumer_park.zig");
const disk = @import("disk.zig");
const file = @import("../file.zig");
const futex = @import("../futex.zig");
const header = @import("../header.zig");
const history = @import("../history.zig");
const log_module = @import("log.zig");
const open_module = @import("open.zig");
const owner = @import("owner.zig");
const planted = @import("../testing/planted.zig");
const preparer_module = @import("preparer.zig");
const retention = @import("retention.zig");
const scan = @import("scan.zig");
const Status = @import("../status.zig").Status;
const Batch = batch_module.Batch;
const Channel = channel_module.Channel;
const Consumer = @import("../consumer.zig").Consumer;
const Detail = @import("../detail.zig").Detail;
const Log = log_module.Log(disk);
const memory = @import("../memory.zig").direct;
const wait = @import("../wait.zig").Protocol(memory);

pub const Opener = open_module.Opener(disk);

const allocator = std.heap.c_allocator;

pub const Error = Opener.Error || error{
    Busy,
    TableFull,
    Truncated,
    CorruptHeader,
    CorruptRecord,
    Mismatch,
    Other,
};

/// When a group is made durable.
pub const SyncMode = enum(u32) { group = 0, interval = 1, none = 2 };

pub const Options = struct {
    log: log_module.Options,
    sync: SyncMode,
    sync_interval_ns: u64,
    /// How often cursors are written down and segments cut.
    snapshot_interval_ns: u64,
    cap: retention.Cap,
};

/// Looks for the next record between two offers of the core to others, and how many of these come
/// before it sleeps: some 50 us, so that producers of a busy channel seldom pay for a wake-up.
const spins_before_yield = 32;
const yields_before_sleep = 64;

/// Nanoseconds between two tries to get the lock, or room.
const retry_ns = 50_000_000;

/// Tries to get the slot of a persister that no longer has the lock: 5 s.
const busy_tries_max = 100;

pub const Persister = struct {
    options: Options,
    directory: disk.Directory,
    /// Its path, zero-ended; a ring names none that is longer.
    path: [constants.log_path_bytes_max:0]u8,
    lock: owner.Lock,
    body: *batch_module.Body,
    log: ?Log = null,
    report: open_module.Report = .{},
    channel: ?*Channel = null,
    consumer: ?*Consumer = null,
    preparer: preparer_module.Preparer = .{},
    thread: ?std.Thread = null,
    is_stopping: u32 = 0,
    /// 1 when the thread has its place in the ring, or has failed to get it.
    is_started: u32 = 0,
    last_sync_ns: u64 = 0,
    last_snapshot_ns: u64 = 0,
    /// Whether the ring has been told that there is no room.
    is_full: bool = false,
    /// Whether the history was told that segments were cut by force.
    has_noted_cut: bool = false,
    err: ?Error = null,
    detail: Detail = .{},

    /// Opens the log's directory (zero-ended absolute path), making it where its parent exists.
    pub fn init(path: [*:0]const u8, options: Options, detail: *Detail) Error!*Persister {
        const directory = try disk.Directory.open(path, true, detail);
        errdefer directory.close();
        const lock = try owner.Lock.init(directory, detail);
        errdefer lock.deinit();
        const persister = try allocator.create(Persister);
        errdefer allocator.destroy(persister);
        persister.* = .{
            .options = options,
            .directory = directory,
            .path = @splat(0),
            .lock = lock,
            .body = try allocator.create(batch_module.Body),
        };
        const text = std.mem.span(path);
        if (text.len < persister.path.len) @memcpy(persister.path[0..text.len], text);
        return persister;
    }

    /// Opens the log, unless somebody else writes it: then false, and `detail` says who.
    pub fn acquire(persister: *Persister, detail: *Detail) Error!bool {
        if (persister.log != null) return true;
        if (!try persister.lock.take(detail)) return false;
        const options = persister.options.log;
        const report = &persister.report;
        persister.log = Opener.open(persister.directory, options, report, detail) catch |err| {
            persister.lock.release();
            if (err == error.NoSpace) {
                const wanted = options.segment_bytes + 2 * control.slot_bytes; // Of a new log.
                file.fillSpace(.{ .fd = persister.directory.fd }, wanted, detail);
            }
            return err;
        };
        return true;
    }

    /// Starts the thread, for the ring file of that channel. Waits there for the log if it is not
    /// ours.
    pub fn start(
        persister: *Persister,
        place: file.Place,
        name: []const u8,
        detail: *Detail,
    ) Error!void {
        const map_options: channel_module.MapOptions = .{};
        persister.channel = channel_module.open(place, name, map_options, detail) catch |err|
            return narrow(err);
        _ = persister.channel.?.grantLog(std.mem.sliceTo(&persister.path, 0));
        const is_ours = persister.log != null;
        persister.thread = std.Thread.spawn(.{}, run, .{persister}) catch
            return error.OutOfMemory;
        if (!is_ours) return;
        // Its thread takes the slot, so that producers of ours do not think they wait for
        // themselves.
        while (memory.load(u32, &persister.is_started, .acquire) == 0) {
            _ = futex.wait(&persister.is_started, 0, retry_ns);
        }
        detail.* = persister.detail;
        if (persister.err) |err| return err;
    }

    fn narrow(err: anyerror) Error {
        return switch (err) {
            error.TableFull => error.TableFull,
            error.OutOfMemory => error.OutOfMemory,
            error.Os => error.Os,
            error.NotFound => error.NotFound,
            error.Truncated => error.Truncated,
            error.CorruptHeader => error.CorruptHeader,
            error.CorruptRecord => error.CorruptRecord,
            error.Busy => error.Busy,
            else => error.Other,
        };
    }

    /// Ends the thread, after everything that is published by now is in the log, and frees all.
    pub fn deinit(persister: *Persister) void {
        memory.store(u32, &persister.is_stopping, 1, .seq_cst);
        persister.wakeUp();
        if (persister.thread) |thread| thread.join();
        _ = persister.preparer.wait();
        if (persister.consumer) |consumer| consumer.deinit();
        if (persister.channel) |channel| channel.release();
        if (persister.log) |*log| {
            // One that only wanted to know where the log ends leaves it as it was.
            if (persister.thread == null) log.finish(&persister.detail) catch {};
            log.deinit();
        }
        persister.lock.deinit();
        persister.directory.close();
        allocator.destroy(persister.body);
        allocator.destroy(persister);
    }

    fn wakeUp(persister: *Persister) void {
        futex.wakeAll(memory, &persister.is_stopping);
        const channel = persister.channel orelse return;
        if (persister.consumer) |consumer| {
            memory.store(u32, &consumer.sleeper.is_closing, 1, .seq_cst);
        }
        const line = &channel.ring.lines.data;
        _ = memory.add(u32, &line.signal, 1);
        futex.wakeAll(memory, &line.signal);
    }

    fn isStopping(persister: *const Persister) bool {
        return memory.load(u32, &persister.is_stopping, .acquire) != 0;
    }

    /// Takes the persister's slot in the ring, and goes to the record that the log wants next.
    fn attach(persister: *Persister, detail: *Detail) Error!void {
        const channel = persister.channel.?;
        const log = &persister.log.?;
        const identity = &channel.identity;
        const is_same = identity.isDurable() and identity.salt == log.control.log.salt and
            std.mem.eql(u8, &identity.log_id, &log.control.log.log_id);
        if (!is_same) return error.Mismatch;
        if (!file.hasName(channel.fd)) { // Its log goes on in the one that takes its place.
            detail.errno = @intFromEnum(scan.Fault.regressed);
            return error.Corrupt;
        }
        const consumer = Consumer.init(channel, .{
            .name = header.persister_name,
            .policy = .hold,
            .start = .checkpoint,
            .replays = false,
        }, detail) catch |err| return narrow(err);
        errdefer consumer.deinit();
        try catch_up.goTo(consumer, log.nextSequence(), detail);
        persister.consumer = consumer;
        if (persister.isStopping()) memory.store(u32, &consumer.sleeper.is_closing, 1, .seq_cst);
        persister.publish();
        persister.setState(.running, 0, 0);
        if (persister.report.torn_bytes > 0) {
            persister.note(.log_repaired, 0, log.nextSequence() - 1);
        }
    }

    /// Tells the channel's history.
    fn note(persister: *const Persister, kind: history.Kind, errno: u32, sequence: u64) void {
        persister.channel.?.note(.{
            .kind = kind,
            .name = header.persister_name,
            .pid = @intCast(std.os.linux.getpid()),
            .sequence = sequence,
            .errno = errno,
        });
    }

    fn run(persister: *Persister) void {
        persister.runUntilStopped() catch |err| {
            persister.fail(err);
            if (persister.consumer == null) persister.giveUp();
        };
        persister.tellStarted();
    }

    /// Leaves the log, in which nothing was written, to whoever can.
    fn giveUp(persister: *Persister) void {
        if (persister.log) |*log| {
            log.deinit();
            persister.log = null;
            persister.lock.release();
        }
    }

    fn tellStarted(persister: *Persister) void {
        memory.store(u32, &persister.is_started, 1, .release);
        futex.wakeAll(memory, &persister.is_started);
    }

    fn runUntilStopped(persister: *Persister) Error!void {
        var busy_tries: u32 = 0;
        while (true) {
            if (persister.isStopping()) return;
            if (try persister.acquire(&persister.detail)) {
                if (persister.attach(&persister.detail)) break else |err| {
                    // A process that dies gives its locks back one after the other.
                    if (err != error.Busy or busy_tries == busy_tries_max) return err;
                    busy_tries += 1;
                }
            }
            _ = futex.wait(&persister.is_stopping, 0, retry_ns);
        }
        persister.tellStarted();
        // What was published before the end was asked for is still taken; no more, as producers
        // may go on for ever.
        var last: ?u64 = null;
        while (true) {
            if (last == null and persister.isStopping()) last = persister.claimed();
            const is_busy = try persister.turn();
            const end = last orelse continue;
            if (!is_busy or persister.consumer.?.position >= end) break;
        }
        persister.windUp() catch |err| {
            // Without room the log ends where it is; whoever opens it next goes on there.
            if (err != error.NoSpace or persister.log.?.is_failed) return err;
        };
        persister.publish();
        persister.setState(.absent, 0, 0);
    }

    /// Position up to which producers have claimed.
    fn claimed(persister: *const Persister) u64 {
        const line = &persister.channel.?.ring.lines.claim_line;
        return memory.load(u64, &line.claim.position, .acquire);
    }

    fn windUp(persister: *Persister) Error!void {
        const log = &persister.log.?;
        _ = try log.settle(&persister.detail);
        try persister.keep();
        try log.finish(&persister.detail);
    }

    /// Writes one group, if there is anything to write; else sleeps. False if there was nothing.
    fn turn(persister: *Persister) Error!bool {
        const log = &persister.log.?;
        const room = log.roomInSegment();
        const consumer = persister.consumer.?;
        const batch: Batch = try .collect(consumer, log.place.chain, room, persister.body);
        if (batch.count == 0 and !batch.is_cut) {
            try persister.rest();
            return false;
        }
        if (batch.count == 0) {
            if (!try persister.hasRoom(persister.rotate())) return !persister.isStopping();
        } else {
            if (!try persister.hasRoom(persister.append(&batch))) return !persister.isStopping();
            try persister.commit(&batch);
        }
        try persister.lookAround();
        return true;
    }

    /// Whether a step was taken. If not, there is no room: producers are told, and it is tried
    /// again.
    fn hasRoom(persister: *Persister, result: Error!void) Error!bool {
        const log = &persister.log.?;
        result catch |err| {
            if (err != error.NoSpace or log.is_failed) return err;
            if (!persister.is_full) persister.setState(.full, persister.detail.errno, 0);
            persister.is_full = true;
            try persister.keep(); // There may be something to cut.
            _ = futex.wait(&persister.is_stopping, 0, retry_ns);
            return false;
        };
        if (persister.is_full) persister.setState(.running, 0, 0);
        persister.is_full = false;
        return true;
    }

    fn append(persister: *Persister, batch: *const Batch) Error!void {
        const body = persister.body.bytes[0..batch.bytes];
        try persister.log.?.append(body, batch.count, batch.chain, &persister.detail);
    }

    fn rotate(persister: *Persister) Error!void {
        const log = &persister.log.?;
        const channel = persister.channel.?;
        const cuts = log.control.forced_cuts;
        defer persister.noteCut(cuts);
        try retention.makeRoom(log, channel, persister.options.cap, &persister.detail);
        if (persister.preparer.wait()) log.has_prepared = true;
        try log.rotate(&persister.detail);
    }

    fn noteCut(persister: *Persister, cuts_before: u32) void {
        const found = &persister.log.?.control;
        if (persister.has_noted_cut or found.forced_cuts == cuts_before) return;
        persister.has_noted_cut = true;
        persister.note(.segments_cut, 0, found.oldest_sequence);
    }

    fn keep(persister: *Persister) Error!void {
        const channel = persister.channel.?;
        retention.keep(&persister.log.?, channel, &persister.detail) catch |err| {
            // Then it is written the next time.
            if (err != error.NoSpace or persister.log.?.is_failed) return err;
        };
    }

    /// Makes the group just appended durable, as the channel wants it, and tells everybody.
    fn commit(persister: *Persister, batch: *const Batch) Error!void {
        const consumer = persister.consumer.?;
        consumer.position = batch.position;
        consumer.sequence = batch.sequence;
        if (planted.is(.early_ack)) persister.publishDurable(batch.sequence - 1);
        const is_due = switch (persister.options.sync) {
            .group => true,
            .interval => batch.has_critical or persister.isSyncDue(),
            .none => batch.has_critical,
        };
        if (build_options.counters) persister.chronicle().group_bytes.record(batch.bytes);
        if (is_due) try persister.syncNow();
        persister.publish();
    }

    fn isSyncDue(persister: *const Persister) bool {
        return clock.monotonicNs() - persister.last_sync_ns >= persister.options.sync_interval_ns;
    }

    fn syncNow(persister: *Persister) Error!void {
        const log = &persister.log.?;
        const begin = clock.monotonicNs();
        try log.sync(&persister.detail);
        const end = clock.monotonicNs();
        persister.last_sync_ns = end;
        const line = persister.durabilityLine();
        line.syncs +%= 1; // Shared words, which a peer may have spoilt.
        line.sync_ns +%= end - begin;
        line.sync_ns_max = @max(line.sync_ns_max, end - begin);
        if (build_options.counters) persister.chronicle().sync_time.record(end - begin);
    }

    fn chronicle(persister: *const Persister) *header.Chronicle {
        return persister.channel.?.ring.chronicle;
    }

    fn durabilityLine(persister: *const Persister) *header.DurabilityLine {
        return &persister.channel.?.ring.lines.durability;
    }

    fn publishDurable(persister: *Persister, sequence: u64) void {
        const lines = persister.channel.?.ring.lines;
        const line = &lines.durability;
        memory.store(u64, &line.durable, sequence, .release);
        if (wait.wake(&lines.commit, &lines.control)) line.wakeups +%= 1;
        line.publishes +%= 1;
    }

    /// Tells how far the log is, and gives the room of what is in it back.
    fn publish(persister: *Persister) void {
        const log = &persister.log.?;
        const line = persister.durabilityLine();
        line.epoch = log.control.epoch;
        line.groups = log.place.group - 1;
        line.log_bytes = log.sizeBytes();
        line.segments = @intCast(log.segments.items.len);
        line.forced_cuts = log.control.forced_cuts;
        memory.store(u64, &line.oldest, log.control.oldest_sequence, .release);
        // Pairs with the acquire of readers, who read in the files up to there.
        memory.store(u64, &line.logged, log.nextSequence() - 1, .release);
        persister.publishDurable(log.durable_sequence);
        persister.consumer.?.ackAll();
    }

    /// Sets what producers are told, and wakes all who wait.
    fn setState(persister: *Persister, state: header.LogState, errno: u32, fault: u32) void {
        const lines = persister.channel.?.ring.lines;
        const line = &lines.durability;
        persister.noteState(line, state, errno);
        memory.store(u32, &line.errno, errno, .monotonic);
        memory.store(u32, &line.fault, fault, .monotonic);
        memory.store(u32, &line.state, @intFromEnum(state), .release);
        const refusal: u32 = switch (state) {
            .absent, .running => header.Refusal.none,
            .full => header.Refusal.full,
            .failed => header.Refusal.failed,
        };
        memory.store(u32, &lines.control.refusal, refusal, .release);
        _ = wait.wake(&lines.commit, &lines.control);
        _ = wait.wake(&lines.space, &lines.control);
    }

    /// Tells the history of what is worth it, before producers can ask.
    fn noteState(
        persister: *const Persister,
        line: *header.DurabilityLine,
        state: header.LogState,
        errno: u32,
    ) void {
        const before = memory.load(u32, &line.state, .acquire);
        const was_running = before == @intFromEnum(header.LogState.running) or
            before == @intFromEnum(header.LogState.absent);
        const kind: history.Kind = switch (state) {
            .absent => return,
            .running => if (was_running) return else .log_resumed,
            .full => .log_full,
            .failed => if (errno == 0) .log_damaged else .log_failed,
        };
        if (state == .full) line.full_times +%= 1;
        const sequence = memory.load(u64, &line.durable, .acquire);
        persister.note(kind, errno, sequence);
    }

    fn fail(persister: *Persister, err: Error) void {
        persister.err = err;
        const number = persister.detail.errno;
        switch (err) {
            error.Busy, error.Mismatch => {}, // It is not ours: another one may well write it.
            error.Corrupt => persister.setState(.failed, 0, number),
            error.CorruptRecord, error.CorruptHeader, error.Truncated => {
                persister.setState(.failed, 0, 0);
            },
            else => persister.setState(.failed, number, 0),
        }
    }

    /// Nothing to write: settles the last group, syncs what is due, sleeps.
    fn rest(persister: *Persister) Error!void {
        const consumer = persister.consumer.?;
        const log = &persister.log.?;
        _ = consumer.peek() catch |err| return narrow(err); // Ends the claims of dead producers.
        var slice_ns: u64 = constants.wait_slice_ns;
        const is_behind = log.durable_end != log.place.offset;
        if (persister.options.sync == .interval and is_behind) {
            slice_ns = @min(slice_ns, persister.options.sync_interval_ns);
        } else if (persister.options.sync == .group and log.is_unsettled) {
            slice_ns = constants.settle_ns;
        }
        switch (awaitRecord(consumer, slice_ns)) {
            .ok, .interrupted, .closed => {},
            .timed_out => {
                if (persister.options.sync == .group) try persister.settle();
            },
            .truncated => return error.Truncated,
            else => return error.CorruptHeader,
        }
        if (persister.options.sync == .interval and is_behind and persister.isSyncDue()) {
            try persister.syncNow();
            persister.publish();
        }
        try persister.lookAround();
    }

    fn settle(persister: *Persister) Error!void {
        const log = &persister.log.?;
        if (!log.is_unsettled) return;
        const result: Error!void = if (log.settle(&persister.detail)) |_| {} else |err| err;
        if (try persister.hasRoom(result)) persister.publish();
    }

    /// Spins, then sleeps. Offers the processor to others meanwhile: a producer that was just told
    /// may wait for this very core.
    fn awaitRecord(consumer: *Consumer, slice_ns: u64) Status {
        for (0..yields_before_sleep) |_| {
            if (consumer.spin(spins_before_yield) == .ok) return .ok;
            std.Thread.yield() catch {};
        }
        return consumer_park.park(consumer, 0, slice_ns);
    }

    /// What is done now and then: the next segment is prepared, cursors are written down.
    fn lookAround(persister: *Persister) Error!void {
        const log = &persister.log.?;
        const half = log.header.segment_bytes / 2;
        if (log.place.offset > half and !log.has_prepared and !persister.isStopping()) {
            persister.preparer.start(persister.directory, log.options.segment_bytes);
        }
        const now = clock.monotonicNs();
        if (now - persister.last_snapshot_ns < persister.options.snapshot_interval_ns) return;
        persister.last_snapshot_ns = now;
        try persister.keep();
        persister.publish();
    }
};
