//! File systems: what a directory lies on, how much room it has, and whether rings, logs and stores
//! may lie there.
//!
//! Refused is what several hosts share, and what a program serves (FUSE): their shared mappings are
//! not one memory, their locks may outlive the holder or bind one host only, and a sync may end
//! before anything is on a disk. An overlay is allowed: mappings, locks and syncs are those of the
//! file system below its upper layer; that the files go with the container is for people to judge.
//!
//! Source: statfs(2), linux/magic.h.
const std = @import("std");
const linux = std.os.linux;

/// Kinds that have a name here; the numbers are the kernel's.
pub const Kind = enum(u32) {
    nfs = 0x6969,
    smb = 0x517b,
    cifs = 0xff534d42,
    smb2 = 0xfe534d42,
    @"9p" = 0x01021997,
    fuse = 0x65735546,
    ceph = 0x00c36400,
    afs = 0x5346414f,
    coda = 0x73757245,
    lustre = 0x0bd00bd0,
    gfs2 = 0x01161970,
    ocfs2 = 0x7461636f,
    gpfs = 0x47504653,
    beegfs = 0x19830326,
    orangefs = 0x20030528,
    vboxsf = 0x786f4256,
    tmpfs = 0x01021994,
    ramfs = 0x858458f6,
    overlay = 0x794c7630,
    ext4 = 0xef53,
    xfs = 0x58465342,
    btrfs = 0x9123683e,
    zfs = 0x2fc12fc1,
    f2fs = 0xf2f52010,
    bcachefs = 0xca451a4e,
    _,

    /// Whether mappings, locks or syncs there do not do what is built on them.
    pub fn isUnsupported(kind: Kind) bool {
        return switch (kind) {
            .nfs, .smb, .cifs, .smb2, .@"9p", .fuse, .ceph, .afs, .coda => true,
            .lustre, .gfs2, .ocfs2, .gpfs, .beegfs, .orangefs, .vboxsf => true,
            else => false,
        };
    }

    /// As `mount` calls it; empty for one that is not known here.
    pub fn name(kind: Kind) []const u8 {
        return std.enums.tagName(Kind, kind) orelse "";
    }
};

/// The kernel's `struct statfs`.
pub const Statfs = extern struct {
    kind: u64,
    block_bytes: u64,
    blocks: u64,
    blocks_free: u64,
    /// Of them, those that are not kept for root.
    blocks_available: u64,
    files: u64,
    files_free: u64,
    reserved: [9]u64,

    /// The kind's number has 32 bits, which some kernels extend by their sign.
    pub fn kindOf(status: *const Statfs) Kind {
        return @enumFromInt(@as(u32, @truncate(status.kind)));
    }

    /// Bytes of so many blocks. No overflow, whatever the file system says.
    pub fn bytesOf(status: *const Statfs, blocks: u64) u64 {
        return blocks *| status.block_bytes;
    }
};

/// Reads it of an open file or directory. False if the kernel does not tell.
pub fn read(fd: i32, out: *Statfs) bool {
    const rc = linux.syscall2(.fstatfs, @intCast(fd), @intFromPtr(out));
    return linux.errno(rc) == .SUCCESS;
}

test "file system: refuses what is shared by hosts or served by a program, and nothing else" {
    const refused = [_]u64{
        0x6969,     0x517b,     0xff534d42, 0xfe534d42, 0x01021997, 0x65735546, 0x00c36400,
        0x5346414f, 0x73757245, 0x0bd00bd0, 0x01161970, 0x7461636f, 0x47504653, 0x19830326,
        0x20030528, 0x786f4256,
        0xffffffffff534d42, // CIFS, extended by its sign.
    };
    var status = std.mem.zeroes(Statfs);
    for (refused) |kind| {
        status.kind = kind;
        try std.testing.expect(status.kindOf().isUnsupported());
        try std.testing.expect(status.kindOf().name().len > 0);
    }
    for ([_]u64{ 0x01021994, 0xef53, 0x58465342, 0x9123683e, 0x794c7630, 0, 0x12345678 }) |kind| {
        status.kind = kind;
        try std.testing.expect(!status.kindOf().isUnsupported());
    }
    try std.testing.expectEqualStrings("", status.kindOf().name());
}

test "file system: reads what /dev/shm lies on" {
    const flags: linux.O = .{ .DIRECTORY = true, .CLOEXEC = true };
    const rc = linux.openat(linux.AT.FDCWD, "/dev/shm", flags, 0);
    if (linux.errno(rc) != .SUCCESS) return error.SkipZigTest;
    const fd: i32 = @intCast(rc);
    defer _ = linux.close(fd);
    var status: Statfs = undefined;
    try std.testing.expect(read(fd, &status));
    try std.testing.expectEqual(.tmpfs, status.kindOf());
    try std.testing.expect(status.blocks >= status.blocks_available);
    status.block_bytes = std.math.maxInt(u64);
    try std.testing.expectEqual(std.math.maxInt(u64), status.bytesOf(2));
}
