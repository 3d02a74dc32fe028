//! Seccomp: takes system calls away from this process that a service never needs, and that whoever
//! takes it over needs first: starting programs, looking into other processes, changing the system.
//!
//! - All threads at once (`TSYNC`), those that exist and those that they start; for good, as
//!   nothing can be given back (`NO_NEW_PRIVS` comes with it).
//! - A refused call fails with EPERM, so that nothing crashes. `clone3` fails with ENOSYS: its
//!   flags lie in memory, where a filter does not see, and libc then takes `clone`.
//! - Calls of another architecture (32 bits, x32) are all refused: their numbers mean other things.
//! - `io_uring` is refused, as what it does passes no filter.
//! - So is what puts input before the terminal that this process was started from: a shell would
//!   run it.
//!
//! A list of what is refused and not of what is allowed: Deno's runtime changes, and a call that it
//! begins to use must not end a service. What it does not do: keep files or addresses away, which
//! are Deno's permissions' and the file system's to keep.
//!
//! Source: seccomp(2), Linux's Documentation/userspace-api/seccomp_filter.rst, systemd.exec(5)
//! (groups of SystemCallFilter).
const std = @import("std");
const builtin = @import("builtin");
const linux = std.os.linux;
const Detail = @import("detail.zig").Detail;

pub const Error = error{Os};

/// One instruction of the classic packet filter machine (`struct sock_filter`).
const Instruction = extern struct {
    code: u16,
    jump_true: u8 = 0,
    jump_false: u8 = 0,
    operand: u32,
};

const load = 0x20; // BPF_LD | BPF_W | BPF_ABS: the word at that offset of `struct seccomp_data`.
const jump_equal = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const jump_at_least = 0x35; // BPF_JMP | BPF_JGE | BPF_K
const jump_any_bit = 0x45; // BPF_JMP | BPF_JSET | BPF_K
const @"return" = 0x06; // BPF_RET | BPF_K

const number_offset = 0;
const machine_offset = 4;
const argument_offset = 16; // Lower half of the first argument: both machines are little-endian.
const second_argument_offset = argument_offset + 8;

const allow: Instruction = .{ .code = @"return", .operand = 0x7fff0000 };

fn refuse(errno: linux.E) Instruction {
    return .{ .code = @"return", .operand = 0x00050000 | @as(u32, @intFromEnum(errno)) };
}

const Machine = enum {
    x86_64,
    aarch64,

    fn auditNumber(machine: Machine) u32 {
        return switch (machine) {
            .x86_64 => 0xc000003e,
            .aarch64 => 0xc00000b7,
        };
    }

    fn Calls(comptime machine: Machine) type {
        return switch (machine) {
            .x86_64 => linux.syscalls.X64,
            .aarch64 => linux.syscalls.Arm64,
        };
    }
};

/// Refused; one that a machine does not have is left out there.
const refused = [_][]const u8{
    // Programs and processes.
    "execve",       "execveat",         "fork",              "vfork",
    "ptrace",       "process_vm_readv", "process_vm_writev", "process_madvise",
    "pidfd_getfd",  "kcmp",             "personality",       "userfaultfd",
    // Who this process is.
    "setuid",       "setgid",           "setreuid",          "setregid",
    "setresuid",    "setresgid",        "setgroups",         "setfsuid",
    "setfsgid",     "capset",           "setns",             "unshare",
    // File systems.
    "mount",        "umount2",          "pivot_root",        "chroot",
    "move_mount",   "open_tree",        "fsopen",            "fsconfig",
    "fsmount",      "fspick",           "mount_setattr",     "open_by_handle_at",
    "swapon",       "swapoff",          "quotactl",          "quotactl_fd",
    "acct",
    // The kernel.
            "init_module",      "finit_module",      "delete_module",
    "kexec_load",   "kexec_file_load",  "bpf",               "perf_event_open",
    "add_key",      "request_key",      "keyctl",            "syslog",
    "reboot",       "io_uring_setup",   "io_uring_enter",    "io_uring_register",
    // The machine.
    "settimeofday", "clock_settime",    "clock_adjtime",     "adjtimex",
    "sethostname",  "setdomainname",    "iopl",              "ioperm",
    "modify_ldt",
};

/// Flags of `clone` for new namespaces: NEWTIME is only `clone3`'s.
const namespace_flags: u32 = 0x7e02_0000;
const thread_flag: u32 = 0x0001_0000;

/// Requests of `ioctl` that put input before a terminal: TIOCSTI, TIOCLINUX. The kernel takes the
/// lower half of the argument, too.
const terminal_input = 0x5412;
const console_input = 0x541c;

fn program(comptime machine: Machine) []const Instruction {
    comptime {
        @setEvalBranchQuota(100_000);
        const Calls = machine.Calls();
        const no = refuse(.PERM);
        var list: []const Instruction = &.{
            .{ .code = load, .operand = machine_offset },
            .{ .code = jump_equal, .operand = machine.auditNumber(), .jump_true = 1 },
            no,
            .{ .code = load, .operand = number_offset },
        };
        if (machine == .x86_64) { // Numbers of x32.
            list = list ++ [_]Instruction{
                .{ .code = jump_at_least, .operand = 0x4000_0000, .jump_false = 1 },
                no,
            };
        }
        for (refused) |name| {
            if (!@hasField(Calls, name)) continue;
            const number: u32 = @intFromEnum(@field(Calls, name));
            list = list ++ [_]Instruction{
                .{ .code = jump_equal, .operand = number, .jump_false = 1 },
                no,
            };
        }
        return list ++ [_]Instruction{
            .{ .code = jump_equal, .operand = @intFromEnum(Calls.ioctl), .jump_false = 5 },
            .{ .code = load, .operand = second_argument_offset },
            .{ .code = jump_equal, .operand = terminal_input, .jump_true = 1 },
            .{ .code = jump_equal, .operand = console_input, .jump_false = 1 },
            no,
            allow,
            .{ .code = jump_equal, .operand = @intFromEnum(Calls.clone3), .jump_false = 1 },
            refuse(.NOSYS),
            .{ .code = jump_equal, .operand = @intFromEnum(Calls.clone), .jump_true = 1 },
            allow,
            .{ .code = load, .operand = argument_offset },
            .{ .code = jump_any_bit, .operand = namespace_flags, .jump_true = 1 },
            .{ .code = jump_any_bit, .operand = thread_flag, .jump_true = 1 },
            no,
            allow,
        };
    }
}

const Program = extern struct {
    count: u16,
    instructions: [*]const Instruction,
};

/// Takes the calls away from all threads of this process. May be repeated.
pub fn confine(detail: *Detail) Error!void {
    const machine = comptime switch (builtin.cpu.arch) {
        .x86_64 => Machine.x86_64,
        .aarch64 => Machine.aarch64,
        else => @compileError("no filter for this machine"),
    };
    const filter = comptime program(machine);
    const pointer: Program = .{ .count = filter.len, .instructions = filter.ptr };
    try check(linux.prctl(@intFromEnum(linux.PR.SET_NO_NEW_PRIVS), 1, 0, 0, 0), detail);
    const set_filter = 1;
    const all_threads = 1;
    const rc = linux.seccomp(set_filter, all_threads, &pointer);
    try check(rc, detail);
    // A positive result is a thread that has filters of its own: no thread has this one then.
    if (rc != 0) {
        detail.errno = @intFromEnum(linux.E.BUSY);
        return error.Os;
    }
}

fn check(rc: usize, detail: *Detail) Error!void {
    const errno = linux.errno(rc);
    if (errno == .SUCCESS) return;
    detail.errno = @intFromEnum(errno);
    return error.Os;
}

const testing = std.testing;

/// What the kernel does with a program: the value that it returns for a call.
fn interpret(list: []const Instruction, machine: u32, number: u32, argument: u32) u32 {
    var accumulator: u32 = 0;
    var at: usize = 0;
    while (true) : (at += 1) {
        const step = list[at];
        const is_true = switch (step.code) {
            load => {
                accumulator = switch (step.operand) {
                    number_offset => number,
                    machine_offset => machine,
                    argument_offset, second_argument_offset => argument,
                    else => unreachable,
                };
                continue;
            },
            @"return" => return step.operand,
            jump_equal => accumulator == step.operand,
            jump_at_least => accumulator >= step.operand,
            jump_any_bit => accumulator & step.operand != 0,
            else => unreachable,
        };
        at += if (is_true) step.jump_true else step.jump_false;
    }
}

test "seccomp: the program of each machine refuses what is listed, and nothing else" {
    @setEvalBranchQuota(1_000_000);
    const no = refuse(.PERM).operand;
    inline for (.{ Machine.x86_64, Machine.aarch64 }) |machine| {
        const list = comptime program(machine);
        const audit = machine.auditNumber();
        const Calls = machine.Calls();
        inline for (@typeInfo(Calls).@"enum".fields) |field| {
            const is_refused = comptime for (refused) |name| {
                if (std.mem.eql(u8, name, field.name)) break true;
            } else false;
            if (comptime std.mem.startsWith(u8, field.name, "clone")) continue;
            const expected = if (is_refused) no else allow.operand;
            try testing.expectEqual(expected, interpret(list, audit, field.value, 0));
            try testing.expectEqual(no, interpret(list, 0x4000_0003, field.value, 0)); // i386
        }
        const clone: u32 = @intFromEnum(Calls.clone);
        const thread = 0x3d0f00; // As libc starts one.
        const clone3: u32 = @intFromEnum(Calls.clone3);
        try testing.expectEqual(allow.operand, interpret(list, audit, clone, thread));
        try testing.expectEqual(no, interpret(list, audit, clone, 17)); // As fork is made.
        try testing.expectEqual(no, interpret(list, audit, clone, 0x4111)); // As vfork is.
        for ([_]u5{ 17, 25, 26, 27, 28, 29, 30 }) |bit| { // CLONE_NEW…
            const flags = thread | @as(u32, 1) << bit;
            try testing.expectEqual(no, interpret(list, audit, clone, flags));
        }
        try testing.expectEqual(refuse(.NOSYS).operand, interpret(list, audit, clone3, thread));
        const ioctl: u32 = @intFromEnum(Calls.ioctl);
        for ([_]u32{ terminal_input, console_input }) |request| {
            try testing.expectEqual(no, interpret(list, audit, ioctl, request));
            try testing.expectEqual(allow.operand, interpret(list, audit, ioctl, request + 1));
        }
    }
    const x32 = interpret(comptime program(.x86_64), Machine.x86_64.auditNumber(), 0x4000_0000, 0);
    try testing.expectEqual(no, x32);
}
