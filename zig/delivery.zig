//! Delivery: how a poll hands messages to JavaScript.

/// What stands before each message in a poll's output; the payload follows, padded to 8 bytes.
pub const Delivery = extern struct {
    sequence: f64,
    /// Where the payload lies: bytes into the data area. Only in view mode.
    offset: f64,
    /// Nanoseconds from publishing to this poll; 0 in a channel without timestamps.
    latency_ns: f64,
    length: u32,
    flags: u32,
};
