//! Store: keys and values that survive the host, in one LMDB environment in one directory.
//!
//! - A commit is one transaction: all of its operations or none, durable when it returns.
//! - Every call is complete in itself and may run on any thread; they take turns.
//! - LMDB only writes. The file is checked before it is opened, before each commit, and before
//!   keys are listed or said not to be there (check.zig); reading believes no page of it
//!   (read.zig) and verifies every value (entry.zig).
//! - A truncated file gives an error (sigbus.zig).
//! - After a commit that failed for another reason than a full disk, nothing is known about the
//!   disk: every later call gives that failure, until the store is closed and opened again.
//! - A process that dies leaves the last commit or the one before it, whole.
//! - An assertion that fails in LMDB ends the call (lmdb_guard.c). What may still end the process
//!   is damage done to the structure of data.mdb between a commit's check and its end, which only
//!   this user can do: LMDB believes the sizes in its pages.
const std = @import("std");
const constants = @import("../constants.zig");
const file = @import("../file.zig");
const fault_points = @import("../testing/fault_points.zig");
const lmdb = @import("lmdb.zig");
const lmdb_system = @import("lmdb_system.zig");
const store_check = @import("check.zig");
const store_entry = @import("entry.zig");
const store_pages = @import("pages.zig");
const store_place = @import("place.zig");
const store_read = @import("read.zig");
const Batch = @import("batch.zig").Batch;
const Detail = @import("../detail.zig").Detail;
const Ledger = store_entry.Ledger;
const Operation = @import("batch.zig").Operation;
const Pages = store_pages.Pages;
const Place = store_place.Place;
const Reader = store_read.Reader;
const Sleeper = @import("../sleeper.zig").Sleeper;
const Status = @import("../status.zig").Status;

const allocator = std.heap.c_allocator;

pub const Error = store_place.Error || error{
    OutOfMemory,
    InvalidArgument,
    TooLong,
    CorruptValue,
    CorruptStore,
    Truncated,
    Failed,
};

/// How full a store is.
pub const StoreReport = extern struct {
    /// Address space of the map, in bytes.
    map_bytes: f64 = 0,
    /// Bytes up to the last page in use.
    used_bytes: f64 = 0,
    entries: f64 = 0,
    /// Number of the last commit.
    transaction: f64 = 0,
};

pub const Store = struct {
    /// Calls that are under way, for `handles`.
    sleeper: Sleeper = .{},
    turn: std.c.pthread_mutex_t = .{},
    place: Place,
    environment: *lmdb.Environment,
    database: lmdb.Database,
    incidents: lmdb_system.Incidents = .{},
    ledger: Ledger,
    page_bytes: u32,
    map_bytes: u64,
    /// Bytes of data.mdb after the last commit.
    file_bytes: u64 = 0,
    /// Why the store is of no more use.
    failure: ?Error = null,
    failure_errno: u32 = 0,
    report: StoreReport = .{},
    report_lock: std.atomic.Mutex = .unlocked,

    /// Opens the store in a directory, making what is missing; `make` the directory as well.
    pub fn init(path: [*:0]const u8, map_bytes: u64, make: bool, detail: *Detail) Error!*Store {
        const place: Place = try .open(path, make, detail);
        errdefer place.close();
        const findings = try checked(place, detail);
        const store = try allocator.create(Store);
        errdefer allocator.destroy(store);
        const used_bytes = findings.pages * findings.page_bytes;
        store.* = .{
            .place = place,
            .environment = undefined,
            .database = undefined,
            .ledger = findings.ledger,
            .page_bytes = findings.page_bytes,
            .map_bytes = std.mem.alignForward(u64, @max(map_bytes, used_bytes), 1 << 16),
        };
        lmdb_system.enter(&store.incidents);
        defer lmdb_system.enter(null);
        try store.openEnvironment(detail);
        return store;
    }

    fn openEnvironment(store: *Store, detail: *Detail) Error!void {
        var buffer: store_place.PathBuffer = undefined;
        const path = store.place.path("", &buffer);
        store.environment = try openAt(path, store.map_bytes, detail);
        errdefer store.environment.deinit();
        lmdb.guarded(prepare, .{store}) catch |err| return openError(err, detail);
        if (store.incidents.poisoned != 0) return error.Truncated;
    }

    fn prepare(store: *Store) lmdb.Error!void {
        const transaction = try store.environment.begin(.read);
        defer transaction.abort();
        store.database = try transaction.database();
        try store.refreshReport();
    }

    /// Assumes that no call is under way.
    pub fn deinit(store: *Store) void {
        lmdb_system.enter(&store.incidents);
        store.environment.deinit();
        lmdb_system.enter(null);
        store.place.close();
        allocator.destroy(store);
    }

    fn enter(store: *Store, detail: *Detail) Error!void {
        _ = std.c.pthread_mutex_lock(&store.turn);
        if (store.failure == null and store.isTruncated()) store.failure = error.Truncated;
        const failure = store.failure orelse return lmdb_system.enter(&store.incidents);
        detail.errno = store.failure_errno;
        _ = std.c.pthread_mutex_unlock(&store.turn);
        return failure;
    }

    /// The end of a page in a truncated file reads as zeros and faults nowhere.
    fn isTruncated(store: *Store) bool {
        const bytes = store.sizeNow() catch return false;
        return bytes < store.file_bytes;
    }

    fn sizeNow(store: *Store) lmdb.Error!u64 {
        const fd = try store.environment.descriptor();
        return file.sizeOf(fd) orelse error.Other;
    }

    /// Checks the file as at opening: what has become of it meanwhile must not reach LMDB, nor be
    /// taken for a key that is not there.
    fn checkAgain(store: *Store, detail: *Detail) Error!void {
        const pages = store.openPages(detail) catch |err| return store.failReading(err, detail);
        const findings = store_check.check(pages.fd, pages.size, detail) catch |err|
            return store.failReading(err, detail);
        if (std.meta.eql(findings.ledger, store.ledger)) return;
        detail.setName("another ledger");
        return store.fail(error.CorruptStore, 0, detail);
    }

    fn leave(store: *Store) void {
        lmdb_system.enter(null);
        _ = std.c.pthread_mutex_unlock(&store.turn);
    }

    /// Ends the store's use. Returns why.
    fn fail(store: *Store, err: Error, errno: u32, detail: *Detail) Error {
        store.failure = err;
        store.failure_errno = errno;
        detail.errno = errno;
        return err;
    }

    /// Turns an error of LMDB into the failure that it is.
    fn failBy(store: *Store, err: lmdb.Error, detail: *Detail) Error {
        if (store.isPoisoned()) return store.fail(error.Truncated, 0, detail);
        return switch (err) {
            error.Corrupt, error.NotFound, error.KeyExists => corrupt: {
                detail.setName("a page that LMDB refuses");
                break :corrupt store.fail(error.CorruptStore, 0, detail);
            },
            error.MapFull, error.TransactionFull, error.Panic, error.NoSpace, error.Other => {
                const sync_errno = store.incidents.sync_errno;
                const errno = if (sync_errno != 0) sync_errno else lmdb.lastErrno();
                return store.fail(error.Failed, errno, detail);
            },
        };
    }

    fn isPoisoned(store: *const Store) bool {
        return @atomicLoad(u32, &store.incidents.poisoned, .acquire) != 0;
    }

    /// Applies a batch in one transaction and makes it durable. On `NoSpace` nothing has changed,
    /// and the store goes on when there is room.
    pub fn commit(store: *Store, bytes: []const u8, detail: *Detail) Error!void {
        if (bytes.len > constants.store_batch_bytes_max) return error.TooLong;
        const batch: Batch = .{ .bytes = bytes };
        if (!batch.isSound()) return error.InvalidArgument;
        try store.enter(detail);
        defer store.leave();
        try store.checkAgain(detail);
        while (true) {
            if (lmdb.guarded(attempt, .{ store, batch })) |ledger| {
                if (store.isPoisoned()) return store.fail(error.Truncated, 0, detail);
                store.ledger = ledger;
                break;
            } else |err| switch (err) {
                error.InvalidBatch => return error.InvalidArgument, // It changed under us.
                error.MapFull => try store.grow(detail),
                error.NoSpace => {
                    if (store.incidents.sync_errno != 0) return store.failBy(error.NoSpace, detail);
                    file.fillSpace(store.place.directory, bytes.len, detail);
                    return error.NoSpace;
                },
                error.TransactionFull => return error.TooLong,
                else => |other| return store.failBy(@errorCast(other), detail),
            }
        }
        store.refreshReport() catch |err| return store.failBy(err, detail);
    }

    fn attempt(store: *Store, batch: Batch) (lmdb.Error || error{InvalidBatch})!Ledger {
        const transaction = try store.environment.begin(.write);
        var ledger = store.ledger;
        {
            errdefer transaction.abort();
            if (transaction.id() != ledger.transaction + 1) return error.Corrupt;
            var rest = batch;
            while (try rest.next()) |operation| try store.apply(transaction, operation, &ledger);
            ledger.transaction = transaction.id();
            const size = Ledger.sealed_bytes;
            const place = try transaction.put(store.database, store_entry.ledger_key, size);
            ledger.write(place);
        }
        fault_points.hit(.before_store_commit);
        try transaction.commit();
        fault_points.hit(.after_store_commit);
        return ledger;
    }

    fn apply(
        store: *Store,
        transaction: *lmdb.Transaction,
        operation: Operation,
        ledger: *Ledger,
    ) lmdb.Error!void {
        const key, const value = .{ operation.key, operation.value };
        switch (operation.kind) {
            .put => {
                _ = try store.forget(transaction, key, ledger);
                const size = value.len + store_entry.trailer_bytes;
                const sealed = try transaction.put(store.database, key, size);
                store_entry.seal(key, value, sealed);
                ledger.add(key, store_entry.trailerOf(sealed).?);
            },
            .delete => {
                if (!try store.forget(transaction, key, ledger)) return;
                try transaction.delete(store.database, key);
            },
            .delete_prefix => try store.deletePrefix(transaction, key, ledger),
        }
    }

    /// Takes an entry out of the ledger. Returns whether it is there.
    fn forget(
        store: *Store,
        transaction: *lmdb.Transaction,
        key: []const u8,
        ledger: *Ledger,
    ) lmdb.Error!bool {
        const sealed = transaction.get(store.database, key) catch |err| {
            return if (err == error.NotFound) false else err;
        };
        ledger.remove(key, store_entry.trailerOf(sealed) orelse return error.Corrupt);
        return true;
    }

    fn deletePrefix(
        store: *Store,
        transaction: *lmdb.Transaction,
        prefix: []const u8,
        ledger: *Ledger,
    ) lmdb.Error!void {
        const cursor = try transaction.cursor(store.database);
        defer cursor.close();
        const start = if (prefix.len == 0) store_entry.key_first else prefix;
        while (true) {
            const entry = cursor.seek(start) catch |err| {
                return if (err == error.NotFound) {} else err;
            };
            if (!std.mem.startsWith(u8, entry.key, prefix)) return;
            // The entry's bytes lie in the page that the deletion changes.
            var buffer: [constants.store_key_bytes_max]u8 = undefined;
            if (entry.key.len > buffer.len) return error.Corrupt;
            const key = buffer[0..entry.key.len];
            @memcpy(key, entry.key);
            ledger.remove(key, store_entry.trailerOf(entry.value) orelse return error.Corrupt);
            try transaction.delete(store.database, key);
        }
    }

    /// Doubles the map. No transaction is open: calls take turns.
    fn grow(store: *Store, detail: *Detail) Error!void {
        const map_bytes = 2 * store.map_bytes;
        if (map_bytes > constants.store_map_bytes_max) {
            detail.needed = @floatFromInt(map_bytes);
            detail.available = @floatFromInt(constants.store_map_bytes_max);
            return error.NoSpace;
        }
        // Where this fails LMDB is left without a map.
        store.environment.setMapBytes(map_bytes) catch |err| return store.failBy(err, detail);
        store.map_bytes = map_bytes;
    }

    /// Copies a value out. Returns its size; if that is more than `out` has, nothing was copied.
    pub fn get(store: *Store, key: []const u8, out: []u8, detail: *Detail) Error!usize {
        if (!store_entry.isKey(key)) return error.InvalidArgument;
        try store.enter(detail);
        defer store.leave();
        const found = store.read(key, out, detail) catch |err| switch (err) {
            error.NotFound => { // Or what led there is damaged.
                try store.checkAgain(detail);
                return error.NotFound;
            },
            else => |other| return store.failReading(other, detail),
        };
        const sums = found.mismatch orelse return found.size;
        detail.setName(key);
        detail.expected = @floatFromInt(sums.expected);
        detail.actual = @floatFromInt(sums.actual);
        return error.CorruptValue;
    }

    fn read(
        store: *Store,
        key: []const u8,
        out: []u8,
        detail: *Detail,
    ) store_read.Error!store_read.Found {
        var pages = try store.openPages(detail);
        const reader: Reader = try .init(&pages, store.ledger.transaction);
        defer reader.deinit();
        fault_points.hit(.in_store_read);
        return reader.get(key, out);
    }

    fn openPages(store: *Store, detail: *Detail) store_pages.Error!Pages {
        const fd = store.environment.descriptor() catch return error.Os;
        return .{ .fd = fd, .size = file.sizeOf(fd) orelse return error.Os, .detail = detail };
    }

    fn failReading(store: *Store, err: store_pages.Error, detail: *Detail) Error {
        return switch (err) {
            error.Corrupt => store.fail(error.CorruptStore, 0, detail),
            error.Os => store.fail(error.Failed, detail.errno, detail),
            error.OutOfMemory => error.OutOfMemory,
        };
    }

    /// Lists keys that begin with `prefix` and come after `after` (empty: from the first one), in
    /// order, as many as fit: for each two bytes of its size, then the key. Returns the bytes
    /// written, 0 when there are no more.
    pub fn next(
        store: *Store,
        prefix: []const u8,
        after: []const u8,
        out: []u8,
        detail: *Detail,
    ) Error!usize {
        const is_right = store_entry.isPrefix(prefix) and store_entry.isPrefix(after);
        if (!is_right or out.len < 2 + constants.store_key_bytes_max) return error.InvalidArgument;
        try store.enter(detail);
        defer store.leave();
        try store.checkAgain(detail); // Keys have no checksums of their own.
        return store.list(prefix, after, out, detail) catch |err| store.failReading(err, detail);
    }

    fn list(
        store: *Store,
        prefix: []const u8,
        after: []const u8,
        out: []u8,
        detail: *Detail,
    ) store_pages.Error!usize {
        var pages = try store.openPages(detail);
        const reader: Reader = try .init(&pages, store.ledger.transaction);
        defer reader.deinit();
        return reader.list(prefix, after, out);
    }

    fn refreshReport(store: *Store) lmdb.Error!void {
        store.file_bytes = try store.sizeNow();
        const info = try store.environment.info();
        while (!store.report_lock.tryLock()) std.atomic.spinLoopHint();
        defer store.report_lock.unlock();
        store.report.map_bytes = @floatFromInt(store.map_bytes);
        store.report.used_bytes = @floatFromInt((info.last_page + 1) * store.page_bytes);
        store.report.entries = @floatFromInt(store.ledger.entries);
        store.report.transaction = @floatFromInt(store.ledger.transaction);
    }

    /// Never waits for a call that is under way.
    pub fn readReport(store: *Store) StoreReport {
        while (!store.report_lock.tryLock()) std.atomic.spinLoopHint();
        defer store.report_lock.unlock();
        return store.report;
    }
};

/// Checks the store that is there, or makes one first.
fn checked(place: Place, detail: *Detail) Error!store_check.Findings {
    const opened = try place.openData(detail) orelse made: {
        try makeEmpty(place, detail);
        break :made try place.openData(detail) orelse return error.NotFound;
    };
    defer _ = std.os.linux.close(opened.fd);
    return store_check.check(opened.fd, opened.size, detail) catch |err| switch (err) {
        error.Corrupt => error.CorruptStore,
        error.Os => error.Os,
        error.OutOfMemory => error.OutOfMemory,
    };
}

/// Makes a store with nothing but its ledger, aside, and then gives it its name: a store that was
/// never complete is not taken for a damaged one, nor the other way round.
fn makeEmpty(place: Place, detail: *Detail) Error!void {
    try place.beginMaking(detail);
    errdefer place.clearMaking();
    {
        var buffer: store_place.PathBuffer = undefined;
        const path = place.path("/making", &buffer);
        const environment = try openAt(path, constants.store_map_bytes_min, detail);
        defer environment.deinit();
        writeLedger(environment) catch |err| return openError(err, detail);
    }
    try place.endMaking(detail);
}

fn writeLedger(environment: *lmdb.Environment) lmdb.Error!void {
    const transaction = try environment.begin(.write);
    {
        errdefer transaction.abort();
        const ledger: Ledger = .{ .transaction = transaction.id() };
        const database = try transaction.database();
        const size = Ledger.sealed_bytes;
        ledger.write(try transaction.put(database, store_entry.ledger_key, size));
    }
    try transaction.commit();
}

fn openAt(path: [:0]const u8, map_bytes: u64, detail: *Detail) Error!*lmdb.Environment {
    const environment = lmdb.Environment.init() catch |err| return openError(err, detail);
    errdefer environment.deinit();
    openWith(environment, path, map_bytes) catch |err| return openError(err, detail);
    return environment;
}

fn openWith(environment: *lmdb.Environment, path: [:0]const u8, map_bytes: u64) lmdb.Error!void {
    try environment.setMapBytes(map_bytes);
    try environment.escapeAsserts();
    try environment.open(path, lmdb.no_tls | lmdb.no_lock); // Every commit is synced in full.
}

fn openError(err: lmdb.Error, detail: *Detail) Error {
    return switch (err) {
        error.Corrupt, error.NotFound, error.KeyExists => corrupt: {
            detail.setName("a file that LMDB refuses");
            break :corrupt error.CorruptStore;
        },
        error.NoSpace => error.NoSpace,
        error.MapFull, error.TransactionFull, error.Panic, error.Other => other: {
            detail.errno = lmdb.lastErrno();
            break :other error.Os;
        },
    };
}

pub fn statusOf(err: Error) Status {
    return switch (err) {
        error.Busy => .busy,
        error.OutOfMemory => .os_error,
        error.InvalidArgument => .invalid_argument,
        error.TooLong => .too_long,
        error.CorruptValue => .corrupt_value,
        error.CorruptStore => .corrupt_store,
        error.Truncated => .truncated,
        error.Failed => .store_failed,
        else => |other| file.statusOf(@errorCast(other)),
    };
}

const testing = std.testing;

test "store: values are there after reopening, and a second owner is told who owns it" {
    var scratch: @import("../testing/store_scratch.zig").StoreScratch = .init();
    defer scratch.directory.cleanup();
    try scratch.open();
    try scratch.put("a", "first");
    try scratch.put("a", "second");
    try scratch.put("b", "");
    const path = scratch.path();
    try testing.expectError(error.Busy, Store.init(path, 1 << 18, true, &scratch.detail));
    try testing.expectEqual(@as(u32, @intCast(std.os.linux.getpid())), scratch.detail.pid);
    scratch.store.deinit();
    try scratch.open();
    defer scratch.store.deinit();
    var out: [64]u8 = undefined;
    try testing.expectEqualStrings("second", try scratch.get("a", &out));
    try testing.expectEqualStrings("", try scratch.get("b", &out));
    try testing.expectError(error.NotFound, scratch.get("c", &out));
    try testing.expectEqual(6, try scratch.store.get("a", out[0..2], &scratch.detail));
    try testing.expectEqual(2, scratch.store.readReport().entries);
}

test "store: a failed sync ends its use until it is opened again" {
    var scratch: @import("../testing/store_scratch.zig").StoreScratch = .init();
    defer scratch.directory.cleanup();
    try scratch.open();
    try scratch.put("a", "kept");
    lmdb_system.failNextSync(.IO);
    try testing.expectError(error.Failed, scratch.put("a", "lost"));
    try testing.expectEqual(@intFromEnum(std.os.linux.E.IO), scratch.detail.errno);
    scratch.detail = .{};
    var out: [64]u8 = undefined;
    try testing.expectError(error.Failed, scratch.get("a", &out));
    try testing.expectError(error.Failed, scratch.put("b", "more"));
    try testing.expectEqual(@intFromEnum(std.os.linux.E.IO), scratch.detail.errno);
    scratch.store.deinit();
    try scratch.open();
    defer scratch.store.deinit();
    try testing.expectEqualStrings("kept", try scratch.get("a", &out));
}

test "store: a full disk refuses a commit and nothing else" {
    var scratch: @import("../testing/store_scratch.zig").StoreScratch = .init();
    defer scratch.directory.cleanup();
    try scratch.open();
    defer scratch.store.deinit();
    try scratch.put("a", "kept");
    lmdb_system.failNextWrite(.NOSPC);
    try testing.expectError(error.NoSpace, scratch.put("a", "lost"));
    var out: [64]u8 = undefined;
    try testing.expectEqualStrings("kept", try scratch.get("a", &out));
    try scratch.put("a", "new");
    try testing.expectEqualStrings("new", try scratch.get("a", &out));
}

test "store: a file truncated while it is open is an error" {
    var scratch: @import("../testing/store_scratch.zig").StoreScratch = .init();
    defer scratch.directory.cleanup();
    try scratch.open();
    defer scratch.store.deinit();
    try scratch.put("a", "value" ** 300);
    var buffer: store_place.PathBuffer = undefined;
    const data = scratch.store.place.path("/data.mdb", &buffer);
    const flags: std.os.linux.O = .{ .ACCMODE = .RDWR };
    const fd: i32 = @intCast(std.os.linux.openat(std.os.linux.AT.FDCWD, data, flags, 0));
    defer _ = std.os.linux.close(fd);
    _ = std.os.linux.ftruncate(fd, 0);
    var out: [2048]u8 = undefined;
    try testing.expectError(error.Truncated, scratch.get("a", &out));
    try testing.expectError(error.Truncated, scratch.put("a", "again"));
}
