// Generated from the built libraries by "deno task release". Do not edit.

export const VERSION = "0.1.0";

/** The released native libraries, by the machine that they are for. */
export const LIBRARIES: Record<string, { file: string; bytes: number; sha256: string }> = {
  "x86_64-linux-gnu": {
    file: "libmessage_transport-x86_64-linux-gnu.so",
    bytes: 308144,
    sha256: "9eaf5557c4857ff588fa6cc7a77ed11396360b69469485d4aa57ed1b39b24712",
  },
  "aarch64-linux-gnu": {
    file: "libmessage_transport-aarch64-linux-gnu.so",
    bytes: 284744,
    sha256: "be464f9b6a0d50f91dc5067f0c891a5701a289cc9e0f9de6fe1c2d959fde9cb6",
  },
};
