// Generated from the built libraries by "deno task release". Do not edit.

export const VERSION = "0.1.0";

/** The released native libraries, by the machine that they are for. */
export const LIBRARIES: Record<string, { file: string; bytes: number; sha256: string }> = {
  "x86_64-linux-gnu": {
    file: "libmessage_transport-x86_64-linux-gnu.so",
    bytes: 611176,
    sha256: "caffcd71c48dd7b98af49f9131311a8a635db2796ca1e9d419a23b18ec23d03a",
  },
  "aarch64-linux-gnu": {
    file: "libmessage_transport-aarch64-linux-gnu.so",
    bytes: 554256,
    sha256: "3f2d404eb17b7d5f97401bae1a31dd386313e27daaa5797d5bd11c13490784a9",
  },
};
