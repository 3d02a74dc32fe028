// Generated from the built libraries by "deno task release". Do not edit.

export const VERSION = "0.1.0";

/** The released native libraries, by the machine that they are for. */
export const LIBRARIES: Record<string, { file: string; bytes: number; sha256: string }> = {
  "x86_64-linux-gnu": {
    file: "libmessage_transport-x86_64-linux-gnu.so",
    bytes: 677056,
    sha256: "d8d5be934776cfc899ac3e9c2b10c4435b92381f5746f7cc4352b936c8ebff91",
  },
  "aarch64-linux-gnu": {
    file: "libmessage_transport-aarch64-linux-gnu.so",
    bytes: 608984,
    sha256: "5f0b0515ce03f34680cc6d43293e6900f8fab06b373693368a0fc1509c454195",
  },
};
