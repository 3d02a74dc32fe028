//! Tries the log on a disk that fails: `wal-faults seeds <count> [first]` runs so many scenarios,
//! `wal-faults damage [step]` does every damage to a log of three segments, to one byte of `step`.
//! Prints one line of JSON; the exit status is 1 if anything did not hold.
const std = @import("std");
const mt = @import("message_transport");

pub fn main(init: std.process.Init) !u8 {
    var args = init.minimal.args.iterate();
    _ = args.next();
    const what = args.next() orelse return error.NameSeedsOrDamage;
    const number = try std.fmt.parseInt(u64, args.next() orelse "1", 10);
    if (std.mem.eql(u8, what, "seeds")) {
        const first = try std.fmt.parseInt(u64, args.next() orelse "1", 10);
        const world = try mt.testing.wal_faults.World.init();
        defer world.deinit();
        return print(mt.testing.wal_faults.runSeeds(world, first, number));
    }
    if (std.mem.eql(u8, what, "damage")) {
        return print(try mt.testing.wal_damage.damageAll(@intCast(number)));
    }
    return error.NameSeedsOrDamage;
}

fn print(result: anytype) !u8 {
    var out: [512]u8 = undefined;
    const text = try std.fmt.bufPrint(&out,
        \\{{"tried":{d},"violations":{d},"seed":{d},"violation":"{s}"}}
        \\
    , .{ result.tried, result.violations, result.seed, result.violation });
    if (std.c.write(1, text.ptr, text.len) != text.len) return error.CannotWrite;
    return @intFromBool(result.violations > 0);
}
