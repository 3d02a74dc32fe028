// Generated from the built libraries by "deno task release". Do not edit.

export const VERSION = "0.1.0";

/** The released native libraries, by the machine that they are for. */
export const LIBRARIES: Record<string, { file: string; bytes: number; sha256: string }> = {
  "x86_64-linux-gnu": {
    file: "libmessage_transport-x86_64-linux-gnu.so",
    bytes: 677072,
    sha256: "e20d190e7231774788944d07d88bb2df99a5d89d90777b39cce76e5e999f4ed7",
  },
  "aarch64-linux-gnu": {
    file: "libmessage_transport-aarch64-linux-gnu.so",
    bytes: 609032,
    sha256: "6c6c8a0e82b23f985992f89d5dc13963c4126f776c2cfca9fba0c830946bee33",
  },
};
