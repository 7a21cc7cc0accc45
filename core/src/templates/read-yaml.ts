import { LineCounter, type Node, parseAllDocuments } from "yaml";
import { TreeBuilder, type YamlProblem } from "./tree-builder.js";
import type { YamlNode } from "./yaml-tree.js";

export interface YamlFile {
  /** Null when the file could not be read as one document. */
  readonly root: YamlNode | null;
  readonly problems: readonly YamlProblem[];
  /** Line and column of an offset, both counted from 1. */
  position(offset: number): { line: number; column: number };
}

/** Reads YAML text (JSON is YAML) into a tree with places. Never throws; bounded in depth and size. */
export function readYaml(text: string): YamlFile {
  const lines = new LineCounter();
  const problems: YamlProblem[] = [];
  const file = (root: YamlNode | null): YamlFile => ({
    root,
    problems,
    position(offset) {
      const { line, col } = lines.linePos(offset);
      return { line: Math.max(1, line), column: Math.max(1, col) };
    },
  });
  try {
    // Repeated keys are found below in linear time; the library compares every pair.
    const documents = parseAllDocuments(text, {
      lineCounter: lines,
      prettyErrors: false,
      uniqueKeys: false,
      logLevel: "silent",
    });
    const list = Array.isArray(documents) ? documents : [];
    for (const document of list) {
      for (const error of document.errors) {
        problems.push({ offset: error.pos[0], message: yamlMessage(error.message) });
      }
    }
    if (list[1] !== undefined) {
      problems.push({
        offset: list[1].range[0],
        message: "a second document starts here; a file holds one template",
      });
    }
    const contents = list[0]?.contents;
    if (problems.length > 0 || contents === null || contents === undefined) return file(null);
    return file(new TreeBuilder(problems).build(contents as Node));
  } catch (error) {
    // The parser is recursive: text nested some thousand levels deep ends its stack, not the process.
    if (!(error instanceof RangeError)) throw error;
    problems.push({ offset: 0, message: "the YAML is nested too deeply to be read" });
    return file(null);
  }
}

function yamlMessage(message: string): string {
  return `not valid YAML: ${message.charAt(0).toLowerCase()}${message.slice(1)}`;
}
