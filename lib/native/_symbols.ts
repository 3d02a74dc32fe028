// Generated from zig/ by "deno task gen". Do not edit.

export const symbols = {
  mt_abi_fingerprint: {
    parameters: [],
    result: "u32",
  },
  mt_library_pin: {
    parameters: [],
    result: "i32",
  },
  mt_directory_default: {
    parameters: ["buffer", "u32"],
    result: "i32",
  },
  mt_directory_list: {
    parameters: ["buffer", "buffer", "u32", "buffer"],
    result: "i32",
  },
  mt_channel_create: {
    parameters: ["buffer", "buffer", "buffer"],
    result: "i32",
  },
  mt_channel_open: {
    parameters: ["buffer", "buffer", "buffer"],
    result: "i32",
  },
  mt_channel_remove: {
    parameters: ["buffer", "buffer"],
    result: "i32",
  },
  mt_channel_remove_stale: {
    parameters: ["buffer", "buffer"],
    result: "i32",
  },
  mt_channel_identity: {
    parameters: ["u32", "buffer"],
    result: "i32",
  },
  mt_channel_report: {
    parameters: ["u32", "buffer"],
    result: "i32",
  },
  mt_channel_producer: {
    parameters: ["u32", "u32", "buffer"],
    result: "i32",
  },
  mt_channel_consumer: {
    parameters: ["u32", "u32", "buffer"],
    result: "i32",
  },
  mt_channel_latency: {
    parameters: ["u32", "u32", "buffer", "buffer", "u32"],
    result: "f64",
  },
  mt_channel_data: {
    parameters: ["u32"],
    result: "pointer",
  },
  mt_close: {
    parameters: ["u32"],
    result: "i32",
  },
  mt_producer_open: {
    parameters: ["u32", "buffer", "u32", "buffer"],
    result: "i32",
  },
  mt_producer_offer: {
    parameters: ["u32", "buffer", "u32", "u32"],
    result: "f64",
  },
  mt_producer_offer_batch: {
    parameters: ["u32", "buffer", "buffer", "u32"],
    result: "f64",
  },
  mt_producer_offer_equal: {
    parameters: ["u32", "buffer", "u32", "u32"],
    result: "f64",
  },
  mt_producer_try_claim: {
    parameters: ["u32", "u32"],
    result: "f64",
  },
  mt_producer_publish: {
    parameters: ["u32", "buffer", "u32"],
    result: "f64",
  },
  mt_producer_abort: {
    parameters: ["u32"],
    result: "i32",
  },
  mt_producer_payload_max: {
    parameters: ["u32"],
    result: "f64",
  },
  mt_producer_message_max: {
    parameters: ["u32"],
    result: "f64",
  },
  mt_producer_gating: {
    parameters: ["u32", "buffer"],
    result: "i32",
  },
  mt_producer_park: {
    parameters: ["u32", "u32"],
    result: "i32",
  },
  mt_producer_wait: {
    parameters: ["u32", "u32"],
    result: "i32",
    nonblocking: true,
  },
  mt_consumer_open: {
    parameters: ["u32", "buffer", "buffer"],
    result: "i32",
  },
  mt_consumer_poll: {
    parameters: ["u32", "buffer", "u32", "u32"],
    result: "i32",
  },
  mt_consumer_poll_parked: {
    parameters: ["u32", "buffer", "u32", "u32", "u32", "u32"],
    result: "i32",
  },
  mt_consumer_poll_in_place: {
    parameters: ["u32", "buffer", "u32", "u32"],
    result: "i32",
  },
  mt_consumer_ack_all: {
    parameters: ["u32"],
    result: "i32",
  },
  mt_consumer_ack: {
    parameters: ["u32", "f64"],
    result: "i32",
  },
  mt_consumer_rewind: {
    parameters: ["u32", "f64"],
    result: "i32",
  },
  mt_consumer_peek: {
    parameters: ["u32"],
    result: "i32",
  },
  mt_consumer_park: {
    parameters: ["u32", "u32", "u32"],
    result: "i32",
  },
  mt_consumer_cursor: {
    parameters: ["u32"],
    result: "f64",
  },
  mt_consumer_skip_gap: {
    parameters: ["u32", "buffer"],
    result: "i32",
  },
  mt_consumer_fault: {
    parameters: ["u32", "buffer"],
    result: "i32",
  },
  mt_consumer_wait: {
    parameters: ["u32", "u32"],
    result: "i32",
    nonblocking: true,
  },
  mt_consumer_arm: {
    parameters: ["u32", "u32"],
    result: "i32",
  },
  mt_consumer_disarm: {
    parameters: ["u32"],
    result: "i32",
  },
  mt_notifier_take: {
    parameters: ["u32"],
    result: "u32",
  },
  mt_notifier_wait: {
    parameters: ["u32", "u32"],
    result: "u32",
    nonblocking: true,
  },
  mt_clock_monotonic_ns: {
    parameters: [],
    result: "f64",
  },
  mt_clock_ticks_per_second: {
    parameters: [],
    result: "f64",
  },
  mt_clock_source: {
    parameters: [],
    result: "u32",
  },
  mt_affinity_pin: {
    parameters: ["u32"],
    result: "i32",
  },
  mt_crc32c: {
    parameters: ["buffer", "u32"],
    result: "u32",
  },
  mt_record_verify: {
    parameters: ["buffer", "u32", "u32", "f64"],
    result: "i32",
  },
  mt_counters_open: {
    parameters: ["buffer", "buffer", "buffer", "buffer"],
    result: "i32",
  },
  mt_counters_end: {
    parameters: ["u32"],
    result: "i32",
  },
  mt_counter_add: {
    parameters: ["u32", "u32", "f64"],
    result: "i32",
  },
  mt_counter_set: {
    parameters: ["u32", "u32", "f64"],
    result: "i32",
  },
  mt_counter_record: {
    parameters: ["u32", "u32", "f64"],
    result: "i32",
  },
  mt_counter_histogram: {
    parameters: ["u32", "u32", "buffer"],
    result: "i32",
  },
  mt_counters_list: {
    parameters: ["buffer", "buffer", "u32", "buffer"],
    result: "i32",
  },
  mt_counters_read: {
    parameters: ["buffer", "buffer", "u32", "buffer", "buffer"],
    result: "i32",
  },
  mt_counters_remove: {
    parameters: ["buffer", "buffer"],
    result: "i32",
  },
  mt_channel_histogram: {
    parameters: ["u32", "u32", "u32", "buffer"],
    result: "i32",
  },
  mt_channel_history: {
    parameters: ["u32", "buffer"],
    result: "i32",
  },
  mt_persister_open: {
    parameters: ["buffer", "buffer", "buffer"],
    result: "i32",
  },
  mt_persister_acquire: {
    parameters: ["u32", "buffer", "buffer"],
    result: "i32",
  },
  mt_persister_start: {
    parameters: ["u32", "buffer", "buffer", "u32", "buffer"],
    result: "i32",
  },
  mt_channel_durability: {
    parameters: ["u32", "buffer"],
    result: "i32",
  },
  mt_channel_grant_log: {
    parameters: ["u32", "buffer"],
    result: "i32",
  },
  mt_producer_durable: {
    parameters: ["u32"],
    result: "f64",
  },
  mt_producer_await_durable: {
    parameters: ["u32", "f64", "u32", "u32"],
    result: "i32",
  },
  mt_producer_want_durable: {
    parameters: ["u32", "f64"],
    result: "i32",
  },
  mt_producer_durable_wait: {
    parameters: ["u32", "u32"],
    result: "i32",
    nonblocking: true,
  },
  mt_consumer_keep: {
    parameters: ["u32", "f64"],
    result: "i32",
  },
  mt_channel_remove_unused: {
    parameters: ["buffer", "u32", "buffer"],
    result: "i32",
  },
  mt_channel_remove_consumer: {
    parameters: ["u32", "buffer", "u32", "buffer"],
    result: "i32",
  },
  mt_consumer_log_detail: {
    parameters: ["u32", "buffer"],
    result: "i32",
  },
  mt_machine_text: {
    parameters: ["u32", "u32", "u32", "buffer", "u32"],
    result: "i32",
  },
  mt_machine_file_system: {
    parameters: ["buffer", "buffer", "buffer"],
    result: "i32",
  },
  mt_machine_limits: {
    parameters: ["buffer"],
    result: "i32",
  },
  mt_machine_probe: {
    parameters: ["buffer", "buffer"],
    result: "i32",
  },
  mt_machine_cores: {
    parameters: ["buffer", "u32"],
    result: "i32",
  },
  mt_process_confine: {
    parameters: ["buffer"],
    result: "i32",
  },
  mt_store_open: {
    parameters: ["buffer", "f64", "u32", "buffer"],
    result: "i32",
  },
  mt_store_commit_wait: {
    parameters: ["u32", "buffer", "u32", "buffer"],
    result: "i32",
    nonblocking: true,
  },
  mt_store_get_wait: {
    parameters: ["u32", "buffer", "u32", "buffer", "u32", "buffer"],
    result: "f64",
    nonblocking: true,
  },
  mt_store_next_wait: {
    parameters: ["u32", "buffer", "u32", "buffer", "u32", "buffer", "u32", "buffer"],
    result: "i32",
    nonblocking: true,
  },
  mt_store_report: {
    parameters: ["u32", "buffer"],
    result: "i32",
  },
  mt_store_glance_wait: {
    parameters: ["buffer", "buffer", "u32", "buffer", "u32", "buffer", "buffer"],
    result: "i32",
    nonblocking: true,
  },
  mt_log_verify_open: {
    parameters: ["buffer", "u32", "buffer", "buffer"],
    result: "i32",
  },
  mt_log_verify_open_file: {
    parameters: ["buffer", "buffer", "buffer"],
    result: "i32",
  },
  mt_log_verify_next_wait: {
    parameters: ["u32", "buffer"],
    result: "i32",
    nonblocking: true,
  },
  mt_log_read: {
    parameters: ["u32", "buffer", "buffer", "u32"],
    result: "i32",
  },
  mt_log_verify_skip: {
    parameters: ["u32", "f64", "u32"],
    result: "i32",
  },
  mt_log_verify_report: {
    parameters: ["u32", "buffer"],
    result: "i32",
  },
  mt_log_verify_finding: {
    parameters: ["u32", "u32", "buffer"],
    result: "i32",
  },
  mt_log_check_header: {
    parameters: ["buffer"],
    result: "i32",
  },
  mt_log_check_control: {
    parameters: ["buffer"],
    result: "i32",
  },
} as const satisfies Deno.ForeignLibraryInterface;

/** Functions that take a path, and which of their arguments it is. */
export interface PathArguments {
  mt_directory_list: "0";
  mt_channel_create: "0";
  mt_channel_open: "0";
  mt_channel_remove: "0";
  mt_channel_remove_stale: "0";
  mt_counters_open: "0";
  mt_counters_list: "0";
  mt_counters_read: "0";
  mt_counters_remove: "0";
  mt_persister_open: "0";
  mt_persister_start: "1";
  mt_channel_grant_log: "1";
  mt_channel_remove_unused: "0";
  mt_machine_file_system: "0";
  mt_machine_probe: "0";
  mt_store_open: "0";
  mt_store_glance_wait: "0";
  mt_log_verify_open: "0";
  mt_log_verify_open_file: "0";
}
