//! Result codes of every `mt_*` function. Values are ABI: append, never renumber.

/// `>= 0` is a result; each code says what the caller does next.
pub const Status = enum(i32) {
    ok = 0,
    /// No space until a consumer acknowledges: retry later, or ask who gates.
    back_pressured = -2,
    /// The handle is closed, stale, or of another kind: stop using it.
    closed = -4,
    /// A record at the reader's position is published and does not verify: stop, recover.
    corrupt_record = -5,
    /// A word of the header has a value that no sound peer writes: stop, remove the channel.
    corrupt_header = -6,
    /// The file was truncated under the mapping: stop, remove the channel.
    truncated = -7,
    /// The producer overran this reader: take the gap from the detail, poll again.
    lapped = -8,
    /// The message is longer than the channel carries.
    too_long = -9,
    /// Nothing arrived before the time was over.
    timed_out = -10,
    /// A signal interrupted the wait: return to JavaScript, so that its handler runs.
    interrupted = -11,
    /// The place is taken by a live process, named in the detail.
    busy = -12,
    /// All slots for producers or consumers are taken by live processes.
    slots_full = -13,
    /// A claim is open on this producer: publish or abort it first.
    claim_open = -14,
    /// No claim is open on this producer.
    no_claim = -15,
    /// The operating system refused; errno is in the detail.
    os_error = -16,
    /// There is no such file.
    not_found = -17,
    /// A file of that name was there first.
    already_exists = -18,
    /// Not enough room: the detail has bytes needed and available.
    no_space = -19,
    /// The file is shorter or longer than its header says.
    size_mismatch = -20,
    /// The file does not begin as a ring file does.
    invalid_magic = -21,
    /// The file's format version is another one.
    version_mismatch = -22,
    /// The file was made by a library whose shared structs have another shape.
    fingerprint_mismatch = -23,
    /// The identity page does not match its checksum or contradicts itself.
    invalid_identity = -24,
    /// Owner, mode, link count or type of the file is not what a private ring has.
    unsafe_file = -25,
    /// The file was made before this host's last boot: its contents prove nothing.
    other_boot = -26,
    /// An argument is out of its range: a bug of the caller.
    invalid_argument = -27,
    /// The sequence asked for has left the ring; the detail has the oldest one present.
    sequence_gone = -28,
    /// The caller waits for space that only its own thread could free.
    would_deadlock = -29,
    /// Too many handles, mappings or notifier entries in this process.
    table_full = -30,
    /// The file system is not local memory or a local disk.
    unsupported_file_system = -31,
    /// The file holds another channel than the one asked for; its name is in the detail.
    other_channel = -32,
    /// The log has no room, on its disk or under its cap: retry later.
    wal_full = -33,
    /// The log could not be made durable: stop. The report of durability has errno.
    wal_failed = -34,
    /// A value of a store does not match its checksum; expected and found are in the detail.
    corrupt_value = -35,
    /// A store's file is damaged: the detail has the offset and what is wrong. Restore it.
    corrupt_store = -36,
    /// A commit could not be made durable, for the errno in the detail: close the store.
    store_failed = -37,
    /// The log is damaged: the detail has the file, the place and a `Fault` as errno.
    corrupt_log = -38,
    /// The log in that directory is another channel's.
    other_log = -39,
};
