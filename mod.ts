/**
 * Moves messages between processes through shared memory, fast and without losing any.
 *
 * The whole public API. Its graph imports nothing from outside, so that it can be imported by URL.
 *
 * @module
 */

export {
  Channel,
  type ChannelOptions,
  type ChannelStats,
  createChannel,
  openChannel,
  type OpenChannelOptions,
  type Size,
} from "./lib/channel/channel.ts";
export {
  type ChannelEntry,
  type ChannelPlace,
  listChannels,
  removeChannel,
} from "./lib/channel/directory.ts";
export {
  type Batch,
  Claim,
  openProducer,
  Producer,
  type ProducerOptions,
  type WriteOptions,
} from "./lib/channel/producer.ts";
export { Consumer, openConsumer, openObserver } from "./lib/channel/consumer.ts";
export type {
  ConsumerOptions,
  Gap,
  ObserverOptions,
  PollWaitOptions,
  Start,
} from "./lib/channel/consumer_options.ts";
export { BACK_PRESSURED, Message, MESSAGE_FLAGS } from "./lib/channel/record.ts";
export type { WaitStrategy } from "./lib/channel/wait_strategy.ts";
export {
  type Accessor,
  type AccessorBase,
  defineSchema,
  type ElementValue,
  type FieldMap,
  type FieldType,
  type IsArray,
  type PrimitiveType,
  type Schema,
  type SchemaField,
  type SchemaOptions,
} from "./lib/channel/schema.ts";
export {
  openStore,
  Store,
  type StoreOperation,
  type StoreOptions,
  type StoreStats,
} from "./lib/durability/store.ts";
export type { Peer } from "./lib/native/ring.ts";
export { installNativeLibrary, type InstallOptions } from "./lib/native/binary.ts";
export { monotonicNs, tickClock } from "./lib/native/clock.ts";
export { pinThread } from "./lib/native/affinity.ts";
export {
  ChannelClosedError,
  CorruptHeaderError,
  CorruptRecordError,
  CorruptStoreError,
  DeadlockError,
  DurabilityError,
  LayoutMismatchError,
  NativeLibraryError,
  NoSpaceError,
  type RecordFault,
  RingTruncatedError,
  SequenceGapError,
  StoreClosedError,
} from "./lib/errors.ts";
