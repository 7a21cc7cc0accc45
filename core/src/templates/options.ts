import type { Config } from "../config/index.js";
import type { TemplateOptions } from "./read-context.js";

/** How templates are read under this configuration. */
export function templateOptions({ compatibility, templates }: Config): TemplateOptions {
  return {
    profile: compatibility.profile,
    ...(templates.unknown_keys === "auto" ? {} : { unknownKeys: templates.unknown_keys }),
  };
}
