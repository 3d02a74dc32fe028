// Generated from the built libraries by "deno task release". Do not edit.

export const VERSION = "0.1.0";

/** The released native libraries, by the machine that they are for. */
export const LIBRARIES: Record<string, { file: string; bytes: number; sha256: string }> = {
  "x86_64-linux-gnu": {
    file: "libmessage_transport-x86_64-linux-gnu.so",
    bytes: 305736,
    sha256: "f856560afa5f3e1551a1a5ec2d5b9c9356992cfbc9583fe39bd4ec89efec9d1e",
  },
  "aarch64-linux-gnu": {
    file: "libmessage_transport-aarch64-linux-gnu.so",
    bytes: 281984,
    sha256: "eab71687e720cb3188c091403ea076bc7e45800b745a31b410ce9d1caa6b929c",
  },
};
