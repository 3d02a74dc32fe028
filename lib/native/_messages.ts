// Generated from zig/ by "deno task gen". Do not edit.

/** Canonical texts of all messages' layouts, as `Schema.text` has them. */
export const MESSAGE_LAYOUTS: Readonly<Record<string, string>> = {
  trade:
    "trade{kind:u16@0,priceDecimals:u8@2,quantityDecimals:u8@3,instrumentId:u32@4,eventTimeUs:i64@8,receiveTimeUs:i64@16,tradeId:u64@24,price:i64@32,quantity:i64@40,tradeTimeUs:i64@48,isBuyerMaker:bool@56,reserved0:u8@57,reserved1:u16@58,reserved2:u32@60}#64",
  bookTicker:
    "bookTicker{kind:u16@0,priceDecimals:u8@2,quantityDecimals:u8@3,instrumentId:u32@4,eventTimeUs:i64@8,receiveTimeUs:i64@16,updateId:u64@24,bidPrice:i64@32,bidQuantity:i64@40,askPrice:i64@48,askQuantity:i64@56}#64",
  orderBookDelta:
    "orderBookDelta{kind:u16@0,priceDecimals:u8@2,quantityDecimals:u8@3,instrumentId:u32@4,eventTimeUs:i64@8,receiveTimeUs:i64@16,firstUpdateId:u64@24,lastUpdateId:u64@32,part:u32@40,flags:u8@44,bidCount:u8@45,askCount:u8@46,reserved0:u8@47,previousUpdateId:u64@48,reserved1:u64@56,prices:i64[12]@64,quantities:i64[12]@160}#256",
  orderBookSnapshot:
    "orderBookSnapshot{kind:u16@0,priceDecimals:u8@2,quantityDecimals:u8@3,instrumentId:u32@4,eventTimeUs:i64@8,receiveTimeUs:i64@16,updateId:u64@24,bidCount:u8@32,askCount:u8@33,reserved0:u16@34,reserved1:u32@36,reserved2:u64[3]@40,bidPrices:i64[20]@64,bidQuantities:i64[20]@224,askPrices:i64[20]@384,askQuantities:i64[20]@544}#704",
  orderRequest:
    "orderRequest{kind:u16@0,side:u8@2,orderType:u8@3,instrumentId:u32@4,sessionId:u64@8,clientSequence:u64@16,clientOrderId:u64@24,targetOrderId:u64@32,price:i64@40,quantity:i64@48,timeInForce:u8@56,flags:u8@57,selfTradePrevention:u8@58,reserved0:u8@59,reserved1:u32@60,intendedTimeNs:f64@64,gatewayTimeNs:f64@72,reserved2:u64@80}#88",
  engineEvent:
    "engineEvent{kind:u16@0,side:u8@2,reason:u8@3,instrumentId:u32@4,eventNumber:u64@8,orderSequence:u64@16,sessionId:u64@24,clientSequence:u64@32,clientOrderId:u64@40,orderId:u64@48,price:i64@56,quantity:i64@64,remaining:i64@72,levelQuantity:i64@80,makerSessionId:u64@88,makerClientOrderId:u64@96,makerOrderId:u64@104,makerRemaining:i64@112,intendedTimeNs:f64@120,gatewayTimeNs:f64@128,engineTimeNs:f64@136,answerKind:u16@144,flags:u8@146,reserved0:u8@147,reserved1:u32@148}#152",
};
