export {
  ASK_HEAD_MAX_BYTES,
  ASK_STREAMS_MAX_COUNT,
  ASK_WINDOW_BYTES,
  ASKS_MAX_COUNT,
  isServiceName,
  readAnswer,
  readAsk,
  writeAnswer,
  writeAsk,
} from './ask.ts';
export type { AskFrame } from './ask.ts';
export {
  readNear,
  readPayload,
  homeOf,
  placeOfHome,
  readToken,
  readVersion,
  STATE_FIELD,
  STATE_FIELD_MAX_CHARS,
  withoutVersion,
  withVersion,
  withoutPayload,
  withoutToken,
  withPayload,
  withToken,
} from './continuation-token.ts';
export type { ContinuationToken } from './continuation-token.ts';
export { CreditedReceiver, CreditedSender } from './credit.ts';
export { FRAME_HEAD_BYTES, FRAME_PAYLOAD_MAX_BYTES, FrameReader, FrameWriter, ProtocolError } from './frame.ts';
export type { ByteSink, FrameHandler } from './frame.ts';
export { CRASH_RECORD, failureOf, failureOfCrash, readFailure } from './failure.ts';
export type { Failure } from './failure.ts';
export { CONTINUATIONS_TOLD, INSTANCES_TOLD, readHoldings, writeHoldings } from './holdings.ts';
export type { HeldContinuation, HeldInstance, Holdings } from './holdings.ts';
export { LastCollection } from './last-collection.ts';
export type { CollectorMessage } from './last-collection.ts';
export {
  BODY_WINDOW_BYTES,
  CHUNK_COST_BYTES,
  CHUNK_MAX_BYTES,
  ENTRY_TAG_BYTES,
  HEAD_MAX_BYTES,
  type ServletLimits,
} from './limits.ts';
export { JsonLineReader, writeJsonLine } from './json-lines.ts';
export { decodeForm, encodeForm } from './form.ts';
export type { FormPart, ReadForm, ReadPart } from './form.ts';
export { RequestHead, writeRequest } from './request.ts';
export type { RequestHeadFields } from './request.ts';
export {
  checkHeaderLines,
  isBodiless,
  readReply,
  readUsage,
  REPLY_HEAD_BYTES,
  writeHead,
  writeReply,
} from './response.ts';
export type { ReplyFrame, Usage } from './response.ts';
export { RunningRequest } from './running-request.ts';
export { importsSuspension, type Persistence, persistenceOf, SUSPENDING_NAMES } from './suspending.ts';
export { ToHost, type LogLevel, type Ready } from './to-host.ts';
export { ToWorker } from './to-worker.ts';
export { UnderWay } from './under-way.ts';
export type { GuestOrder, LeaseOrder, ToCell } from './to-cell.ts';
export type { ThreadSample, ToSupervisor } from './to-supervisor.ts';
