import type { DefinedTemplate } from "@tasker-core/sdk/protocol";
import type { TaskTemplate } from "../model/index.js";
import type { Logger } from "../observability/index.js";
import { formatDiagnostic, parseTemplate, type TemplateOptions } from "../templates/index.js";

export interface CodeTemplatesOptions {
  /** How templates are read, as for files. */
  readonly reading: TemplateOptions;
  readonly register: (template: TaskTemplate) => Promise<void>;
  readonly logger: Logger;
}

/** More are forgotten: a repeated definition only costs one more registration of unchanged content. */
const MAX_REMEMBERED = 10_000;

/**
 * Task templates that handler processes define in code. They are read, checked and registered like template files; one
 * that is wrong is reported with everything that is wrong about it and left out, as `tasker dev` does with a file.
 */
export class CodeTemplates {
  readonly #options: CodeTemplatesOptions;
  /** Definitions seen, as text: the processes of one language all say the same. */
  readonly #seen = new Set<string>();

  constructor(options: CodeTemplatesOptions) {
    this.#options = options;
  }

  /**
   * @param language of the process, for messages
   * @throws DatabaseError when a template cannot be stored; it is registered again with the next process
   */
  async define(language: string, templates: readonly DefinedTemplate[]): Promise<void> {
    for (const definition of templates) {
      const text = JSON.stringify(definition, null, 2);
      if (this.#seen.has(text)) continue;
      if (this.#seen.size >= MAX_REMEMBERED) this.#seen.clear();
      this.#seen.add(text);
      try {
        await this.#defineOne(`${language} template ${String(definition["name"])}`, text);
      } catch (error) {
        this.#seen.delete(text);
        throw error;
      }
    }
  }

  async #defineOne(title: string, text: string): Promise<void> {
    const { reading, register, logger } = this.#options;
    const { template, diagnostics } = parseTemplate(text, title, reading);
    for (const diagnostic of diagnostics) {
      logger[diagnostic.severity === "error" ? "error" : "warn"](
        { template: title },
        formatDiagnostic(diagnostic),
      );
    }
    if (template !== null) await register(template);
  }
}
