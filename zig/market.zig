//! Messages of a market-data channel. lib/market/layouts.ts says what the fields mean; the tables
//! of both are compared by `tests/layouts_test.ts`, through what zig/gen prints of this file.
//!
//! Every message begins with the fields of `head`, so that a reader can switch on `kind` before it
//! knows the layout. Reserved bytes are zero. Integers are signed where Binance's or a difference
//! of them could be, and never above 2^53 - 1: JavaScript reads them as numbers.
const std = @import("std");
const messages = @import("messages.zig");
const assert = std.debug.assert;

/// Levels in one `OrderBookDelta`: what fits into 256 bytes after a head of 64.
pub const delta_levels = 12;
/// Levels of each side in one `OrderBookSnapshot`.
pub const snapshot_levels = 20;

pub const Trade = extern struct {
    kind: u16,
    price_decimals: u8,
    quantity_decimals: u8,
    instrument_id: u32,
    event_time_us: i64,
    receive_time_us: i64,
    trade_id: u64,
    price: i64,
    quantity: i64,
    trade_time_us: i64,
    is_buyer_maker: bool,
    reserved_0: u8 = 0,
    reserved_1: u16 = 0,
    reserved_2: u32 = 0,

    comptime {
        assert(@sizeOf(Trade) == 64);
        assert(@offsetOf(Trade, "trade_id") == 24);
        assert(@offsetOf(Trade, "price") == 32);
        assert(@offsetOf(Trade, "quantity") == 40);
        assert(@offsetOf(Trade, "trade_time_us") == 48);
        assert(@offsetOf(Trade, "is_buyer_maker") == 56);
    }
};

pub const BookTicker = extern struct {
    kind: u16,
    price_decimals: u8,
    quantity_decimals: u8,
    instrument_id: u32,
    event_time_us: i64,
    receive_time_us: i64,
    update_id: u64,
    bid_price: i64,
    bid_quantity: i64,
    ask_price: i64,
    ask_quantity: i64,

    comptime {
        assert(@sizeOf(BookTicker) == 64);
        assert(@offsetOf(BookTicker, "update_id") == 24);
        assert(@offsetOf(BookTicker, "bid_price") == 32);
        assert(@offsetOf(BookTicker, "ask_quantity") == 56);
    }
};

pub const OrderBookDelta = extern struct {
    kind: u16,
    price_decimals: u8,
    quantity_decimals: u8,
    instrument_id: u32,
    event_time_us: i64,
    receive_time_us: i64,
    first_update_id: u64,
    last_update_id: u64,
    part: u32,
    flags: u8,
    bid_count: u8,
    ask_count: u8,
    reserved_0: u8 = 0,
    previous_update_id: u64,
    reserved_1: u64 = 0,
    prices: [delta_levels]i64,
    quantities: [delta_levels]i64,

    comptime {
        assert(@sizeOf(OrderBookDelta) == 256);
        assert(@offsetOf(OrderBookDelta, "first_update_id") == 24);
        assert(@offsetOf(OrderBookDelta, "part") == 40);
        assert(@offsetOf(OrderBookDelta, "previous_update_id") == 48);
        assert(@offsetOf(OrderBookDelta, "prices") == 64);
        assert(@offsetOf(OrderBookDelta, "quantities") == 160);
    }
};

pub const OrderBookSnapshot = extern struct {
    kind: u16,
    price_decimals: u8,
    quantity_decimals: u8,
    instrument_id: u32,
    event_time_us: i64,
    receive_time_us: i64,
    update_id: u64,
    bid_count: u8,
    ask_count: u8,
    reserved_0: u16 = 0,
    reserved_1: u32 = 0,
    reserved_2: [3]u64 = @splat(0),
    bid_prices: [snapshot_levels]i64,
    bid_quantities: [snapshot_levels]i64,
    ask_prices: [snapshot_levels]i64,
    ask_quantities: [snapshot_levels]i64,

    comptime {
        assert(@sizeOf(OrderBookSnapshot) == 704);
        assert(@offsetOf(OrderBookSnapshot, "update_id") == 24);
        assert(@offsetOf(OrderBookSnapshot, "bid_count") == 32);
        assert(@offsetOf(OrderBookSnapshot, "bid_prices") == 64);
        assert(@offsetOf(OrderBookSnapshot, "bid_quantities") == 224);
        assert(@offsetOf(OrderBookSnapshot, "ask_prices") == 384);
        assert(@offsetOf(OrderBookSnapshot, "ask_quantities") == 544);
    }
};

/// All of them, for whoever prints or compares layouts.
pub const all = .{ Trade, BookTicker, OrderBookDelta, OrderBookSnapshot };

const head = .{
    "kind",          "price_decimals", "quantity_decimals",
    "instrument_id", "event_time_us",  "receive_time_us",
};

comptime {
    for (all) |T| {
        messages.assertNoPadding(T);
        for (head, [_]usize{ 0, 2, 3, 4, 8, 16 }) |name, offset| {
            assert(@offsetOf(T, name) == offset);
        }
    }
}
