export {
  checkForHandler,
  checkForHost,
  checkHeaderText,
  type HeaderCheck,
  type HeaderFault,
  type NackCode,
} from "./check-header.js";
export {
  type DecodedFrame,
  encodeFrame,
  encodeHead,
  escapeBytes,
  FrameDecoder,
  measureHead,
  writeHead,
} from "./frame.js";
export {
  buildChallenge,
  buildHello,
  buildWelcome,
  createNonce,
  type HelloFacts,
  type HelloRefusal,
  type HelloVerdict,
  handlerProof,
  hostProof,
  isWelcomeProven,
  judgeHello,
} from "./handshake.js";
export { parseHeader, parseHeaderText, type RawHeader } from "./header.js";
export { HEADER_SHAPES } from "./header-shapes.js";
export {
  type DefinedTemplate,
  type HandlerManifest,
  type HandlerPattern,
  type Manifest,
  type NamedHandler,
  readManifest,
} from "./manifest.js";
export type {
  AckHeader,
  BeatHeader,
  ByeHeader,
  CancelHeader,
  ChallengeHeader,
  CheckpointHeader,
  DrainHeader,
  ErrorHeader,
  EventHeader,
  HandlerHeader,
  HelloHeader,
  HostHeader,
  LogHeader,
  MessageHeader,
  MessageType,
  NackHeader,
  NotifiedHeader,
  NotifyHeader,
  PingHeader,
  PongHeader,
  ReadyHeader,
  RejectHeader,
  ResultHeader,
  StartedHeader,
  StatsHeader,
  StepHeader,
  SubscribeHeader,
  WelcomeHeader,
} from "./messages.js";
export type { FieldRow, FieldShape, HeaderShape } from "./shape.js";
export {
  ABSOLUTE_MAX_FRAME,
  chooseProtocol,
  DEFAULT_MAX_FRAME,
  HANDSHAKE_MAX_FRAME,
  MAX_HEADER,
  PROTOCOL_VERSIONS,
} from "./version.js";
