//! What verifying a log has to say, as it crosses the border to TypeScript.
const constants = @import("../constants.zig");

/// What a log is found to be.
pub const Verdict = enum(u32) {
    /// Nothing is missing.
    whole = 0,
    /// Behind its end are bytes that nobody was told of; opening it saves them aside.
    torn = 1,
    /// Something that was durable once does not verify.
    corrupt = 2,
};

/// Something that does not verify, and what it has cost: sequences from `expected` up to, but
/// without, `next`; nothing if both are the same.
pub const Finding = extern struct {
    offset: f64,
    expected: f64,
    /// 0 if it is not known what follows.
    next: f64,
    fault: u32,
    name_bytes: u32,
    name: [constants.name_bytes_max]u8,
};

/// What is known before anything was read but the control file.
pub const Overview = extern struct {
    /// First sequence that the log has; 0 if that is not known.
    first_sequence: f64 = 0,
    segments: u32 = 0,
    /// Slots of the control file that verify, of two.
    sound_slots: u32 = 0,
    record_alignment: u32 = 0,
    /// `ChannelFlags` of its channel.
    flags: u32 = 0,
    epoch: u32 = 0,
    /// Process that writes it now; 0 if nobody does.
    writer_pid: u32 = 0,
    is_written: u32 = 0,
    name_bytes: u32 = 0,
    log_id: [constants.log_id_bytes]u8 = @splat(0),
    name: [constants.name_bytes_max]u8 = @splat(0),
};

/// One segment, read to its end.
pub const SegmentReport = extern struct {
    bytes: f64 = 0,
    first_sequence: f64 = 0,
    /// Sequence behind its last group.
    next_sequence: f64 = 0,
    groups: f64 = 0,
    records: f64 = 0,
    /// Where its groups end.
    end: f64 = 0,
    torn_offset: f64 = 0,
    torn_bytes: f64 = 0,
    /// Bytes that a live writer has not finished.
    unfinished_bytes: f64 = 0,
    segment: u32 = 0,
    /// Findings so far, in the whole log.
    findings: u32 = 0,
    /// `Verdict` so far.
    verdict: u32 = 0,
    /// `Fault` that the torn tail begins with.
    torn_fault: u32 = 0,
};
