// Generated from the built libraries by "deno task release". Do not edit.

export const VERSION = "0.1.0";

/** The released native libraries, by the machine that they are for. */
export const LIBRARIES: Record<string, { file: string; bytes: number; sha256: string }> = {
  "x86_64-linux-gnu": {
    file: "libmessage_transport-x86_64-linux-gnu.so",
    bytes: 676944,
    sha256: "b0ed1171a172cc453028f63c7c6539bb2aa50f78d52dc1068ce6806687873510",
  },
  "aarch64-linux-gnu": {
    file: "libmessage_transport-aarch64-linux-gnu.so",
    bytes: 608936,
    sha256: "7a858afd33cc5cbab32cf67cd80cc33a2b538aaada0d648db89cbd956752e510",
  },
};
