//! Every limit of the native library: its unit, and why it is what it is.

/// Bytes that one hot word keeps for itself. Two 64-byte lines: the adjacent-line prefetcher of
/// x86-64 and the 128-byte lines of some aarch64 make 64 too little.
pub const line_bytes = 128;

/// Bytes of the unit that a header and a data area are rounded to. Every supported kernel page size
/// up to 64 KiB would do; 4 KiB is what x86-64 has, and a larger kernel page refuses at creation.
pub const page_bytes = 4096;

/// Bytes of a huge page, which the header and the data area are rounded to when asked for.
pub const huge_page_bytes = 2 * 1024 * 1024;

/// Bytes of the smallest data area: one page, which keeps tests of tiny rings honest.
pub const capacity_min = page_bytes;

/// Bytes of the largest data area. Arbitrary; far above need, far below address-space trouble.
pub const capacity_max = 1 << 36;

/// Bytes: records start on a multiple of this. 8 is the format's minimum.
pub const alignment_min = 8;

/// Bytes: a record may not be aligned to more than the smallest ring can hold several times.
pub const alignment_max = 512;

/// Bytes of payload in one record, at most. Bounds what a reader copies for one record; a longer
/// message is split into fragments.
pub const record_payload_max = 64 * 1024;

/// Producers of one channel opened with `producers: "many"`: one lock byte and one slot each.
pub const producers_max = 64;

/// Consumers of one channel: the gating ones are bits of one 64-bit word.
pub const consumers_max = 64;

/// Largest sequence: what a JavaScript number holds exactly. 28 years at ten million a second.
pub const sequence_max = (1 << 53) - 1;

/// Bytes: no channel gets as far, at 100 GB a second in a year.
pub const position_max = 1 << 62;

/// Bytes of a channel, producer or consumer name.
pub const name_bytes_max = 96;

/// Bytes of a schema's canonical text in the identity page.
pub const schema_bytes_max = 2048;

/// Parts of a ring that a producer may go without another look at the consumers' cursors. More of
/// them let a joining consumer begin with older messages, and cost a shared line read for each.
pub const limits_per_ring = 16;

/// Entries of the block index: a position to start from is never more than 1/64 of a ring away.
pub const blocks = 64;

/// Open channels, producers and consumers of one process together.
pub const handles_max = 4096;

/// Mappings that the SIGBUS guard watches in one process: one for each open channel.
pub const mappings_max = 1024;

/// Nanoseconds that a wait inside the kernel lasts at most before the waiter looks around: whether
/// its handle was closed, and whether a claim it waits for lost its owner.
pub const wait_slice_ns = 100_000_000;

/// Nanoseconds of that slice while a claim is open before the waiter: its owner may have died.
pub const wait_slice_claimed_ns = 10_000_000;

/// Nanoseconds between two looks at a peer's lock. Looking costs a system call; this only limits
/// how often one looks and is never a reason to call a peer dead.
pub const liveness_interval_ns = 1_000_000;

/// Empty polls between two looks at words that a producer writes; looking takes the line from it.
pub const polls_between_checks = 256;

/// Empty polls between two looks at the file's size, a system call: some milliseconds of spinning.
pub const polls_between_size_checks = 256 * polls_between_checks;

/// Consumers that the notifier waits for: `futex_waitv` takes 128 words, one is its own.
pub const notifier_entries_max = 127;

/// Bytes of a WAL segment, at least: room for some groups with the longest record.
pub const segment_bytes_min = 256 * 1024;

/// Bytes of a WAL segment, at most. Arbitrary; opening a log reads its last segment whole.
pub const segment_bytes_max = 1024 * 1024 * 1024;

/// Bytes of records that one group of a WAL may have: what one `fdatasync` carries. More would only
/// make the first of them wait longer.
pub const group_bytes_max = 1024 * 1024;

/// Nanoseconds without a record after which an empty group settles the last one: from then on its
/// damage is known for corruption, and is not taken for a torn tail.
pub const settle_ns = 5_000_000;

/// Bytes of the path of a log's directory in a ring's identity page.
pub const log_path_bytes_max = 768;

/// Bytes of the random number that a log is known by.
pub const log_id_bytes = 16;
/// Bytes of address space that a store's map begins with, at least: some pages of the largest size.
pub const store_map_bytes_min = 1 << 18;

/// Bytes that a store's map is doubled up to. Arbitrary; an eighth of the address space.
pub const store_map_bytes_max = 1 << 44;

/// Bytes of a store's batch. LMDB keeps a transaction's pages in memory; what is larger is a file.
pub const store_batch_bytes_max = 1 << 28;

/// Bytes of a key in a store: LMDB's limit.
pub const store_key_bytes_max = 511;

/// Values that one service counts. Arbitrary; four times what the largest has.
pub const counters_max = 128;

/// Bytes of a value's name.
pub const counter_name_bytes_max = 64;

/// Bytes of the sentence that says what a value means.
pub const counter_help_bytes_max = 200;

/// Services of one name that count at a time in one directory: the others get a number behind it.
pub const counter_instances_max = 16;

/// Bytes of an instance's name, so that a number fits behind it.
pub const counter_instance_bytes_max = name_bytes_max - 3;
