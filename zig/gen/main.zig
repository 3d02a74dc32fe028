//! Prints the generated half of lib/native: `gen layout`, `gen symbols` or `gen messages`.
//!
//! The Zig structs and exports are the truth; TypeScript gets their sizes, offsets, limits and
//! codes as constants, the table that `Deno.dlopen` takes, and the layouts of messages to compare
//! its own with.
const std = @import("std");
const mt = @import("message_transport");
const Writer = std.Io.Writer;

pub fn main(init: std.process.Init) !void {
    var args = init.minimal.args.iterate();
    _ = args.next();
    const wanted = args.next() orelse return error.NameLayoutSymbolsOrMessages;
    var out: Writer.Allocating = .init(std.heap.c_allocator);
    if (std.mem.eql(u8, wanted, "layout")) {
        try printLayout(&out.writer);
    } else if (std.mem.eql(u8, wanted, "symbols")) {
        try printSymbols(&out.writer);
    } else if (std.mem.eql(u8, wanted, "messages")) {
        try printMessages(&out.writer);
    } else return error.NameLayoutSymbolsOrMessages;
    var rest = out.written();
    while (rest.len > 0) {
        const count = std.c.write(1, rest.ptr, rest.len);
        if (count <= 0) return error.CannotWrite;
        rest = rest[@intCast(count)..];
    }
}

const banner =
    \\// Generated from zig/ by "deno task gen". Do not edit.
    \\
    \\
;

fn printLayout(out: *Writer) !void {
    try out.writeAll(banner);
    try out.print("export const ABI_FINGERPRINT = {d};\n\n", .{mt.abi.fingerprint});
    try out.writeAll("/** Result codes: what each means stands in zig/status.zig. */\n");
    inline for (@typeInfo(mt.status.Status).@"enum".fields) |field| {
        try out.print("export const {s} = {d};\n", .{ comptime upper(field.name), field.value });
    }
    try out.writeAll("\n");
    inline for (@typeInfo(mt.constants).@"struct".decls) |decl| {
        const value = @field(mt.constants, decl.name);
        try out.print("export const {s} = {d};\n", .{ comptime upper(decl.name), value });
    }
    try out.writeAll("\n");
    try printBits(out, "RECORD", mt.record.Flags);
    try printBits(out, "CHANNEL", mt.header.ChannelFlags);
    try printEnum(out, "POLICY", mt.header.Policy);
    try printEnum(out, "START", mt.options.StartKind);
    try printEnum(out, "PEER", mt.report.PeerState);
    try printEnum(out, "COUNTER", mt.counters.Kind);
    try printEnum(out, "CLOCK", mt.clock.Source);
    try printEnum(out, "SYNC", mt.wal.persister.SyncMode);
    try printEnum(out, "WHEN_FULL", mt.wal.retention.WhenFull);
    try printEnum(out, "HISTOGRAM_KIND", mt.exports_histogram.HistogramKind);
    try printEnum(out, "HISTORY", mt.history.Kind);
    try printEnum(out, "LOG_STATE", mt.header.LogState);
    try printEnum(out, "UNUSED_VERDICT", mt.unused.Verdict);
    try printEnum(out, "LOG_VERDICT", mt.wal.open.Verdict);
    try printEnum(out, "LOG_FAULT", mt.wal.scan.Fault);
    try printEnum(out, "VERIFY_VERDICT", mt.wal.verify.Verdict);
    try printEnum(out, "LOG_READ", mt.exports_verify.ReadKind);
    try out.print("export const HISTOGRAM_OCTAVE_BITS = {d};\n", .{mt.histogram.octave_bits});
    try out.print("export const HISTOGRAM_VALUE_BITS = {d};\n", .{mt.histogram.value_bits});
    try out.print("export const HISTORY_ENTRIES_MAX = {d};\n", .{mt.history.entries_max});
    try out.print("export const RECORD_HEADER_BYTES = {d};\n", .{mt.record.header_bytes});
    try out.print("export const RECORD_TRAILER_BYTES = {d};\n", .{mt.record.trailer_bytes});
    try out.print("export const RECORD_TIMESTAMP_BYTES = {d};\n\n", .{mt.record.timestamp_bytes});
    try printStruct(out, "DELIVERY", mt.delivery.Delivery);
    try printStruct(out, "DETAIL", mt.detail.Detail);
    try printStruct(out, "IDENTITY", mt.header.Identity);
    try printStruct(out, "CREATE_PARAMETERS", mt.options.CreateParameters);
    try printStruct(out, "OPEN_PARAMETERS", mt.options.OpenParameters);
    try printStruct(out, "CONSUMER_PARAMETERS", mt.options.ConsumerParameters);
    try printStruct(out, "MAP_PARAMETERS", mt.options.MapParameters);
    try printStruct(out, "CHANNEL_REPORT", mt.report.ChannelReport);
    try printStruct(out, "PEER_REPORT", mt.report.PeerReport);
    try printStruct(out, "HISTOGRAM_REPORT", mt.histogram.HistogramReport);
    try printStruct(out, "HISTORY_REPORT", mt.exports_history.HistoryReport);
    try printStruct(out, "FAULT", mt.report.Fault);
    try printStruct(out, "COUNTERS_PARAMETERS", mt.exports_counters.CountersParameters);
    try printStruct(out, "COUNTERS_REPORT", mt.counters.CountersReport);
    try printStruct(out, "COUNTERS_IDENTITY", mt.counters.Identity);
    try printStruct(out, "COUNTERS_ENTRY", mt.counters.Entry);
    try printStruct(out, "COUNTERS_OWNER", mt.counters.Owner);
    try printStruct(out, "PERSISTER_PARAMETERS", mt.options.PersisterParameters);
    try printStruct(out, "LOG_FACTS", mt.exports_log.LogFacts);
    try printStruct(out, "LOG_REPORT", mt.wal.open.Report);
    try printStruct(out, "DURABILITY_REPORT", mt.durability.DurabilityReport);
    try printEnum(out, "OPERATION", mt.store_batch.OperationKind);
    try printStruct(out, "OPERATION_HEAD", mt.store_batch.OperationHead);
    try printStruct(out, "STORE_REPORT", mt.store.StoreReport);
    try printStruct(out, "STORE_ENTRY_HEAD", mt.store_glance.EntryHead);
    try printStruct(out, "LOG_OVERVIEW", mt.wal.verify.Overview);
    try printStruct(out, "SEGMENT_REPORT", mt.wal.verify.SegmentReport);
    try printStruct(out, "LOG_FINDING", mt.wal.verify.Finding);
    try printStruct(out, "LOG_READ_REPORT", mt.exports_verify.ReadReport);
    try printLogFiles(out);
    try printMachine(out);
}

fn printMachine(out: *Writer) !void {
    try printEnum(out, "MACHINE_TEXT", mt.machine.Text);
    try printStruct(out, "FILE_SYSTEM", mt.machine.FileSystem);
    try printStruct(out, "LIMITS", mt.machine.Limits);
    try printStruct(out, "PROBES", mt.machine.Probes);
}

fn printLogFiles(out: *Writer) !void {
    try printStruct(out, "SEGMENT_HEADER", mt.wal.format.SegmentHeader);
    try printStruct(out, "LOG_IDENTITY", mt.wal.format.LogIdentity);
    try printStruct(out, "CONTROL", mt.wal.control.Control);
    try printStruct(out, "CURSOR", mt.wal.control.Cursor);
}

fn printStruct(out: *Writer, comptime name: []const u8, comptime T: type) !void {
    try out.print("export const {s}_SIZE = {d};\n", .{ name, @sizeOf(T) });
    inline for (@typeInfo(T).@"struct".fields) |field| {
        if (comptime std.mem.startsWith(u8, field.name, "reserved_")) continue;
        const field_name = comptime upper(field.name);
        const offset = @offsetOf(T, field.name);
        try out.print("export const {s}_{s}_OFFSET = {d};\n", .{ name, field_name, offset });
    }
    try out.writeAll("\n");
}

fn printBits(out: *Writer, comptime name: []const u8, comptime T: type) !void {
    inline for (@typeInfo(T).@"struct".decls) |decl| {
        const value = @field(T, decl.name);
        const bit_name = comptime upper(decl.name);
        try out.print("export const {s}_{s} = {d};\n", .{ name, bit_name, value });
    }
    try out.writeAll("\n");
}

fn printEnum(out: *Writer, comptime name: []const u8, comptime T: type) !void {
    inline for (@typeInfo(T).@"enum".fields) |field| {
        const value_name = comptime upper(field.name);
        try out.print("export const {s}_{s} = {d};\n", .{ name, value_name, field.value });
    }
    try out.writeAll("\n");
}

fn upper(comptime name: []const u8) *const [name.len]u8 {
    comptime {
        @setEvalBranchQuota(10_000);
        var text: [name.len]u8 = undefined;
        _ = std.ascii.upperString(&text, name);
        const final = text;
        return &final;
    }
}

fn printMessages(out: *Writer) !void {
    try out.writeAll(banner);
    try out.writeAll(
        \\/** Canonical texts of all messages' layouts, as `Schema.text` has them. */
        \\export const MESSAGE_LAYOUTS: Readonly<Record<string, string>> = {
        \\
    );
    inline for (mt.market.all ++ mt.exchange.all) |T| {
        const name = comptime mt.messages.nameOf(T);
        try out.print("  {s}: \"{s}\",\n", .{ name, comptime mt.messages.schemaText(T) });
    }
    try out.writeAll("};\n");
}

fn printSymbols(out: *Writer) !void {
    @setEvalBranchQuota(100_000);
    try out.writeAll(banner);
    try out.writeAll("export const symbols = {\n");
    inline for (mt.borders) |border| {
        inline for (@typeInfo(border).@"struct".decls) |decl| {
            if (comptime !std.mem.startsWith(u8, decl.name, "mt_")) continue;
            try printSymbol(out, decl.name, @typeInfo(@TypeOf(@field(border, decl.name))).@"fn");
        }
    }
    try out.writeAll("} as const satisfies Deno.ForeignLibraryInterface;\n\n");
    try out.writeAll("/** Functions that take a path, and which of their arguments it is. */\n");
    try out.writeAll("export interface PathArguments {\n");
    inline for (mt.borders) |border| {
        inline for (@typeInfo(border).@"struct".decls) |decl| {
            if (comptime !std.mem.startsWith(u8, decl.name, "mt_")) continue;
            const function = @typeInfo(@TypeOf(@field(border, decl.name))).@"fn";
            inline for (function.params, 0..) |param, i| {
                if (param.type.? != [*:0]const u8) continue;
                try out.print("  {s}: \"{d}\";\n", .{ decl.name, i });
            }
        }
    }
    try out.writeAll("}\n");
}

fn printSymbol(
    out: *Writer,
    comptime name: []const u8,
    comptime function: std.builtin.Type.Fn,
) !void {
    try out.print("  {s}: {{\n    parameters: [", .{name});
    inline for (function.params, 0..) |param, i| {
        if (i > 0) try out.writeAll(", ");
        try out.print("\"{s}\"", .{comptime denoType(param.type.?)});
    }
    try out.print("],\n    result: \"{s}\",\n", .{comptime denoType(function.return_type.?)});
    if (comptime std.mem.endsWith(u8, name, "_wait")) {
        try out.writeAll("    nonblocking: true,\n");
    }
    try out.writeAll("  },\n");
}

/// Maps a Zig ABI type to its Deno FFI name, and refuses the types that have none.
fn denoType(comptime T: type) []const u8 {
    return switch (@typeInfo(T)) {
        .void => "void",
        .bool => "bool",
        .int, .float => @typeName(T), // "u32", "i32", "f64": the same word in both.
        .@"enum" => |info| @typeName(info.tag_type),
        .optional => |info| denoType(info.child),
        .pointer => |info| switch (info.size) {
            .one => "pointer",
            .many => "buffer",
            else => @compileError("no Deno FFI type for " ++ @typeName(T)),
        },
        else => @compileError("no Deno FFI type for " ++ @typeName(T)),
    };
}
