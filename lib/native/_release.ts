// Generated from the built libraries by "deno task release". Do not edit.

export const VERSION = "0.1.0";

/** The released native libraries, by the machine that they are for. */
export const LIBRARIES: Record<string, { file: string; bytes: number; sha256: string }> = {
  "x86_64-linux-gnu": {
    file: "libmessage_transport-x86_64-linux-gnu.so",
    bytes: 597208,
    sha256: "763d683ce8a6ed88e41e6a937594ca82e460474783b4d54a511ec25430228506",
  },
  "aarch64-linux-gnu": {
    file: "libmessage_transport-aarch64-linux-gnu.so",
    bytes: 542224,
    sha256: "0145ab81e8b42e5032552471a12b4f8468260948441679cdffc0aa699d1716a2",
  },
};
