//! LMDB 0.9.29: the part of its C interface that the store uses, with errors for result codes.
//!
//! Written by hand: translating lmdb.h costs half a minute of every cold build, and these are few.
//! The test at the end compares them with the library that they are linked to.
//!
//! Source: lmdb.h of https://www.openldap.org/, from npm lmdb (build.zig, NOTICE).
const std = @import("std");
const linux = std.os.linux;

pub const Error = error{
    NotFound,
    KeyExists,
    /// The map has no room for this transaction: abort it, enlarge the map, repeat it.
    MapFull,
    /// The transaction changes too many pages.
    TransactionFull,
    /// The file is none of LMDB's, or damaged.
    Corrupt,
    /// An earlier commit failed: only closing is left.
    Panic,
    NoSpace,
    /// errno, or a code of LMDB that none of our calls should give.
    Other,
};

/// The code behind this thread's last error.
threadlocal var last_code: c_int = 0;

/// The operating system's number behind this thread's last error, or 0 for a code of LMDB's own.
pub fn lastErrno() u32 {
    return @intCast(@max(last_code, 0));
}

fn check(rc: c_int) Error!void {
    if (rc == 0) return;
    last_code = rc;
    return switch (rc) {
        -30799 => error.KeyExists,
        -30798 => error.NotFound,
        -30797, -30796, -30794, -30793 => error.Corrupt,
        -30795 => error.Panic,
        -30792 => error.MapFull,
        -30788 => error.TransactionFull,
        @intFromEnum(linux.E.NOSPC), @intFromEnum(linux.E.DQUOT) => error.NoSpace,
        else => error.Other,
    };
}

pub const no_tls = 0x200000;
pub const no_lock = 0x400000;
const read_only = 0x20000;
const reserve = 0x10000;

/// `MDB_val`: bytes of LMDB's or of ours.
pub const Value = extern struct {
    size: usize = 0,
    bytes: ?[*]const u8 = null,

    pub fn of(source: []const u8) Value {
        return .{ .size = source.len, .bytes = source.ptr };
    }

    pub fn slice(value: Value) []const u8 {
        return if (value.bytes) |bytes| bytes[0..value.size] else &.{};
    }
};

/// `MDB_stat`.
pub const Stat = extern struct {
    page_bytes: c_uint,
    depth: c_uint,
    branch_pages: usize,
    leaf_pages: usize,
    overflow_pages: usize,
    entries: usize,
};

/// `MDB_envinfo`.
pub const Info = extern struct {
    map_address: ?*anyopaque,
    map_bytes: usize,
    last_page: usize,
    last_transaction: usize,
    readers_max: c_uint,
    readers: c_uint,
};

/// `MDB_cursor_op`: those that we use.
pub const Move = enum(c_uint) { first = 0, next = 8, set_range = 17 };

pub const Database = c_uint;

const AssertFunction = fn (environment: *Environment, text: [*:0]const u8) callconv(.c) void;

fn escape(_: *Environment, _: [*:0]const u8) callconv(.c) void {
    mt_lmdb_escape();
}

/// Calls a function that calls LMDB. `Corrupt` as well when an assertion of LMDB has failed: no
/// `defer` of the function has run then, and the environment is good for closing only.
pub fn guarded(comptime function: anytype, arguments: anytype) Returned(function) {
    const Call = struct {
        arguments: @TypeOf(arguments),
        result: Returned(function) = undefined,

        fn run(context: *anyopaque) callconv(.c) void {
            const call: *@This() = @ptrCast(@alignCast(context));
            call.result = @call(.auto, function, call.arguments);
        }
    };
    var call: Call = .{ .arguments = arguments };
    if (mt_lmdb_guard(&Call.run, &call) == 0) return error.Corrupt;
    return call.result;
}

fn Returned(comptime function: anytype) type {
    return @typeInfo(@TypeOf(function)).@"fn".return_type.?;
}

extern fn mt_lmdb_guard(work: *const fn (*anyopaque) callconv(.c) void, *anyopaque) c_int;
extern fn mt_lmdb_escape() void;

pub const Environment = opaque {
    pub fn init() Error!*Environment {
        var environment: ?*Environment = null;
        try check(mdb_env_create(&environment));
        return environment.?;
    }

    /// Closes and frees it; also one whose `open` has failed.
    pub fn deinit(environment: *Environment) void {
        mdb_env_close(environment);
    }

    pub fn open(environment: *Environment, path: [*:0]const u8, flags: c_uint) Error!void {
        try check(mdb_env_open(environment, path, flags, 0o600));
    }

    /// Of an open environment: assumes that it has no transactions.
    pub fn setMapBytes(environment: *Environment, bytes: usize) Error!void {
        try check(mdb_env_set_mapsize(environment, bytes));
    }

    /// Failed assertions end the call that is made by `guarded`.
    pub fn escapeAsserts(environment: *Environment) Error!void {
        try check(mdb_env_set_assert(environment, &escape));
    }

    pub fn info(environment: *Environment) Error!Info {
        var value: Info = undefined;
        try check(mdb_env_info(environment, &value));
        return value;
    }

    pub fn stat(environment: *Environment) Error!Stat {
        var value: Stat = undefined;
        try check(mdb_env_stat(environment, &value));
        return value;
    }

    /// The file's descriptor, which stays LMDB's.
    pub fn descriptor(environment: *Environment) Error!i32 {
        var fd: c_int = -1;
        try check(mdb_env_get_fd(environment, &fd));
        return fd;
    }

    pub fn begin(environment: *Environment, access: enum { read, write }) Error!*Transaction {
        var transaction: ?*Transaction = null;
        const flags: c_uint = if (access == .read) read_only else 0;
        try check(mdb_txn_begin(environment, null, flags, &transaction));
        return transaction.?;
    }
};

pub const Transaction = opaque {
    /// Ends it, whatever comes of it.
    pub fn commit(transaction: *Transaction) Error!void {
        try check(mdb_txn_commit(transaction));
    }

    pub fn abort(transaction: *Transaction) void {
        mdb_txn_abort(transaction);
    }

    pub fn id(transaction: *Transaction) u64 {
        return mdb_txn_id(transaction);
    }

    /// The environment's unnamed database.
    pub fn database(transaction: *Transaction) Error!Database {
        var value: Database = 0;
        try check(mdb_dbi_open(transaction, null, 0, &value));
        return value;
    }

    /// The value's bytes in the map, until the transaction ends or writes.
    pub fn get(transaction: *Transaction, database_: Database, key: []const u8) Error![]const u8 {
        var found: Value = .{};
        const wanted: Value = .of(key);
        try check(mdb_get(transaction, database_, &wanted, &found));
        return found.slice();
    }

    /// Makes or replaces a value of `size` bytes. Returns where the caller has to write it at once.
    pub fn put(
        transaction: *Transaction,
        database_: Database,
        key: []const u8,
        size: usize,
    ) Error![]u8 {
        var place: Value = .{ .size = size };
        const wanted: Value = .of(key);
        try check(mdb_put(transaction, database_, &wanted, &place, reserve));
        return @constCast(place.slice());
    }

    pub fn delete(transaction: *Transaction, database_: Database, key: []const u8) Error!void {
        const wanted: Value = .of(key);
        try check(mdb_del(transaction, database_, &wanted, null));
    }

    pub fn cursor(transaction: *Transaction, database_: Database) Error!*Cursor {
        var value: ?*Cursor = null;
        try check(mdb_cursor_open(transaction, database_, &value));
        return value.?;
    }
};

pub const Entry = struct { key: []const u8, value: []const u8 };

pub const Cursor = opaque {
    /// Before its transaction ends.
    pub fn close(cursor: *Cursor) void {
        mdb_cursor_close(cursor);
    }

    pub fn first(cursor: *Cursor) Error!Entry {
        return cursor.move(.first, &.{});
    }

    pub fn next(cursor: *Cursor) Error!Entry {
        return cursor.move(.next, &.{});
    }

    /// The first entry whose key is not below `key`.
    pub fn seek(cursor: *Cursor, key: []const u8) Error!Entry {
        return cursor.move(.set_range, key);
    }

    fn move(cursor: *Cursor, how: Move, from: []const u8) Error!Entry {
        var key: Value = .of(from);
        var value: Value = .{};
        try check(mdb_cursor_get(cursor, &key, &value, how));
        return .{ .key = key.slice(), .value = value.slice() };
    }
};

extern fn mdb_version(major: *c_int, minor: *c_int, patch: *c_int) [*:0]const u8;
extern fn mdb_strerror(code: c_int) [*:0]const u8;
extern fn mdb_env_create(environment: *?*Environment) c_int;
extern fn mdb_env_open(*Environment, path: [*:0]const u8, flags: c_uint, mode: c_uint) c_int;
extern fn mdb_env_close(*Environment) void;
extern fn mdb_env_stat(*Environment, out: *Stat) c_int;
extern fn mdb_env_info(*Environment, out: *Info) c_int;
extern fn mdb_env_get_fd(*Environment, fd: *c_int) c_int;
extern fn mdb_env_set_mapsize(*Environment, bytes: usize) c_int;
extern fn mdb_env_get_maxkeysize(*Environment) c_int;
extern fn mdb_env_set_assert(*Environment, function: *const AssertFunction) c_int;
extern fn mdb_txn_begin(*Environment, ?*Transaction, flags: c_uint, out: *?*Transaction) c_int;
extern fn mdb_txn_commit(*Transaction) c_int;
extern fn mdb_txn_abort(*Transaction) void;
extern fn mdb_txn_id(*Transaction) usize;
extern fn mdb_dbi_open(*Transaction, name: ?[*:0]const u8, flags: c_uint, *Database) c_int;
extern fn mdb_get(*Transaction, Database, key: *const Value, value: *Value) c_int;
extern fn mdb_put(*Transaction, Database, *const Value, value: *Value, flags: c_uint) c_int;
extern fn mdb_del(*Transaction, Database, key: *const Value, value: ?*Value) c_int;
extern fn mdb_cursor_open(*Transaction, Database, out: *?*Cursor) c_int;
extern fn mdb_cursor_close(*Cursor) void;
extern fn mdb_cursor_get(*Cursor, key: *Value, value: *Value, move: Move) c_int;

const testing = std.testing;

test "lmdb: the version, the codes and the structs are those of the library" {
    var version: [3]c_int = undefined;
    _ = mdb_version(&version[0], &version[1], &version[2]);
    try testing.expectEqualSlices(c_int, &.{ 0, 9, 29 }, &version);
    for ([_]struct { c_int, []const u8 }{
        .{ -30799, "MDB_KEYEXIST:" },
        .{ -30798, "MDB_NOTFOUND:" },
        .{ -30797, "MDB_PAGE_NOTFOUND:" },
        .{ -30796, "MDB_CORRUPTED:" },
        .{ -30795, "MDB_PANIC:" },
        .{ -30794, "MDB_VERSION_MISMATCH:" },
        .{ -30793, "MDB_INVALID:" },
        .{ -30792, "MDB_MAP_FULL:" },
        .{ -30788, "MDB_TXN_FULL:" },
    }) |pair| {
        try testing.expect(std.mem.startsWith(u8, std.mem.span(mdb_strerror(pair[0])), pair[1]));
    }
    try testing.expectEqual(40, @sizeOf(Stat));
    try testing.expectEqual(40, @sizeOf(Info));
    try testing.expectEqual(16, @sizeOf(Value));
}

test "lmdb: values, order, abort, and what the environment says of itself" {
    var directory = testing.tmpDir(.{});
    defer directory.cleanup();
    var buffer: [128]u8 = undefined;
    const path = try std.fmt.bufPrintZ(&buffer, ".zig-cache/tmp/{s}", .{directory.sub_path});
    const environment: *Environment = try .init();
    defer environment.deinit();
    try environment.setMapBytes(1 << 20);
    try environment.open(path, no_tls | no_lock);
    try testing.expectEqual(511, mdb_env_get_maxkeysize(environment));
    const transaction = try environment.begin(.write);
    const database = try transaction.database();
    for ([_][]const u8{ "b", "a", "c" }) |key| {
        @memcpy(try transaction.put(database, key, 2), &[2]u8{ key[0], '!' });
    }
    try transaction.delete(database, "c");
    try testing.expectError(error.NotFound, transaction.delete(database, "c"));
    try testing.expectEqual(1, transaction.id());
    try transaction.commit();
    const aborted = try environment.begin(.write);
    try aborted.delete(database, "a");
    aborted.abort();
    const reading = try environment.begin(.read);
    defer reading.abort();
    try testing.expectEqualStrings("a!", try reading.get(database, "a"));
    try testing.expectError(error.NotFound, reading.get(database, "c"));
    const cursor = try reading.cursor(database);
    defer cursor.close();
    try testing.expectEqualStrings("a", (try cursor.first()).key);
    try testing.expectEqualStrings("b!", (try cursor.next()).value);
    try testing.expectEqualStrings("b", (try cursor.seek("aa")).key);
    try testing.expectError(error.NotFound, cursor.seek("bb"));
    const info = try environment.info();
    try testing.expectEqual(1 << 20, info.map_bytes);
    try testing.expectEqual(1, info.last_transaction);
    const stat = try environment.stat();
    try testing.expectEqual(2, stat.entries);
    try testing.expectEqual(1, stat.depth);
}

fn failAssertion(environment: *Environment) Error!void {
    escape(environment, "");
}

test "lmdb: a failed assertion ends the guarded call, also within another" {
    const environment: *Environment = try .init();
    defer environment.deinit();
    try testing.expectError(error.Corrupt, guarded(failAssertion, .{environment}));
    try guarded(callInner, .{environment});
    escape(environment, ""); // Outside of a call it returns, and LMDB aborts.
}

fn callInner(environment: *Environment) Error!void {
    guarded(failAssertion, .{environment}) catch |err| {
        if (err == error.Corrupt) return;
        return err;
    };
    return error.Other;
}
