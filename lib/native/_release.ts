// Generated from the built libraries by "deno task release". Do not edit.

export const VERSION = "0.1.0";

/** The released native libraries, by the machine that they are for. */
export const LIBRARIES: Record<string, { file: string; bytes: number; sha256: string }> = {
  "x86_64-linux-gnu": {
    file: "libmessage_transport-x86_64-linux-gnu.so",
    bytes: 674352,
    sha256: "ae4cfd874fd53a471e7704e4a2f62c37c607f9bc9e2ceb187a92b428aba300e8",
  },
  "aarch64-linux-gnu": {
    file: "libmessage_transport-aarch64-linux-gnu.so",
    bytes: 606712,
    sha256: "caf2e5d7bf087db0f905730909ae656093924ff3634b2d517bfe12decbf9e059",
  },
};
