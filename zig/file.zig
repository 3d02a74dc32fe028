//! Ring files on disk: created whole or not at all, opened only when everything about them is
//! right.
//!
//! - Creation: a file without a name (`O_TMPFILE`) is allocated in full (`fallocate`: no space is
//!   an error now, not a SIGBUS later), written, and only then given its name, which replaces
//!   nothing.
//! - Neither where mappings and locks are not those of one host (file_system.zig).
//! - Opening: no symbolic links, a regular file of the right owner and mode with one name, exactly
//!   as long as its checked identity page says.
//! - A crash in between leaves nothing: the kernel frees a file without a name with its maker.
const std = @import("std");
const linux = std.os.linux;
const constants = @import("constants.zig");
const file_system = @import("file_system.zig");
const header = @import("header.zig");
const liveness = @import("liveness.zig");
const Detail = @import("detail.zig").Detail;
const Status = @import("status.zig").Status;

pub const Error = error{
    Os,
    NotFound,
    AlreadyExists,
    NoSpace,
    UnsafeFile,
    UnsupportedFileSystem,
    SizeMismatch,
    InvalidMagic,
    VersionMismatch,
    FingerprintMismatch,
    InvalidIdentity,
    OtherBoot,
    OtherChannel,
};

pub fn osError(errno: linux.E, detail: *Detail) Error {
    detail.errno = @intFromEnum(errno);
    return switch (errno) {
        .NOENT => error.NotFound,
        .EXIST => error.AlreadyExists,
        .NOSPC, .DQUOT => error.NoSpace,
        .LOOP, .NXIO => error.UnsafeFile, // A symbolic link; a pipe or socket.
        else => error.Os,
    };
}

pub fn check(rc: usize, detail: *Detail) Error!usize {
    const errno = linux.errno(rc);
    return if (errno == .SUCCESS) rc else osError(errno, detail);
}

/// A file's place: its open directory and its name there.
pub const Place = struct {
    directory: Directory,
    name: [*:0]const u8,

    /// Splits an absolute path. `make`: make the last directory (mode 0700) if its parent exists.
    pub fn open(path: [*:0]const u8, make: bool, detail: *Detail) Error!Place {
        const text = std.mem.span(path);
        const slash = std.mem.lastIndexOfScalar(u8, text, '/') orelse return error.NotFound;
        var buffer: [linux.PATH_MAX]u8 = undefined;
        if (slash == 0 or slash >= buffer.len) return error.NotFound;
        @memcpy(buffer[0..slash], text[0..slash]);
        buffer[slash] = 0;
        const directory = try Directory.openOfAny(buffer[0..slash :0], make, detail);
        return .{ .directory = directory, .name = text[slash + 1 ..].ptr };
    }

    pub fn close(place: Place) void {
        place.directory.close();
    }
};

/// An open directory that ring files lie in.
pub const Directory = struct {
    fd: i32,
    /// Its owner.
    uid: u32 = std.math.maxInt(u32),

    /// Opens a directory of this user or root, making it (mode 0700) where its parent exists and it
    /// does not.
    pub fn open(path: [*:0]const u8, make: bool, detail: *Detail) Error!Directory {
        const directory = try openOfAny(path, make, detail);
        errdefer directory.close();
        try directory.checkOwner();
        return directory;
    }

    /// The same, of whichever user: of one that shares a ring with a group, one of them.
    pub fn openOfAny(path: [*:0]const u8, make: bool, detail: *Detail) Error!Directory {
        if (make) {
            const rc = linux.mkdirat(linux.AT.FDCWD, path, 0o700);
            const errno = linux.errno(rc);
            if (errno != .SUCCESS and errno != .EXIST) return osError(errno, detail);
        }
        const flags: linux.O = .{ .DIRECTORY = true, .NOFOLLOW = true, .CLOEXEC = true };
        const rc = linux.openat(linux.AT.FDCWD, path, flags, 0);
        const fd: i32 = @intCast(try check(rc, detail));
        errdefer _ = linux.close(fd);
        var status: linux.Statx = undefined;
        try statFile(fd, &status, detail);
        // Others may only write into it where they cannot remove or rename what is not theirs.
        const is_sticky = status.mode & linux.S.ISVTX != 0;
        if (status.mode & 0o002 != 0 and !is_sticky) return error.UnsafeFile;
        return .{ .fd = fd, .uid = status.uid };
    }

    /// Its owner can exchange what lies in it.
    pub fn checkOwner(directory: Directory) Error!void {
        const is_ours = directory.uid == linux.geteuid() or directory.uid == 0;
        if (!is_ours) return error.UnsafeFile;
    }

    pub fn close(directory: Directory) void {
        _ = linux.close(directory.fd);
    }
};

pub fn statFile(fd: i32, status: *linux.Statx, detail: *Detail) Error!void {
    _ = try check(linux.statx(fd, "", linux.AT.EMPTY_PATH, .BASIC_STATS, status), detail);
}

/// The file of a channel is `<name>.ring` unless its maker says otherwise.
pub const ring_suffix = ".ring";

/// The name without the suffix, or null for other files.
pub fn nameOf(file_name: []const u8, suffix: []const u8) ?[]const u8 {
    if (!std.mem.endsWith(u8, file_name, suffix)) return null;
    const name = file_name[0 .. file_name.len - suffix.len];
    return if (isName(name)) name else null;
}

/// A name is 1 to 96 of `A-Z a-z 0-9 . _ -` and does not begin with a dot.
pub fn isName(name: []const u8) bool {
    if (name.len == 0 or name.len > constants.name_bytes_max or name[0] == '.') return false;
    for (name) |byte| switch (byte) {
        'A'...'Z', 'a'...'z', '0'...'9', '.', '_', '-' => {},
        else => return false,
    };
    return true;
}

/// Makes the ring file. Returns its descriptor.
///
/// `group` is the id of a group that shares the file (mode 0660), or null (mode 0600).
pub fn create(
    place: Place,
    identity: *const header.Identity,
    group: ?u32,
    detail: *Detail,
) Error!i32 {
    if (group == null) try place.directory.checkOwner();
    const size = identity.header_bytes + identity.capacity;
    const fd = try allocate(place.directory, size, group, detail);
    errdefer _ = linux.close(fd);
    try writeHeader(fd, identity, detail);
    try showPresence(fd, .read_write); // Before anybody else can find it.
    try giveName(place, fd, detail);
    return fd;
}

/// Makes a file of `size` zeros that has no name yet. Returns its descriptor.
pub fn allocate(directory: Directory, size: u64, group: ?u32, detail: *Detail) Error!i32 {
    try checkSpace(directory, size, detail);
    const flags: linux.O = .{
        .ACCMODE = .RDWR,
        .DIRECTORY = true, // Part of O_TMPFILE.
        .TMPFILE = true,
        .CLOEXEC = true,
    };
    const fd: i32 = @intCast(try check(linux.openat(directory.fd, ".", flags, 0o600), detail));
    errdefer _ = linux.close(fd);
    try setMode(fd, group, detail);
    _ = check(linux.fallocate(fd, 0, 0, @intCast(size)), detail) catch |err| {
        if (err == error.NoSpace) fillSpace(directory, size, detail);
        return err;
    };
    return fd;
}

/// Gives a file its name, which nobody may have.
pub fn giveName(place: Place, fd: i32, detail: *Detail) Error!void {
    var link_buffer: [32]u8 = undefined;
    const link = std.fmt.bufPrintZ(&link_buffer, "/proc/self/fd/{d}", .{fd}) catch unreachable;
    const follow = linux.AT.SYMLINK_FOLLOW;
    const rc = linux.linkat(linux.AT.FDCWD, link, place.directory.fd, place.name, follow);
    _ = try check(rc, detail);
}

fn setMode(fd: i32, group: ?u32, detail: *Detail) Error!void {
    if (group) |gid| {
        const keep = std.math.maxInt(u32);
        _ = try check(linux.fchown(fd, keep, gid), detail);
    }
    const mode: linux.mode_t = if (group == null) 0o600 else 0o660;
    _ = try check(linux.fchmod(fd, mode), detail); // Whatever the umask was.
}

fn writeHeader(fd: i32, identity: *const header.Identity, detail: *Detail) Error!void {
    try writeAll(fd, std.mem.asBytes(identity), 0, detail);
    const line: header.ClaimLine = .{
        .claim = .{ .position = 0, .sequence = identity.first_sequence },
        .last = header.nothing_published,
        .limit = 0,
        .limit_announced = 0,
        .reserved_0 = @splat(0),
    };
    try writeAll(fd, std.mem.asBytes(&line), header.shared_offset, detail);
    if (identity.isDurable()) try writePersister(fd, identity, detail);
}

/// The slot that holds producers back for the log, from the first record on, whether a persister is
/// there or not.
fn writePersister(fd: i32, identity: *const header.Identity, detail: *Detail) Error!void {
    const slot = header.persisterSlot(identity.first_sequence);
    const offset = header.consumerSlotOffset(identity.producers_max, header.persister_index);
    try writeAll(fd, std.mem.asBytes(&slot), offset, detail);
    const gating = 1 << header.persister_index;
    const control = std.mem.zeroInit(header.ControlLine, .{ .gating = gating });
    const control_offset = header.shared_offset + @offsetOf(header.SharedLines, "control");
    try writeAll(fd, std.mem.asBytes(&control), control_offset, detail);
    const line = std.mem.zeroInit(header.DurabilityLine, .{
        .durable = identity.first_sequence - 1,
        .logged = identity.first_sequence - 1,
    });
    const line_offset = header.shared_offset + @offsetOf(header.SharedLines, "durability");
    try writeAll(fd, std.mem.asBytes(&line), line_offset, detail);
}

pub fn writeAll(fd: i32, bytes: []const u8, offset: u64, detail: *Detail) Error!void {
    const rc = linux.pwrite(fd, bytes.ptr, bytes.len, @intCast(offset));
    if (try check(rc, detail) != bytes.len) return error.Os;
}

/// Refuses a directory on a file system that cannot hold rings, logs or stores, and names it.
pub fn checkFileSystem(directory: Directory, detail: *Detail) Error!void {
    return checkFileSystemOf(directory.fd, detail);
}

fn checkFileSystemOf(fd: i32, detail: *Detail) Error!void {
    var status: file_system.Statfs = undefined;
    if (!file_system.read(fd, &status)) return;
    return checkKind(status.kindOf(), detail);
}

fn checkKind(kind: file_system.Kind, detail: *Detail) Error!void {
    if (!kind.isUnsupported()) return;
    detail.actual = @floatFromInt(@intFromEnum(kind));
    detail.setName(kind.name());
    return error.UnsupportedFileSystem;
}

fn checkSpace(directory: Directory, size: u64, detail: *Detail) Error!void {
    try checkFileSystem(directory, detail);
    fillSpace(directory, size, detail);
    if (detail.available < detail.needed) return error.NoSpace;
}

/// Puts into the detail how many bytes are wanted, and how many there are.
pub fn fillSpace(directory: Directory, size: u64, detail: *Detail) void {
    var status: file_system.Statfs = undefined;
    if (!file_system.read(directory.fd, &status)) return;
    detail.needed = @floatFromInt(size);
    detail.available = @floatFromInt(status.bytesOf(status.blocks_available));
}

pub const Access = enum { read_write, read_only };

/// Opens a ring file and checks it. On success `identity` is a private, sound copy of its page.
///
/// `name` is the channel that the file must hold; empty for whichever.
pub fn open(
    place: Place,
    name: []const u8,
    access: Access,
    fingerprint: u32,
    identity: *header.Identity,
    detail: *Detail,
) Error!i32 {
    var status: linux.Statx = undefined;
    const fd = try openFile(place, access, &status, detail);
    errdefer _ = linux.close(fd);
    try checkFileSystemOf(fd, detail);
    try checkIdentity(fd, &status, fingerprint, identity, detail);
    try showPresence(fd, access);
    try statFile(fd, &status, detail); // It may have lost its name by then.
    const is_shared = identity.flags & header.ChannelFlags.group_shared != 0;
    try checkOwner(place.directory, &status, is_shared, access, detail);
    const found = identity.name[0..identity.name_bytes];
    if (name.len > 0 and !std.mem.eql(u8, name, found)) {
        detail.setName(found);
        return error.OtherChannel;
    }
    if (!isOfThisBoot(identity)) return error.OtherBoot;
    return fd;
}

/// Keeps others from removing the file as unused, for as long as it is open.
fn showPresence(fd: i32, access: Access) Error!void {
    if (access == .read_write) return liveness.share(fd, .presence) catch error.Os;
    // Who only looks must not be held up by anybody, and misses nothing by a file that goes.
    liveness.tryShare(fd, .presence) catch {};
}

/// Whether the ring was made since this host's last start. True on doubt.
pub fn isOfThisBoot(identity: *const header.Identity) bool {
    const boot_id = bootId() orelse return true;
    return std.mem.eql(u8, &boot_id, &identity.boot_id);
}

/// Opens a regular file, and no other, whatever it holds.
pub fn openFile(
    place: Place,
    access: Access,
    status: *linux.Statx,
    detail: *Detail,
) Error!i32 {
    const flags: linux.O = .{
        .ACCMODE = if (access == .read_write) .RDWR else .RDONLY,
        .NOFOLLOW = true,
        .CLOEXEC = true,
        .NONBLOCK = true, // A pipe of that name must not hang us.
    };
    const rc = linux.openat(place.directory.fd, place.name, flags, 0);
    const fd: i32 = @intCast(try check(rc, detail));
    errdefer _ = linux.close(fd);
    try statFile(fd, status, detail);
    if (!linux.S.ISREG(status.mode)) return error.UnsafeFile;
    return fd;
}

pub fn checkIdentity(
    fd: i32,
    status: *const linux.Statx,
    fingerprint: u32,
    identity: *header.Identity,
    detail: *Detail,
) Error!void {
    detail.expected = @sizeOf(header.Identity);
    detail.actual = @floatFromInt(status.size);
    if (status.size < @sizeOf(header.Identity)) return error.SizeMismatch;
    const bytes = std.mem.asBytes(identity);
    const count = try check(linux.pread(fd, bytes.ptr, bytes.len, 0), detail);
    if (count != bytes.len) return error.SizeMismatch;
    if (!std.mem.eql(u8, &identity.magic, &header.magic)) return error.InvalidMagic;
    detail.expected = header.version;
    detail.actual = @floatFromInt(identity.version);
    if (identity.version != header.version) return error.VersionMismatch;
    detail.expected = @floatFromInt(fingerprint);
    detail.actual = @floatFromInt(identity.fingerprint);
    if (identity.fingerprint != fingerprint) return error.FingerprintMismatch;
    if (!identity.isSound()) return error.InvalidIdentity;
    const size = identity.header_bytes + identity.capacity;
    detail.expected = @floatFromInt(size);
    detail.actual = @floatFromInt(status.size);
    if (status.size != size) return error.SizeMismatch;
}

/// Refuses a file that others could write, or that has another name besides.
pub fn checkOwner(
    directory: Directory,
    status: *const linux.Statx,
    is_shared: bool,
    access: Access,
    detail: *Detail,
) Error!void {
    const allowed: u16 = if (is_shared) 0o660 else 0o600;
    detail.expected = @floatFromInt(allowed);
    detail.actual = @floatFromInt(status.mode & 0o7777);
    if (status.mode & 0o7777 & ~allowed != 0) return error.UnsafeFile;
    // A group's file belongs to whoever made it; root may look at everybody's.
    const is_ours = status.uid == linux.geteuid();
    const may_look = access == .read_only and linux.geteuid() == 0;
    if (!is_ours and !is_shared and !may_look) return error.UnsafeFile;
    if (!is_shared and !may_look) try directory.checkOwner();
    if (status.nlink == 0) return error.NotFound; // Removed since it was opened.
    detail.expected = 1;
    detail.actual = @floatFromInt(status.nlink);
    if (status.nlink != 1) return error.UnsafeFile;
}

/// Bytes of the file behind `fd`; null if the system does not say.
pub fn sizeOf(fd: i32) ?u64 {
    var detail: Detail = .{};
    var status: linux.Statx = undefined;
    statFile(fd, &status, &detail) catch return null;
    return status.size;
}

/// Whether the file behind `fd` is at least `size` bytes long. True on doubt.
pub fn hasSize(fd: i32, size: u64) bool {
    var detail: Detail = .{};
    var status: linux.Statx = undefined;
    statFile(fd, &status, &detail) catch return true;
    return status.size >= size;
}

/// Whether the file behind `fd` has no holes in its `size` bytes, as ours have none from the
/// beginning. True on doubt.
pub fn isAllocated(fd: i32, size: u64) bool {
    var detail: Detail = .{};
    var status: linux.Statx = undefined;
    statFile(fd, &status, &detail) catch return true;
    return status.blocks * 512 >= size;
}

/// Whether the file behind `fd` still has a name.
pub fn hasName(fd: i32) bool {
    var detail: Detail = .{};
    var status: linux.Statx = undefined;
    statFile(fd, &status, &detail) catch return true;
    return status.nlink > 0;
}

pub fn remove(place: Place, detail: *Detail) Error!void {
    _ = try check(linux.unlinkat(place.directory.fd, place.name, 0), detail);
}

/// Removes the file if it is a ring of before this host's last start, and still has this name when
/// nobody else can be about to do the same. False if there is nothing to remove.
pub fn removeStale(place: Place, fingerprint: u32, detail: *Detail) Error!bool {
    var status: linux.Statx = undefined;
    const fd = openFile(place, .read_write, &status, detail) catch |err|
        return if (err == error.NotFound) false else err;
    defer _ = linux.close(fd);
    liveness.lock(fd, .registration) catch return error.Os;
    var identity: header.Identity = undefined;
    try checkIdentity(fd, &status, fingerprint, &identity, detail);
    if (isOfThisBoot(&identity)) return false;
    if (!isNamed(place, &status)) return false;
    try remove(place, detail);
    return true;
}

/// Whether the name is that file's.
pub fn isNamed(place: Place, status: *const linux.Statx) bool {
    var named: linux.Statx = undefined;
    const no_follow = linux.AT.SYMLINK_NOFOLLOW;
    const found = linux.statx(place.directory.fd, place.name, no_follow, .BASIC_STATS, &named);
    return linux.errno(found) == .SUCCESS and named.ino == status.ino;
}

/// Identity of this boot of the kernel; null where /proc is not to be had.
pub fn bootId() ?[16]u8 {
    const path = "/proc/sys/kernel/random/boot_id";
    const rc = linux.openat(linux.AT.FDCWD, path, .{ .CLOEXEC = true }, 0);
    if (linux.errno(rc) != .SUCCESS) return null;
    const fd: i32 = @intCast(rc);
    defer _ = linux.close(fd);
    var text: [36]u8 = undefined;
    if (linux.read(fd, &text, text.len) != text.len) return null;
    var digits: [32]u8 = undefined;
    var count: usize = 0;
    for (text) |byte| {
        if (byte == '-' or count == digits.len) continue;
        digits[count] = byte;
        count += 1;
    }
    var id: [16]u8 = undefined;
    _ = std.fmt.hexToBytes(&id, digits[0..count]) catch return null;
    return id;
}

pub fn randomWord() u64 {
    var word: u64 = undefined;
    const rc = linux.getrandom(std.mem.asBytes(&word), @sizeOf(u64), 0);
    if (rc != @sizeOf(u64)) @panic("the kernel has no random numbers");
    return word;
}

pub fn statusOf(err: Error) Status {
    return switch (err) {
        error.Os => .os_error,
        error.NotFound => .not_found,
        error.AlreadyExists => .already_exists,
        error.NoSpace => .no_space,
        error.UnsafeFile => .unsafe_file,
        error.UnsupportedFileSystem => .unsupported_file_system,
        error.SizeMismatch => .size_mismatch,
        error.InvalidMagic => .invalid_magic,
        error.VersionMismatch => .version_mismatch,
        error.FingerprintMismatch => .fingerprint_mismatch,
        error.InvalidIdentity => .invalid_identity,
        error.OtherBoot => .other_boot,
        error.OtherChannel => .other_channel,
    };
}

test "file: names" {
    try std.testing.expect(isName("gateway.orders"));
    for ([_][]const u8{ "", ".", "..", ".a", "a/b", "a b", "a\x00", "ä", "a" ** 97 }) |name| {
        try std.testing.expect(!isName(name));
    }
    try std.testing.expect(isName("a" ** 96));
    try std.testing.expectEqualStrings("a.b", nameOf("a.b.ring", ring_suffix).?);
    try std.testing.expectEqual(null, nameOf(".a.1-2.tmp", ring_suffix));
    try std.testing.expectEqual(null, nameOf(".ring", ring_suffix));
}

test "file: the error for a file system that is refused has its name and number" {
    var detail: Detail = .{};
    try std.testing.expectError(error.UnsupportedFileSystem, checkKind(.nfs, &detail));
    try std.testing.expectEqual(0x6969, detail.actual);
    try std.testing.expectEqualStrings("nfs", detail.name[0..detail.name_bytes]);
    try checkKind(.overlay, &detail);
    try checkKind(@enumFromInt(0x12345678), &detail);
}
