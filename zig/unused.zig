//! Unused: removal of a ring file that no living process has open, and with which no message is
//! lost that was to be kept.
//!
//! Everything is looked at under two locks that a process needs to come in: the registration lock,
//! and the presence lock alone. Who has the file open shares the latter, and who opens it waits for
//! it and then looks whether the file still has its name. So nobody comes in between the look and
//! the removal, and nobody is left with a file that nobody else finds.
//!
//! A crash in between leaves the file as it was: the kernel releases both locks.
const std = @import("std");
const linux = std.os.linux;
const file = @import("file.zig");
const header = @import("header.zig");
const liveness = @import("liveness.zig");
const Detail = @import("detail.zig").Detail;
const Pair = @import("memory.zig").Pair;

/// What was found, and done.
pub const Verdict = enum(u32) {
    /// Removed, or would be.
    removed = 0,
    /// A living process has it open.
    in_use = 1,
    /// Its log lacks messages that are in the ring alone.
    unlogged = 2,
};

/// Removes the file if nobody uses it; with `only_look` says what that would do.
pub fn remove(
    place: file.Place,
    fingerprint: u32,
    only_look: bool,
    detail: *Detail,
) file.Error!Verdict {
    var status: linux.Statx = undefined;
    const fd = try file.openFile(place, .read_write, &status, detail);
    defer _ = linux.close(fd); // Releases the locks.
    var identity: header.Identity = undefined;
    try file.checkIdentity(fd, &status, fingerprint, &identity, detail);
    if (!try lockAll(fd, &identity)) return .in_use;
    if (!file.isNamed(place, &status)) return error.NotFound;
    if (file.isOfThisBoot(&identity) and try lacksLog(fd, &identity, detail)) return .unlogged;
    if (!only_look) try file.remove(place, detail);
    return .removed;
}

/// Takes the locks that keep everybody out. False if somebody is in.
fn lockAll(fd: i32, identity: *const header.Identity) file.Error!bool {
    if (!try tryLock(fd, .registration) or !try tryLock(fd, .presence)) return false;
    // Those that were opened by a library without the presence lock.
    for (0..identity.producers_max) |index| {
        if (liveness.isHeldByOther(fd, .producer(@intCast(index)))) return false;
    }
    for (0..identity.consumers_max) |index| {
        if (liveness.isHeldByOther(fd, .consumer(@intCast(index)))) return false;
    }
    return true;
}

fn tryLock(fd: i32, byte: liveness.Byte) file.Error!bool {
    liveness.tryLock(fd, byte) catch |err| switch (err) {
        error.Held, error.Interrupted => return false,
        error.Failed => return error.Os,
    };
    return true;
}

/// Whether something was claimed behind what the log's persister has written down. By position: who
/// died publishing may not have told the sequence. `detail.needed` has the bytes.
fn lacksLog(fd: i32, identity: *const header.Identity, detail: *Detail) file.Error!bool {
    if (!identity.isDurable()) return false;
    const claim_offset = header.shared_offset + @offsetOf(header.SharedLines, "claim_line") +
        @offsetOf(header.ClaimLine, "claim") + @offsetOf(Pair, "position");
    const slot_offset = header.consumerSlotOffset(identity.producers_max, header.persister_index) +
        @offsetOf(header.ConsumerSlot, "cursor") + @offsetOf(header.Cursor, "position");
    const claimed = try readWord(fd, claim_offset, detail);
    const logged = try readWord(fd, slot_offset, detail);
    detail.needed = @floatFromInt(claimed -| logged);
    return claimed > logged;
}

fn readWord(fd: i32, offset: u64, detail: *Detail) file.Error!u64 {
    var word: u64 = 0;
    const rc = linux.pread(fd, std.mem.asBytes(&word), @sizeOf(u64), @intCast(offset));
    if (try file.check(rc, detail) != @sizeOf(u64)) return error.SizeMismatch;
    return word;
}
