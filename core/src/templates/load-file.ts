import { readFile, stat } from "node:fs/promises";
import { messageOf } from "../errors/index.js";
import type { Diagnostic } from "./diagnostics.js";
import { type ParsedTemplate, parseTemplate } from "./parse.js";
import type { TemplateOptions } from "./read-context.js";

/** 10 000 steps written out take about 2 MB. */
export const MAX_TEMPLATE_BYTES = 16 * 1024 * 1024;

/** Reads and checks one template file; a file that cannot be read is a diagnostic like any other. */
export async function loadTemplateFile(
  path: string,
  options: TemplateOptions = {},
): Promise<ParsedTemplate> {
  try {
    const { size } = await stat(path);
    if (size > MAX_TEMPLATE_BYTES) {
      return failed(path, `the file has ${size} bytes, more than ${MAX_TEMPLATE_BYTES}`);
    }
    // fatal: text that is not UTF-8 must not become replacement characters in someone's step name.
    const text = new TextDecoder("utf-8", { fatal: true }).decode(await readFile(path));
    return parseTemplate(text, path, options);
  } catch (error) {
    const isEncoding = error instanceof TypeError;
    return failed(
      path,
      isEncoding ? "the file is not UTF-8 text" : `cannot be read: ${messageOf(error)}`,
    );
  }
}

function failed(file: string, message: string): ParsedTemplate {
  const diagnostic: Diagnostic = {
    severity: "error",
    file,
    line: 1,
    column: 1,
    path: "",
    message,
    hint: null,
  };
  return { template: null, diagnostics: [diagnostic] };
}
