export { type Diagnostic, formatDiagnostic, hasErrors, type Severity } from "./diagnostics.js";
export { type DiscoveredTemplate, type Discovery, discoverTemplates } from "./discover.js";
export { findTemplateDirectory } from "./find-directory.js";
export { loadTemplateFile, MAX_TEMPLATE_BYTES } from "./load-file.js";
export { templateOptions } from "./options.js";
export { type ParsedTemplate, parseTemplate } from "./parse.js";
export type { TemplateOptions, TemplateProfile, UnknownKeys } from "./read-context.js";
