// Generated from the built libraries by "deno task release". Do not edit.

export const VERSION = "0.1.0";

/** The released native libraries, by the machine that they are for. */
export const LIBRARIES: Record<string, { file: string; bytes: number; sha256: string }> = {
  "x86_64-linux-gnu": {
    file: "libmessage_transport-x86_64-linux-gnu.so",
    bytes: 676912,
    sha256: "0d30a6f21bdba610f920b53770e05c35622d2b0cc967b2a1b7beb27f141b81cf",
  },
  "aarch64-linux-gnu": {
    file: "libmessage_transport-aarch64-linux-gnu.so",
    bytes: 608888,
    sha256: "b4c1fe31523f31c89705e014af664c02b2baf755c3e940a69a1b9c1a2e3eeb96",
  },
};
