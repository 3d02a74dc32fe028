// Generated from zig/ by "deno task gen". Do not edit.

export const ABI_FINGERPRINT = 3443536770;

/** Result codes: what each means stands in zig/status.zig. */
export const OK = 0;
export const BACK_PRESSURED = -2;
export const CLOSED = -4;
export const CORRUPT_RECORD = -5;
export const CORRUPT_HEADER = -6;
export const TRUNCATED = -7;
export const LAPPED = -8;
export const TOO_LONG = -9;
export const TIMED_OUT = -10;
export const INTERRUPTED = -11;
export const BUSY = -12;
export const SLOTS_FULL = -13;
export const CLAIM_OPEN = -14;
export const NO_CLAIM = -15;
export const OS_ERROR = -16;
export const NOT_FOUND = -17;
export const ALREADY_EXISTS = -18;
export const NO_SPACE = -19;
export const SIZE_MISMATCH = -20;
export const INVALID_MAGIC = -21;
export const VERSION_MISMATCH = -22;
export const FINGERPRINT_MISMATCH = -23;
export const INVALID_IDENTITY = -24;
export const UNSAFE_FILE = -25;
export const OTHER_BOOT = -26;
export const INVALID_ARGUMENT = -27;
export const SEQUENCE_GONE = -28;
export const WOULD_DEADLOCK = -29;
export const TABLE_FULL = -30;
export const UNSUPPORTED_FILE_SYSTEM = -31;
export const OTHER_CHANNEL = -32;
export const CORRUPT_VALUE = -35;
export const CORRUPT_STORE = -36;
export const STORE_FAILED = -37;

export const LINE_BYTES = 128;
export const PAGE_BYTES = 4096;
export const HUGE_PAGE_BYTES = 2097152;
export const CAPACITY_MIN = 4096;
export const CAPACITY_MAX = 68719476736;
export const ALIGNMENT_MIN = 8;
export const ALIGNMENT_MAX = 512;
export const RECORD_PAYLOAD_MAX = 65536;
export const PRODUCERS_MAX = 64;
export const CONSUMERS_MAX = 64;
export const SEQUENCE_MAX = 9007199254740991;
export const POSITION_MAX = 4611686018427387904;
export const NAME_BYTES_MAX = 96;
export const SCHEMA_BYTES_MAX = 2048;
export const LIMITS_PER_RING = 16;
export const BLOCKS = 64;
export const HANDLES_MAX = 4096;
export const MAPPINGS_MAX = 1024;
export const WAIT_SLICE_NS = 100000000;
export const WAIT_SLICE_CLAIMED_NS = 10000000;
export const LIVENESS_INTERVAL_NS = 1000000;
export const POLLS_BETWEEN_CHECKS = 256;
export const POLLS_BETWEEN_SIZE_CHECKS = 65536;
export const NOTIFIER_ENTRIES_MAX = 127;
export const STORE_MAP_BYTES_MIN = 262144;
export const STORE_MAP_BYTES_MAX = 17592186044416;
export const STORE_BATCH_BYTES_MAX = 268435456;
export const STORE_KEY_BYTES_MAX = 511;

export const RECORD_CONTROL = 1;
export const RECORD_ABORTED = 2;
export const RECORD_FIRST_FRAGMENT = 4;
export const RECORD_LAST_FRAGMENT = 8;
export const RECORD_TIMESTAMPED = 16;
export const RECORD_CRITICAL = 32;
export const RECORD_USER = 192;
export const RECORD_MIDDLE_FRAGMENT = 12;

export const CHANNEL_MANY_PRODUCERS = 1;
export const CHANNEL_TIMESTAMPED = 2;
export const CHANNEL_HUGE_PAGES = 4;
export const CHANNEL_GROUP_SHARED = 8;
export const CHANNEL_ALL = 15;

export const POLICY_BLOCK = 0;
export const POLICY_DROP = 1;

export const START_LATEST = 0;
export const START_EARLIEST = 1;
export const START_CHECKPOINT = 2;
export const START_SEQUENCE = 3;

export const PEER_ALIVE = 1;
export const PEER_DEAD = 2;
export const PEER_DETACHED = 3;

export const CLOCK_TSC = 0;
export const CLOCK_CNTVCT = 1;
export const CLOCK_MONOTONIC = 2;

export const RECORD_HEADER_BYTES = 16;
export const RECORD_TRAILER_BYTES = 4;
export const RECORD_TIMESTAMP_BYTES = 8;

export const DELIVERY_SIZE = 32;
export const DELIVERY_SEQUENCE_OFFSET = 0;
export const DELIVERY_OFFSET_OFFSET = 8;
export const DELIVERY_LATENCY_NS_OFFSET = 16;
export const DELIVERY_LENGTH_OFFSET = 24;
export const DELIVERY_FLAGS_OFFSET = 28;

export const DETAIL_SIZE = 152;
export const DETAIL_ERRNO_OFFSET = 0;
export const DETAIL_PID_OFFSET = 4;
export const DETAIL_OFFSET_OFFSET = 8;
export const DETAIL_EXPECTED_OFFSET = 16;
export const DETAIL_ACTUAL_OFFSET = 24;
export const DETAIL_NEEDED_OFFSET = 32;
export const DETAIL_AVAILABLE_OFFSET = 40;
export const DETAIL_NAME_BYTES_OFFSET = 48;
export const DETAIL_NAME_OFFSET = 56;

export const IDENTITY_SIZE = 4096;
export const IDENTITY_MAGIC_OFFSET = 0;
export const IDENTITY_VERSION_OFFSET = 8;
export const IDENTITY_FINGERPRINT_OFFSET = 12;
export const IDENTITY_HEADER_BYTES_OFFSET = 16;
export const IDENTITY_CAPACITY_OFFSET = 24;
export const IDENTITY_ALIGNMENT_OFFSET = 32;
export const IDENTITY_PRODUCERS_MAX_OFFSET = 36;
export const IDENTITY_CONSUMERS_MAX_OFFSET = 40;
export const IDENTITY_FLAGS_OFFSET = 44;
export const IDENTITY_SALT_OFFSET = 48;
export const IDENTITY_SCHEMA_HASH_OFFSET = 52;
export const IDENTITY_CREATED_NS_OFFSET = 56;
export const IDENTITY_CREATOR_PID_OFFSET = 64;
export const IDENTITY_SCHEMA_BYTES_OFFSET = 68;
export const IDENTITY_NAME_BYTES_OFFSET = 72;
export const IDENTITY_BOOT_ID_OFFSET = 80;
export const IDENTITY_NAME_OFFSET = 96;
export const IDENTITY_SCHEMA_OFFSET = 192;
export const IDENTITY_CRC_OFFSET = 4092;

export const CREATE_PARAMETERS_SIZE = 2192;
export const CREATE_PARAMETERS_CAPACITY_OFFSET = 0;
export const CREATE_PARAMETERS_ALIGNMENT_OFFSET = 8;
export const CREATE_PARAMETERS_CONSUMERS_MAX_OFFSET = 12;
export const CREATE_PARAMETERS_FLAGS_OFFSET = 16;
export const CREATE_PARAMETERS_GROUP_OFFSET = 20;
export const CREATE_PARAMETERS_SCHEMA_HASH_OFFSET = 24;
export const CREATE_PARAMETERS_SCHEMA_BYTES_OFFSET = 28;
export const CREATE_PARAMETERS_NAME_BYTES_OFFSET = 32;
export const CREATE_PARAMETERS_MAKE_DIRECTORY_OFFSET = 36;
export const CREATE_PARAMETERS_MAP_OFFSET = 40;
export const CREATE_PARAMETERS_NAME_OFFSET = 48;
export const CREATE_PARAMETERS_SCHEMA_OFFSET = 144;

export const OPEN_PARAMETERS_SIZE = 112;
export const OPEN_PARAMETERS_NAME_BYTES_OFFSET = 0;
export const OPEN_PARAMETERS_READ_ONLY_OFFSET = 4;
export const OPEN_PARAMETERS_MAP_OFFSET = 8;
export const OPEN_PARAMETERS_NAME_OFFSET = 16;

export const CONSUMER_PARAMETERS_SIZE = 120;
export const CONSUMER_PARAMETERS_SEQUENCE_OFFSET = 0;
export const CONSUMER_PARAMETERS_START_OFFSET = 8;
export const CONSUMER_PARAMETERS_POLICY_OFFSET = 12;
export const CONSUMER_PARAMETERS_OBSERVES_OFFSET = 16;
export const CONSUMER_PARAMETERS_NAME_BYTES_OFFSET = 20;
export const CONSUMER_PARAMETERS_NAME_OFFSET = 24;

export const MAP_PARAMETERS_SIZE = 8;
export const MAP_PARAMETERS_PREFAULT_OFFSET = 0;
export const MAP_PARAMETERS_LOCK_OFFSET = 4;

export const CHANNEL_REPORT_SIZE = 32;
export const CHANNEL_REPORT_CLAIMED_OFFSET = 0;
export const CHANNEL_REPORT_NEXT_SEQUENCE_OFFSET = 8;
export const CHANNEL_REPORT_OCCUPANCY_OFFSET = 16;
export const CHANNEL_REPORT_HAS_NAME_OFFSET = 24;

export const PEER_REPORT_SIZE = 224;
export const PEER_REPORT_MESSAGES_OFFSET = 0;
export const PEER_REPORT_BYTES_OFFSET = 8;
export const PEER_REPORT_LAG_MESSAGES_OFFSET = 16;
export const PEER_REPORT_LAG_BYTES_OFFSET = 24;
export const PEER_REPORT_CURSOR_OFFSET = 32;
export const PEER_REPORT_BACK_PRESSURED_OFFSET = 40;
export const PEER_REPORT_WAKEUPS_OFFSET = 48;
export const PEER_REPORT_LATE_WAKEUPS_OFFSET = 56;
export const PEER_REPORT_LAPS_OFFSET = 64;
export const PEER_REPORT_LOST_OFFSET = 72;
export const PEER_REPORT_DAMAGED_OFFSET = 80;
export const PEER_REPORT_ABORTED_OFFSET = 88;
export const PEER_REPORT_REPAIRED_OFFSET = 96;
export const PEER_REPORT_INDEX_OFFSET = 104;
export const PEER_REPORT_STATE_OFFSET = 108;
export const PEER_REPORT_POLICY_OFFSET = 112;
export const PEER_REPORT_PID_OFFSET = 116;
export const PEER_REPORT_TID_OFFSET = 120;
export const PEER_REPORT_NAME_BYTES_OFFSET = 124;
export const PEER_REPORT_NAME_OFFSET = 128;

export const FAULT_SIZE = 48;
export const FAULT_POSITION_OFFSET = 0;
export const FAULT_OFFSET_OFFSET = 8;
export const FAULT_EXPECTED_SEQUENCE_OFFSET = 16;
export const FAULT_ACTUAL_SEQUENCE_OFFSET = 24;
export const FAULT_EXPECTED_CRC_OFFSET = 32;
export const FAULT_ACTUAL_CRC_OFFSET = 40;

export const OPERATION_PUT = 1;
export const OPERATION_DELETE = 2;
export const OPERATION_DELETE_PREFIX = 3;

export const OPERATION_HEAD_SIZE = 8;
export const OPERATION_HEAD_KIND_OFFSET = 0;
export const OPERATION_HEAD_KEY_BYTES_OFFSET = 2;
export const OPERATION_HEAD_VALUE_BYTES_OFFSET = 4;

export const STORE_REPORT_SIZE = 32;
export const STORE_REPORT_MAP_BYTES_OFFSET = 0;
export const STORE_REPORT_USED_BYTES_OFFSET = 8;
export const STORE_REPORT_ENTRIES_OFFSET = 16;
export const STORE_REPORT_TRANSACTION_OFFSET = 24;
