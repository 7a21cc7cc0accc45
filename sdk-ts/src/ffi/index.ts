/** Entry `@tasker-core/sdk/ffi`: a worker's connection to its host. */
export { BridgeModule } from "../bridge/bridge-module.js";
export { type BridgeAddress, parseBridgeAddress } from "../bridge/channel.js";
export { HandshakeError } from "../bridge/connection.js";
export { FfiLayer, type FfiLayerConfig, getFfiLayer, type Runtime } from "./ffi-layer.js";
export type {
  BootstrapConfig,
  BootstrapResult,
  FfiModule,
  HandlerOffer,
  StepControl,
  StopResult,
  WorkerStatus,
} from "./module.js";
