//! One number that changes when any shared struct changes shape. TypeScript holds a generated copy
//! and refuses to run against a library whose copy differs; every ring file carries it as well.
const std = @import("std");
const header = @import("header.zig");
const Delivery = @import("delivery.zig").Delivery;
const Detail = @import("detail.zig").Detail;
const Histogram = @import("histogram.zig").Histogram;
const history = @import("history.zig");
const Pair = @import("memory.zig").Pair;

/// What a ring file is made of.
const file_structs = .{
    header.Identity,       header.SharedLines, header.ClaimLine,        header.WaitLine,
    header.ControlLine,    header.Owner,       header.Intent,           header.ProducerCounters,
    header.ProducerSlot,   header.Cursor,      header.ConsumerCounters, header.ConsumerSlot,
    header.DurabilityLine, header.Chronicle,   Histogram,               history.History,
    history.Entry,         Pair,
};

/// What crosses the border to TypeScript besides.
const border_structs = .{ Delivery, Detail };

pub const fingerprint = fingerprintOf(file_structs ++ border_structs);

/// One number for the shapes of structs.
pub fn fingerprintOf(comptime structs: anytype) u32 {
    @setEvalBranchQuota(1_000_000);
    var crc: std.hash.crc.Crc32Iscsi = .init();
    inline for (structs) |T| {
        for (@typeInfo(T).@"struct".fields) |field| {
            crc.update(std.fmt.comptimePrint("{s}.{s}@{d}+{d};", .{
                @typeName(T), field.name, @offsetOf(T, field.name), @sizeOf(field.type),
            }));
        }
    }
    return crc.final();
}
