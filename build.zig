//! Builds libmessage_transport, its tests, the generator of the TypeScript side, and the native
//! half of the benchmarks.
//!
//!   zig build                     the library, in zig-out/lib
//!   zig build test                all Zig tests
//!   zig build gen -- layout       prints lib/native/_layout.ts (or: symbols)
//!   zig build bench               the benchmarks' native loops, in zig-out/lib
//!   zig build wal-faults -- seeds 1000  the log on a disk that fails (or: damage)
//!
//! LMDB is compiled in, from the sources that zig/package.json pins; -Dlmdb-source names others.
//!
//! x86-64 is built for x86_64_v2 and glibc 2.28 unless told otherwise; what a newer processor has
//! is found at run time.
const std = @import("std");

pub fn build(b: *std.Build) void {
    const target = b.resolveTargetQuery(targetQuery(b));
    const optimize = b.standardOptimizeOption(.{});
    const fault_text = "Kill the process at labelled places";
    const fault_points = b.option(bool, "fault-points", fault_text) orelse false;
    const options = b.addOptions();
    options.addOption(bool, "fault_points", fault_points);
    const counters_text = "Count on the hot path; without it only to measure what that costs";
    options.addOption(bool, "counters", b.option(bool, "counters", counters_text) orelse true);

    const lmdb = lmdbSource(b);

    const module = addModule(b, options, lmdb, target, optimize);
    addLibrary(b, "message_transport", module, b.getInstallStep());
    addTests(b, module);
    addGenerator(b, module);
    addBench(b, module);
    // Assertions are what it is for.
    const safe: std.builtin.OptimizeMode = if (optimize == .Debug) .Debug else .ReleaseSafe;
    const faults = addWalFaults(b, addModule(b, options, lmdb, target, safe));
    if (fault_points) b.installArtifact(faults);
}

fn addModule(
    b: *std.Build,
    options: *std.Build.Step.Options,
    lmdb: std.Build.LazyPath,
    target: std.Build.ResolvedTarget,
    optimize: std.builtin.OptimizeMode,
) *std.Build.Module {
    const module = b.createModule(.{
        .root_source_file = b.path("zig/root.zig"),
        .target = target,
        .optimize = optimize,
        .link_libc = true,
        .strip = optimize != .Debug,
    });
    module.addOptions("build_options", options);
    module.addAnonymousImport("record-v1.hex", .{
        .root_source_file = b.path("tests/testdata/record-v1.hex"),
    });
    addLmdb(b, module, lmdb);
    return module;
}

/// What -Dtarget says, or a binary for any Linux of this processor; never for this very machine.
fn targetQuery(b: *std.Build) std.Target.Query {
    var query = b.standardTargetOptionsQueryOnly(.{ .default_target = .{
        .cpu_arch = @import("builtin").cpu.arch,
        .os_tag = .linux,
        .abi = .gnu,
        .glibc_version = .{ .major = 2, .minor = 28, .patch = 0 },
    } });
    const is_default_cpu = query.cpu_model == .determined_by_arch_os;
    if (query.cpu_arch == .x86_64 and is_default_cpu) {
        query.cpu_model = .{ .explicit = &std.Target.x86.cpu.x86_64_v2 }; // cmpxchg16b.
    }
    return query;
}

/// Where LMDB's C sources are.
fn lmdbSource(b: *std.Build) std.Build.LazyPath {
    const text = "Directory of LMDB's C sources (mdb.c, midl.c)";
    const chosen = b.option([]const u8, "lmdb-source", text);
    const installed = "zig/node_modules/lmdb/dependencies/lmdb-data-v1/libraries/liblmdb";
    return if (chosen) |path| .{ .cwd_relative = path } else b.path(installed);
}

fn addLmdb(b: *std.Build, module: *std.Build.Module, source: std.Build.LazyPath) void {
    module.addCSourceFiles(.{
        .root = source,
        .files = &.{ "mdb.c", "midl.c" },
        .flags = &.{
            "-std=gnu11",
            "-fno-sanitize=undefined", // Zig's default for C; LMDB casts between its structs.
            "-fvisibility=hidden", // Another LMDB in the process stays another one.
            // What it asks of the system goes through zig/store/lmdb_system.zig.
            "-Dmmap=mt_lmdb_mmap",
            "-Dmunmap=mt_lmdb_munmap",
            "-Dpwrite=mt_lmdb_pwrite",
            "-Dpwritev=mt_lmdb_pwritev",
            "-DMDB_USE_PWRITEV=1",
            "-Dfdatasync=mt_lmdb_fdatasync",
            "-DMDB_FDATASYNC_WORKS=1", // On every kernel that Deno runs on.
        },
    });
    const guard_flags = &.{ "-std=gnu11", "-fvisibility=hidden" };
    module.addCSourceFile(.{ .file = b.path("zig/store/lmdb_guard.c"), .flags = guard_flags });
}

// Debug on x86-64 uses Zig's own code generator by default, which cannot encode crc32q.
const use_llvm = true;

fn addLibrary(
    b: *std.Build,
    name: []const u8,
    module: *std.Build.Module,
    step: *std.Build.Step,
) void {
    const library = b.addLibrary(.{
        .name = name,
        .linkage = .dynamic,
        .root_module = module,
        .use_llvm = use_llvm,
    });
    step.dependOn(&b.addInstallArtifact(library, .{}).step);
}

fn addTests(b: *std.Build, module: *std.Build.Module) void {
    const tests = b.addTest(.{ .root_module = module, .use_llvm = use_llvm });
    b.step("test", "Run the Zig tests").dependOn(&b.addRunArtifact(tests).step);
}

fn addGenerator(b: *std.Build, module: *std.Build.Module) void {
    const generator = b.addExecutable(.{
        .name = "gen",
        .root_module = b.createModule(.{
            .root_source_file = b.path("zig/gen/main.zig"),
            .target = b.graph.host,
            .link_libc = true,
            .imports = &.{.{ .name = "message_transport", .module = module }},
        }),
        .use_llvm = use_llvm,
    });
    const run = b.addRunArtifact(generator);
    if (b.args) |args| run.addArgs(args);
    b.step("gen", "Print a generated TypeScript file").dependOn(&run.step);
}

fn addBench(b: *std.Build, module: *std.Build.Module) void {
    const bench = b.createModule(.{
        .root_source_file = b.path("zig/bench/root.zig"),
        .target = module.resolved_target,
        .optimize = module.optimize,
        .strip = module.strip, // A mix of both crashes Zig 0.16.0.
        .link_libc = true,
        .imports = &.{.{ .name = "message_transport", .module = module }},
    });
    const step = b.step("bench", "Build the benchmarks' native loops");
    addLibrary(b, "message_transport_bench", bench, step);
}

fn addWalFaults(b: *std.Build, module: *std.Build.Module) *std.Build.Step.Compile {
    const faults = b.addExecutable(.{
        .name = "wal-faults",
        .root_module = b.createModule(.{
            .root_source_file = b.path("zig/testing/wal_faults_main.zig"),
            .target = module.resolved_target,
            .optimize = module.optimize,
            .strip = module.strip,
            .link_libc = true,
            .imports = &.{.{ .name = "message_transport", .module = module }},
        }),
        .use_llvm = use_llvm,
    });
    const run = b.addRunArtifact(faults);
    if (b.args) |args| run.addArgs(args);
    b.step("wal-faults", "Run the log on a disk that fails").dependOn(&run.step);
    return faults;
}
