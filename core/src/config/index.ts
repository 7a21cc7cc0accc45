export { ALLOWED_VARIABLES, variableProblem } from "./allowed-variables.js";
export { type BindVerdict, checkBind, isLoopback } from "./bind-safety.js";
export { defaultFileText } from "./default-files.js";
export { type ConfigKey, configKeys } from "./describe-keys.js";
export { ENVIRONMENT_KEYS } from "./environment-keys.js";
export type { Environment } from "./interpolate.js";
export { type LoadConfigOptions, type LoadedConfig, loadConfig, located } from "./load.js";
export { type ConfigProblem, formatProblem } from "./problem.js";
export { readTomlFile, type TomlFile } from "./read-toml.js";
export { configReference } from "./reference.js";
export { type Config, configSchema } from "./schema/index.js";
export {
  COMPONENTS,
  CONTEXTS,
  type Component,
  type ConfigContext,
  componentFiles,
  mergeFiles,
  sourceDirectory,
  withDotEnv,
} from "./sources.js";
export { defaultConfig, type Validation, type ValueProblem, validateConfig } from "./validate.js";
export { writeToml } from "./write-toml.js";
