import type { JsonObject, JsonValue } from "../../lib/json-number.js";
import { JsonNumber } from "../../lib/json-number.js";
import type { Language } from "./project-files.js";

// Types of a language from JSON Schema: objects become named types, what has no type of its own becomes the language's
// word for "anything".

export interface NamedSchema {
  /** PascalCase. */
  readonly name: string;
  readonly schema: JsonObject;
}

interface Field {
  readonly key: string;
  readonly type: string;
  readonly isRequired: boolean;
  readonly note: string | null;
}

interface ObjectType {
  readonly name: string;
  readonly note: string | null;
  readonly fields: readonly Field[];
}

/** A file with a type per schema, and per object inside it. */
export function typesOf(schemas: readonly NamedSchema[], language: Language): string {
  const types = schemas.flatMap(({ name, schema }) => objectTypes(name, schema, language));
  const body = types
    .map((type) => WRITERS[language](type))
    .join(language === "python" ? "\n\n" : "\n");
  const gap = language === "python" ? "\n\n" : "\n";
  return `${headOf(language, body)}${gap}${body}`;
}

const MADE = "Made by `tasker generate types`: edit the template's schemas instead.";

function headOf(language: Language, body: string): string {
  if (language === "typescript") return `// ${MADE}\n`;
  if (language === "ruby") return `# frozen_string_literal: true\n\n# ${MADE}\n`;
  // Only what is used is imported; annotations are texts, so NotRequired need not exist at run time before 3.11.
  const used = ["Any", "Literal", "TypedDict"].filter((name) => body.includes(name));
  const isPartial = body.includes("NotRequired");
  const typing = isPartial
    ? `from typing import TYPE_CHECKING, ${used.join(", ")}`
    : `from typing import ${used.join(", ")}`;
  const optional = isPartial
    ? "\n\nif TYPE_CHECKING:\n    from typing_extensions import NotRequired\n"
    : "\n";
  return `"""${MADE}"""\n\nfrom __future__ import annotations\n\n${typing}${optional}`;
}

/** Inner objects before those that name them. */
function objectTypes(name: string, schema: JsonObject, language: Language): ObjectType[] {
  const inner: ObjectType[] = [];
  const properties = objectOf(schema["properties"]);
  const required = new Set(listOf(schema["required"]).map(String));
  const fields = Object.entries(properties).map(([key, value]) => ({
    key,
    type: typeOf(objectOf(value), `${name}${pascalCase(key)}`, language, inner),
    isRequired: required.has(key),
    note: textOf(objectOf(value)["description"]),
  }));
  return [...inner, { name, note: textOf(schema["description"]), fields }];
}

const WORDS: Readonly<Record<Language, Readonly<Record<string, string>>>> = {
  typescript: {
    string: "string",
    integer: "number",
    number: "number",
    boolean: "boolean",
    null: "null",
    any: "unknown",
    object: "Record<string, unknown>",
  },
  python: {
    string: "str",
    integer: "int",
    number: "float",
    boolean: "bool",
    null: "None",
    any: "Any",
    object: "dict[str, Any]",
  },
  ruby: {
    string: "String",
    integer: "Integer",
    number: "Numeric",
    boolean: "bool",
    null: "nil",
    any: "untyped",
    object: "Hash[Symbol, untyped]",
  },
};

function typeOf(schema: JsonObject, name: string, language: Language, inner: ObjectType[]): string {
  const words = WORDS[language];
  const choices = schema["enum"];
  if (Array.isArray(choices) && choices.length > 0) return choiceOf(choices, language);
  const { type } = schema;
  if (Array.isArray(type)) {
    const each = type.map((one) => typeOf({ ...schema, type: one }, name, language, inner));
    return [...new Set(each)].join(" | ");
  }
  if (type === "array") {
    const item = typeOf(objectOf(schema["items"]), `${name}Item`, language, inner);
    if (language === "python") return `list[${item}]`;
    if (language === "ruby") return `Array[${item}]`;
    return item.includes(" | ") ? `(${item})[]` : `${item}[]`;
  }
  if (Object.keys(objectOf(schema["properties"])).length > 0) {
    inner.push(...objectTypes(name, schema, language));
    return name;
  }
  return words[String(type)] ?? words["any"] ?? "";
}

function choiceOf(choices: readonly JsonValue[], language: Language): string {
  const texts = choices.map((choice) =>
    choice instanceof JsonNumber ? choice.source : JSON.stringify(choice),
  );
  if (language !== "python")
    return texts.join(" | ").replaceAll("null", language === "ruby" ? "nil" : "null");
  const words: Readonly<Record<string, string>> = { true: "True", false: "False", null: "None" };
  return `Literal[${texts.map((text) => words[text] ?? text).join(", ")}]`;
}

const WRITERS: Readonly<Record<Language, (type: ObjectType) => string>> = {
  typescript: ({ name, note, fields }) => {
    const lines = fields.map(
      ({ key, type, isRequired, note: about }) =>
        `${about === null ? "" : `  /** ${comment(about)} */\n`}  ${/^[A-Za-z_$][\w$]*$/.test(key) ? key : JSON.stringify(key)}${isRequired ? "" : "?"}: ${type};`,
    );
    const doc = note === null ? "" : `/** ${comment(note)} */\n`;
    return `${doc}export interface ${name} {\n${lines.join("\n")}${lines.length > 0 ? "\n" : ""}}\n`;
  },
  python: ({ name, fields }) => {
    // The functional form takes any key.
    const isPlain = fields.every(({ key }) => /^[A-Za-z_]\w*$/.test(key) && !PYTHON_WORDS.has(key));
    const typed = fields.map(({ key, type, isRequired }) => [
      key,
      isRequired ? type : `NotRequired[${type}]`,
    ]);
    if (!isPlain) {
      const members = typed.map(
        ([key, type]) => `    ${JSON.stringify(key)}: ${JSON.stringify(type)},`,
      );
      return `${name} = TypedDict("${name}", {\n${members.join("\n")}\n})\n`;
    }
    const lines = typed.map(([key, type]) => `    ${key}: ${type}`);
    return `class ${name}(TypedDict):\n${lines.length === 0 ? "    pass" : lines.join("\n")}\n`;
  },
  ruby: ({ name, fields }) => {
    // A Struct with keywords, and the types as comments in RBS.
    const lines = fields.map(
      ({ key, type, isRequired }) =>
        `#   ${key}: ${isRequired ? type : type.includes(" | ") ? `(${type})?` : `${type}?`}`,
    );
    const members = fields.map(({ key }) => (/^[a-z_]\w*$/.test(key) ? `:${key}` : `:"${key}"`));
    return `# ${name}\n${lines.join("\n")}${lines.length > 0 ? "\n" : ""}${name} = Struct.new(${[...members, "keyword_init: true"].join(", ")})\n`;
  },
};

const PYTHON_WORDS = new Set([
  ..."False None True and as assert async await break class continue def del elif else except".split(
    " ",
  ),
  ..."finally for from global if import in is lambda nonlocal not or pass raise return try while with yield".split(
    " ",
  ),
]);

export function pascalCase(text: string): string {
  const words = text.split(/[^A-Za-z0-9]+/).filter((word) => word !== "");
  const joined = words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join("");
  return /^[0-9]/.test(joined) ? `T${joined}` : joined;
}

function comment(text: string): string {
  return text.replace(/\s+/g, " ").replaceAll("*/", "* /");
}

function objectOf(value: JsonValue | undefined): JsonObject {
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  return isObject && !(value instanceof JsonNumber) ? (value as JsonObject) : {};
}

function listOf(value: JsonValue | undefined): readonly JsonValue[] {
  return Array.isArray(value) ? value : [];
}

function textOf(value: JsonValue | undefined): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}
