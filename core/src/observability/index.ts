export {
  ChannelMonitor,
  type ChannelMonitorOptions,
  type ChannelStatus,
  type MonitoredChannel,
} from "./channel-monitor.js";
export {
  createLogger,
  isLogLevel,
  LOG_LEVELS,
  type LogFields,
  type Logger,
  type LoggerOptions,
  type LogLevel,
  type LogMethod,
  silentLogger,
} from "./logger.js";
export { Metrics, type NamedSample, type Sample } from "./metrics.js";
