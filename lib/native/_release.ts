// Generated from the built libraries by "deno task release". Do not edit.

export const VERSION = "0.1.0";

/** The released native libraries, by the machine that they are for. */
export const LIBRARIES: Record<string, { file: string; bytes: number; sha256: string }> = {
  "x86_64-linux-gnu": {
    file: "libmessage_transport-x86_64-linux-gnu.so",
    bytes: 597080,
    sha256: "3e8a00b80a9d9c9d5d784c718ddadad8e440cde16d9477cd731c9c67ec65abaf",
  },
  "aarch64-linux-gnu": {
    file: "libmessage_transport-aarch64-linux-gnu.so",
    bytes: 542176,
    sha256: "5312d2e2a4cb0dfbcc51bc29e52c2d305c249482c4e7a78aa7a964de6a1b9ab3",
  },
};
