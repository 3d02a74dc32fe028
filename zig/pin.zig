//! Keeps the library loaded. Deno closes a library when its handle is collected or an isolate ends,
//! also while a call, a thread of ours or a callback is inside it.
const std = @import("std");

const DlInfo = extern struct {
    file_name: ?[*:0]const u8,
    base: ?*anyopaque,
    symbol_name: ?[*:0]const u8,
    symbol: ?*anyopaque,
};
extern fn dladdr(address: *const anyopaque, info: *DlInfo) c_int;
extern fn dlopen(file_name: [*:0]const u8, flags: c_int) ?*anyopaque;
const rtld_now = 0x2;
const rtld_nodelete = 0x1000;

/// Opens the library that this function lies in once more, marked as never to be removed.
pub fn pinLibrary() bool {
    var info: DlInfo = undefined;
    if (dladdr(&pinLibrary, &info) == 0) return false;
    const name = info.file_name orelse return false;
    return dlopen(name, rtld_now | rtld_nodelete) != null;
}
