//! Runs the log's scenarios on a disk that fails, as many as asked for:
//! `wal-faults [seeds] [first seed]`. Prints one line of JSON; the exit status is 1 if anything did
//! not hold.
const std = @import("std");
const mt = @import("message_transport");

pub fn main(init: std.process.Init) !u8 {
    var args = init.minimal.args.iterate();
    _ = args.next();
    const seeds = try std.fmt.parseInt(u64, args.next() orelse "1000", 10);
    const first = try std.fmt.parseInt(u64, args.next() orelse "1", 10);
    const world = try mt.testing.wal_faults.World.init();
    defer world.deinit();
    const result = mt.testing.wal_faults.runSeeds(world, first, seeds);
    var out: [512]u8 = undefined;
    const text = try std.fmt.bufPrint(&out,
        \\{{"seeds":{d},"violations":{d},"seed":{d},"violation":"{s}"}}
        \\
    , .{ result.seeds, result.violations, result.seed, result.violation });
    if (std.c.write(1, text.ptr, text.len) != text.len) return error.CannotWrite;
    return @intFromBool(result.violations > 0);
}
