//! What TypeScript calls a schema, of an `extern struct`: its canonical text, made at compile time.
//!
//! `trade{kind:u16@0,priceDecimals:u8@2,…}#64`: the struct's name, then of each field its name, its
//! type and its offset, then the size. lib/channel/schema.ts makes the same text from its fields.
const std = @import("std");
const comptimePrint = std.fmt.comptimePrint;

/// Fails to compile unless every byte of the struct belongs to a field.
pub fn assertNoPadding(comptime T: type) void {
    comptime {
        var end: usize = 0;
        for (@typeInfo(T).@"struct".fields) |field| {
            if (@offsetOf(T, field.name) != end) {
                @compileError(@typeName(T) ++ " has padding before " ++ field.name);
            }
            end += @sizeOf(field.type);
        }
        if (end != @sizeOf(T)) @compileError(@typeName(T) ++ " has padding at its end");
    }
}

/// Name of a struct without its file, as TypeScript writes a variable: `OrderBookDelta` is
/// `orderBookDelta`.
pub fn nameOf(comptime T: type) []const u8 {
    comptime {
        const full = @typeName(T);
        const start = if (std.mem.lastIndexOfScalar(u8, full, '.')) |dot| dot + 1 else 0;
        return .{std.ascii.toLower(full[start])} ++ full[start + 1 ..];
    }
}

/// The canonical text of a message's layout.
pub fn schemaText(comptime T: type) []const u8 {
    comptime {
        @setEvalBranchQuota(100_000);
        var text: []const u8 = nameOf(T) ++ "{";
        for (@typeInfo(T).@"struct".fields, 0..) |field, index| {
            text = text ++ comptimePrint("{s}{s}:{s}@{d}", .{
                if (index == 0) "" else ",", camelCase(field.name),
                typeText(field.type),        @offsetOf(T, field.name),
            });
        }
        return text ++ comptimePrint("}}#{d}", .{@sizeOf(T)});
    }
}

fn typeText(comptime T: type) []const u8 {
    return switch (@typeInfo(T)) {
        .int, .float, .bool => @typeName(T),
        .array => |array| comptimePrint("{s}[{d}]", .{ typeText(array.child), array.len }),
        else => @compileError("no schema type for " ++ @typeName(T)),
    };
}

/// `event_time_us` is `eventTimeUs`, and `reserved_0` is `reserved0`.
fn camelCase(comptime name: []const u8) []const u8 {
    comptime {
        var text: []const u8 = "";
        var is_start = false;
        for (name) |letter| {
            if (letter == '_') {
                is_start = true;
                continue;
            }
            text = text ++ .{if (is_start) std.ascii.toUpper(letter) else letter};
            is_start = false;
        }
        return text;
    }
}

test schemaText {
    const Sample = extern struct {
        event_time_us: i64,
        is_open: bool,
        levels: [3]u16,
        reserved_0: u8,
    };
    try std.testing.expectEqualStrings(
        "eventTimeUs:i64@0,isOpen:bool@8,levels:u16[3]@10,reserved0:u8@16}#24",
        comptime text: {
            const text = schemaText(Sample);
            break :text text[std.mem.indexOfScalar(u8, text, '{').? + 1 ..];
        },
    );
}
