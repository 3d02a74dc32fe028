//! Labelled places where a test build of the library kills or stops its own process.
//!
//! Only in a library built with `-Dfault-points=true`; elsewhere `hit` is nothing at all. The test
//! sets `MT_FAULT=<label>:<n>`, and the process gets SIGKILL at the n-th time that it comes by;
//! with `<label>:<n>:stop` it writes a line and gets SIGSTOP there. Several go with commas between
//! them.
const std = @import("std");
const linux = std.os.linux;
const is_enabled = @import("build_options").fault_points;

pub const Label = enum {
    /// Many producers: an intent has its size and place, and not yet its sequence.
    mid_announce,
    /// Nothing is claimed yet; many producers have announced their intent.
    before_claim,
    /// Many producers: somebody else was faster, and the intent still stands.
    claim_lost,
    after_claim,
    /// The payload is in the ring, its checksum is not.
    mid_copy,
    /// Only the first sequence word of the claim is missing.
    before_publish,
    /// That stands; the producer's own words do not tell so yet.
    after_publish,
    /// Everything stands, and sleepers were not woken.
    before_wake,
    /// A consumer gates producers, and its slot is not marked as taken.
    mid_join,
    /// A consumer has found nothing at its place, and not yet looked why.
    mid_poll,
    before_ack,
    /// A cursor's position is ahead of its sequence.
    mid_ack,
    /// The aborted records of a dead claim are written, all but the first sequence word.
    mid_repair,
    /// An entry of a channel's history is half written.
    mid_note,
    /// A log: the group's bytes are made, none is written.
    before_append,
    /// The group is written, and not durable.
    after_append,
    before_sync,
    /// It is durable; nobody was told.
    after_sync,
    /// A prepared segment has its header and not its name.
    before_rename,
    /// It has its name; neither directory nor control file are durable.
    after_rename,
    /// The control file says that segments are cut; they are there.
    before_unlink,
    /// A consumer is being removed: its slot is free, its log was not told.
    mid_removal,
    /// Its log was told, and nobody has forgotten it yet.
    after_removal,
    /// Cursors are written down, without those of the removed, of whom the log is still told.
    mid_forget,
    /// The counters of a slot are 0 again, and it does not say so yet.
    mid_reset,
    /// A file of counters with another table is removed, and the new one is not there.
    mid_replacement,
    /// A store's transaction is put together, and nothing of it is written.
    before_store_commit,
    /// A store's transaction is durable, and nobody knows yet.
    after_store_commit,
    /// A store has a read transaction open.
    in_store_read,
};

const labels = std.enums.values(Label).len;

/// Passings that are left before the signal; 0 where none is wanted.
var remaining: [labels]u32 = @splat(0);
var signals: [labels]linux.SIG = @splat(.KILL);
var is_read = false;

pub inline fn hit(comptime label: Label) void {
    if (!is_enabled) return;
    hitEnabled(label);
}

fn hitEnabled(label: Label) void {
    if (!is_read) readChoice();
    const index = @intFromEnum(label);
    if (remaining[index] == 0) return;
    remaining[index] -= 1;
    if (remaining[index] > 0) return;
    // Tells the test, which sees a death by itself.
    if (signals[index] == .STOP) _ = linux.write(1, "stopped\n", "stopped\n".len);
    _ = linux.kill(linux.getpid(), signals[index]);
}

fn readChoice() void {
    is_read = true;
    const text = std.mem.span(std.c.getenv("MT_FAULT") orelse return);
    var choices = std.mem.splitScalar(u8, text, ',');
    while (choices.next()) |choice| {
        var parts = std.mem.splitScalar(u8, choice, ':');
        const label = std.meta.stringToEnum(Label, parts.first()) orelse
            @panic("no such fault point");
        const index = @intFromEnum(label);
        remaining[index] = std.fmt.parseInt(u32, parts.next() orelse "", 10) catch 1;
        if (std.mem.eql(u8, parts.rest(), "stop")) signals[index] = .STOP;
    }
}
