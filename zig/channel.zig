//! Channel: one opening of a ring file by this process: descriptor, mapping, and the locks it
//! holds.
//!
//! The data area is mapped twice in a row. Producers and consumers of one opening share it; it is
//! unmapped with the last of them. One channel object belongs to one thread of JavaScript, except
//! for waits, which may run on another (`enterWait`, handles.zig).
const std = @import("std");
const linux = std.os.linux;
const abi = @import("abi.zig");
const constants = @import("constants.zig");
const file = @import("file.zig");
const futex = @import("futex.zig");
const header = @import("header.zig");
const history = @import("history.zig");
const liveness = @import("liveness.zig");
const process = @import("process.zig");
const sigbus = @import("sigbus.zig");
const Detail = @import("detail.zig").Detail;
const Ring = @import("ring.zig").Ring;

pub const Error = file.Error || error{ TableFull, OutOfMemory };

/// How a ring is mapped; set by `createChannel` and `openChannel`.
pub const MapOptions = struct {
    access: file.Access = .read_write,
    /// Touch every page now rather than under the first message.
    prefault: bool = true,
    /// Keep the pages in memory (`mlock`).
    lock: bool = false,
};

const allocator = std.heap.c_allocator;

pub const Channel = struct {
    ring: Ring,
    identity: header.Identity,
    fd: i32,
    memory: []align(std.heap.page_size_min) u8,
    access: file.Access,
    /// 1 after the file was truncated under the mapping (sigbus.zig).
    poisoned: u32 = 0,
    /// Whether this process may read where the file says that its log is: see `grantLog`.
    is_log_granted: bool = false,
    /// Handles that keep this alive: its own, and one for each producer and consumer.
    references: u32 = 1,
    holds_producer: [constants.producers_max]bool = @splat(false),
    holds_consumer: [constants.consumers_max]bool = @splat(false),

    /// Takes `fd` over, also on failure.
    pub fn init(
        fd: i32,
        identity: *const header.Identity,
        options: MapOptions,
        detail: *Detail,
    ) Error!*Channel {
        errdefer _ = linux.close(fd);
        const channel = try allocator.create(Channel);
        errdefer allocator.destroy(channel);
        const memory = try map(fd, identity, options, detail);
        errdefer unmap(memory);
        channel.* = .{
            .ring = .init(memory.ptr, identity),
            .identity = identity.*,
            .fd = fd,
            .memory = memory,
            .access = options.access,
        };
        try sigbus.watch(memory, &channel.poisoned);
        if (!futex.registerForFences() and options.access == .read_write) {
            const word = &channel.ring.lines.control.fence_required;
            @atomicStore(u32, word, 1, .seq_cst);
        }
        return channel;
    }

    pub fn retain(channel: *Channel) void {
        channel.references += 1;
    }

    pub fn release(channel: *Channel) void {
        channel.references -= 1;
        if (channel.references > 0) return;
        sigbus.unwatch(channel.memory);
        unmap(channel.memory);
        _ = linux.close(channel.fd);
        allocator.destroy(channel);
    }

    /// Lets consumers read the log in that directory, which the caller has leave to read. False,
    /// and nothing changes, unless it is the one that the file names, byte for byte: whoever made
    /// the file may have named any.
    pub fn grantLog(channel: *Channel, path: []const u8) bool {
        if (path.len == 0 or !std.mem.eql(u8, path, channel.identity.logPath())) return false;
        channel.is_log_granted = true;
        return true;
    }

    pub fn isPoisoned(channel: *const Channel) bool {
        return @atomicLoad(u32, &channel.poisoned, .acquire) != 0;
    }

    /// Looks whether the file is as long as it was: one that is cut off behind what is touched now
    /// gives no fault. Costs a system call: for whoever has waited in vain.
    pub fn checkSize(channel: *Channel) void {
        const size = channel.identity.header_bytes + channel.identity.capacity;
        if (file.hasSize(channel.fd, size)) return;
        @atomicStore(u32, &channel.poisoned, 1, .release);
    }

    /// Whether the producer in that slot is proven dead: the kernel has released its lock.
    pub fn isProducerDead(channel: *const Channel, index: u32) bool {
        if (channel.holds_producer[index]) return false;
        return !liveness.isHeldByOther(channel.fd, liveness.Byte.producer(index));
    }

    /// Writes down for people what has happened. Not where the channel is only looked at.
    pub fn note(channel: *const Channel, event: history.Event) void {
        if (channel.access == .read_only) return;
        channel.ring.chronicle.history.note(event);
    }

    /// The same, about whoever a slot says it belongs to.
    pub fn noteOf(
        channel: *const Channel,
        kind: history.Kind,
        owner: *const header.Owner,
        sequence: u64,
    ) void {
        channel.note(.{
            .kind = kind,
            .name = ownerName(owner),
            .pid = @atomicLoad(u32, &owner.pid, .monotonic),
            .sequence = sequence,
        });
    }

    /// What recovery.zig tells when it has ended the claim of a dead producer.
    pub fn onClaimEnded(channel: *const Channel, index: u32, sequence: u64) void {
        channel.noteOf(.claim_ended, &channel.ring.producers[index].owner, sequence);
    }

    pub fn isConsumerDead(channel: *const Channel, index: u32) bool {
        if (channel.holds_consumer[index]) return false;
        return !liveness.isHeldByOther(channel.fd, liveness.Byte.consumer(index));
    }
};

/// Writes who this process is. Called under the slot's lock; `state` is stored by the caller.
pub fn writeOwner(owner: *header.Owner, name: []const u8) void {
    owner.pid = @intCast(linux.getpid());
    owner.tid = @intCast(linux.gettid());
    owner.start_time = process.startTime();
    owner.nonce = process.nonce();
    // A consumer that comes back finds its name there: it would lose its cursor if it died over
    // this.
    if (std.mem.eql(u8, ownerName(owner), name)) return;
    owner.name = @splat(0);
    @memcpy(owner.name[0..name.len], name);
    owner.name_bytes = @intCast(name.len);
}

/// The owner's name, with a length that a hostile peer cannot stretch.
pub fn ownerName(owner: *const header.Owner) []const u8 {
    const size = @min(@atomicLoad(u32, &owner.name_bytes, .monotonic), owner.name.len);
    return owner.name[0..size];
}

fn osError(rc: usize, detail: *Detail) file.Error {
    detail.errno = @intFromEnum(linux.errno(rc));
    return error.Os;
}

fn map(
    fd: i32,
    identity: *const header.Identity,
    options: MapOptions,
    detail: *Detail,
) file.Error![]align(std.heap.page_size_min) u8 {
    const huge = identity.flags & header.ChannelFlags.huge_pages != 0;
    const unit: usize = if (huge) constants.huge_page_bytes else constants.page_bytes;
    if (std.heap.pageSize() > unit) return error.UnsupportedFileSystem;
    const size = identity.header_bytes + 2 * identity.capacity;
    const none: linux.PROT = .{};
    const reserve: linux.MAP = .{ .TYPE = .PRIVATE, .ANONYMOUS = true, .NORESERVE = true };
    const rc = linux.mmap(null, size + unit, none, reserve, -1, 0);
    if (linux.errno(rc) != .SUCCESS) return osError(rc, detail);
    const base = std.mem.alignForward(usize, rc, unit);
    if (base > rc) _ = linux.munmap(@ptrFromInt(rc), base - rc);
    const rest = rc + unit - base;
    if (rest > 0) _ = linux.munmap(@ptrFromInt(base + size), rest);
    // SAFETY: the range was reserved above and is ours until `unmap`.
    const memory = @as([*]align(std.heap.page_size_min) u8, @ptrFromInt(base))[0..size];
    errdefer unmap(memory);
    const first = identity.header_bytes + identity.capacity;
    try mapPart(memory.ptr, first, fd, 0, options, detail);
    const second = memory.ptr + first;
    try mapPart(@alignCast(second), identity.capacity, fd, identity.header_bytes, options, detail);
    if (huge) _ = linux.madvise(memory.ptr, size, linux.MADV.HUGEPAGE); // A wish: see docs.
    try populate(memory[0..first], options, detail);
    return memory;
}

fn mapPart(
    address: [*]align(std.heap.page_size_min) u8,
    size: usize,
    fd: i32,
    offset: u64,
    options: MapOptions,
    detail: *Detail,
) file.Error!void {
    const protection: linux.PROT = .{ .READ = true, .WRITE = options.access == .read_write };
    const flags: linux.MAP = .{ .TYPE = .SHARED, .FIXED = true, .POPULATE = options.prefault };
    const rc = linux.mmap(address, size, protection, flags, fd, @intCast(offset));
    if (linux.errno(rc) != .SUCCESS) return osError(rc, detail);
}

fn populate(
    memory: []align(std.heap.page_size_min) u8,
    options: MapOptions,
    detail: *Detail,
) file.Error!void {
    if (options.prefault and options.access == .read_write) {
        // Best effort: kernels before 5.14 refuse, and POPULATE has mapped the pages for reading.
        _ = linux.madvise(memory.ptr, memory.len, madv_populate_write);
    }
    if (!options.lock) return;
    const rc = linux.syscall2(.mlock, @intFromPtr(memory.ptr), memory.len);
    if (linux.errno(rc) != .SUCCESS) return osError(rc, detail);
}

const madv_populate_write = 23; // Since Linux 5.14.

fn unmap(memory: []align(std.heap.page_size_min) u8) void {
    _ = linux.munmap(memory.ptr, memory.len);
}

/// Makes the channel's file and opens it.
pub fn create(
    place: file.Place,
    identity: *const header.Identity,
    group: ?u32,
    options: MapOptions,
    detail: *Detail,
) Error!*Channel {
    const fd = try file.create(place, identity, group, detail);
    return Channel.init(fd, identity, options, detail);
}

/// Opens the channel's file.
pub fn open(
    place: file.Place,
    name: []const u8,
    options: MapOptions,
    detail: *Detail,
) Error!*Channel {
    var identity: header.Identity = undefined;
    const fd = try file.open(place, name, options.access, abi.fingerprint, &identity, detail);
    var wanted = options;
    // Of a file with holes, whoever touches a page pays for it: that is not for us to do.
    if (!file.isAllocated(fd, identity.header_bytes + identity.capacity)) wanted.prefault = false;
    return Channel.init(fd, &identity, wanted, detail);
}
