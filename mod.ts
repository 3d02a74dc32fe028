/**
 * Moves messages between processes through shared memory, fast and without losing any.
 *
 * The whole public API. Its graph imports nothing from outside, so that it can be imported by URL.
 *
 * @module
 */

export { Channel, type ChannelStats, createChannel, openChannel } from "./lib/channel/channel.ts";
export type {
  ChannelOptions,
  LogOptions,
  OpenChannelOptions,
  Retention,
  Size,
} from "./lib/channel/channel_options.ts";
export {
  type ChannelEntry,
  type ChannelPlace,
  listChannels,
  removeChannel,
  removeUnusedChannel,
} from "./lib/channel/directory.ts";
export type { UnusedRemoval } from "./lib/native/ring.ts";
export { Claim } from "./lib/channel/claim.ts";
export { type Level, openProducer, Producer } from "./lib/channel/producer.ts";
export type { Batch, ProducerOptions, WriteOptions } from "./lib/channel/producer_options.ts";
export { Consumer } from "./lib/channel/consumer.ts";
export { openConsumer, openObserver } from "./lib/channel/open_consumer.ts";
export { removeConsumer } from "./lib/channel/remove_consumer.ts";
export type {
  ConsumerOptions,
  Gap,
  ObserverOptions,
  PollWaitOptions,
  Start,
} from "./lib/channel/consumer_options.ts";
export { BACK_PRESSURED, Message, MESSAGE_FLAGS, WAL_FULL } from "./lib/channel/record.ts";
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
  type LogVerification,
  type RingVerification,
  verifyLog,
  type VerifyOptions,
  type VerifyProgress,
  verifyRing,
} from "./lib/durability/verify.ts";
export {
  type CheckpointsVerification,
  type CheckpointVerification,
  type StateVerification,
  type StoreFinding,
  type StoreVerification,
  verifyCheckpoints,
  verifyStore,
  type VerifyStoreOptions,
} from "./lib/durability/verify_checkpoints.ts";
export {
  type LostInterval,
  readLog,
  type ReadLogOptions,
  type Salvage,
  salvageLog,
  type SalvageOptions,
} from "./lib/durability/log_reader.ts";
export type { Durability, LogReport } from "./lib/native/log.ts";
export type { LogOverview, LogVerdict } from "./lib/native/verify.ts";
export type { HistogramCounts, HistogramKind } from "./lib/native/histogram.ts";
export type { HistoryEntry, HistoryKind } from "./lib/native/history.ts";
export type { Peer } from "./lib/native/peers.ts";
export {
  type Checkpoint,
  type CheckpointContent,
  Checkpoints,
  type CheckpointSchedule,
  CheckpointTimer,
  openCheckpoints,
} from "./lib/durability/checkpoint.ts";
export type { Cursor } from "./lib/durability/manifest.ts";
export type { Recovery } from "./lib/durability/recovery.ts";
export type { State } from "./lib/durability/snapshot.ts";
export type { DamagedCheckpoint } from "./lib/durability/vault.ts";
export {
  openStore,
  Store,
  type StoreOperation,
  type StoreOptions,
  type StoreStats,
} from "./lib/durability/store.ts";
export { installNativeLibrary, type InstallOptions } from "./lib/native/binary.ts";
export { monotonicNs, tickClock } from "./lib/native/clock.ts";
export { pinThread } from "./lib/native/affinity.ts";
export { confine } from "./lib/native/confinement.ts";
export {
  ChannelClosedError,
  CorruptHeaderError,
  CorruptLogError,
  CorruptRecordError,
  CorruptStoreError,
  DeadlockError,
  DurabilityError,
  LayoutMismatchError,
  type LogDamage,
  type LogFaultKind,
  NativeLibraryError,
  NoSpaceError,
  type RecordFault,
  RingTruncatedError,
  SequenceGapError,
  StoreClosedError,
} from "./lib/errors.ts";
