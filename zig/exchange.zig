//! Messages of an exchange: what goes into its engine and what comes out. lib/exchange/orders.ts
//! says what the fields mean; `tests/layouts_test.ts` compares both.
const std = @import("std");
const messages = @import("messages.zig");
const assert = std.debug.assert;

pub const OrderRequest = extern struct {
    kind: u16,
    side: u8,
    order_type: u8,
    instrument_id: u32,
    session_id: u64,
    client_sequence: u64,
    client_order_id: u64,
    target_order_id: u64,
    price: i64,
    quantity: i64,
    time_in_force: u8,
    flags: u8,
    self_trade_prevention: u8,
    reserved_0: u8 = 0,
    reserved_1: u32 = 0,
    intended_time_ns: f64,
    gateway_time_ns: f64,
    reserved_2: u64 = 0,

    comptime {
        assert(@sizeOf(OrderRequest) == 88);
        assert(@offsetOf(OrderRequest, "session_id") == 8);
        assert(@offsetOf(OrderRequest, "price") == 40);
        assert(@offsetOf(OrderRequest, "time_in_force") == 56);
        assert(@offsetOf(OrderRequest, "intended_time_ns") == 64);
        assert(@offsetOf(OrderRequest, "gateway_time_ns") == 72);
    }
};

pub const EngineEvent = extern struct {
    kind: u16,
    side: u8,
    reason: u8,
    instrument_id: u32,
    event_number: u64,
    order_sequence: u64,
    session_id: u64,
    client_sequence: u64,
    client_order_id: u64,
    order_id: u64,
    price: i64,
    quantity: i64,
    remaining: i64,
    level_quantity: i64,
    maker_session_id: u64,
    maker_client_order_id: u64,
    maker_order_id: u64,
    maker_remaining: i64,
    intended_time_ns: f64,
    gateway_time_ns: f64,
    engine_time_ns: f64,
    answer_kind: u16,
    flags: u8,
    reserved_0: u8 = 0,
    reserved_1: u32 = 0,

    comptime {
        assert(@sizeOf(EngineEvent) == 152);
        assert(@offsetOf(EngineEvent, "event_number") == 8);
        assert(@offsetOf(EngineEvent, "price") == 56);
        assert(@offsetOf(EngineEvent, "maker_session_id") == 88);
        assert(@offsetOf(EngineEvent, "intended_time_ns") == 120);
        assert(@offsetOf(EngineEvent, "answer_kind") == 144);
    }
};

/// All of them, for whoever prints or compares layouts.
pub const all = .{ OrderRequest, EngineEvent };

comptime {
    for (all) |T| messages.assertNoPadding(T);
}
