import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  discoverTemplates,
  findTemplateDirectory,
  formatDiagnostic,
  loadTemplateFile,
  MAX_TEMPLATE_BYTES,
} from "../../src/templates/index.js";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "tasker-templates-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function write(path: string, text: string | Uint8Array): string {
  const file = join(root, path);
  mkdirSync(join(file, ".."), { recursive: true });
  writeFileSync(file, text);
  return file;
}
const template = (name: string): string => `name: ${name}\nnamespace_name: ns\nversion: 1.0.0\n`;

describe("discoverTemplates", () => {
  it("loads every YAML file below, reports the bad ones, follows links once", async () => {
    write("b.yml", template("b"));
    write("deep/er/a.yaml", template("a"));
    write("deep/notes.txt", "no template");
    write(".hidden/h.yaml", template("h"));
    const bad = write("bad.yaml", "name: x\n");
    symlinkSync(root, join(root, "deep/loop"));
    symlinkSync(join(root, "nowhere"), join(root, "dangling.yaml"));
    const found = await discoverTemplates(root);
    expect(found.templates.map((item) => item.template.name)).toEqual(["b", "a"]);
    expect(found.files).toEqual([join(root, "b.yml"), bad, join(root, "deep/er/a.yaml")]);
    expect(found.diagnostics.map((item) => item.file)).toEqual([bad, bad]);
  });

  it("lets the later of two files with one identity win, and says so", async () => {
    write("1.yaml", `${template("same")}description: first\n`);
    const later = write("2.yaml", `${template("same")}description: second\n`);
    const found = await discoverTemplates(root);
    expect(found.templates.map((item) => item.template.description)).toEqual(["second"]);
    expect(found.diagnostics.map(formatDiagnostic)).toEqual([
      `${later}:1:1: warning: replaces ns/same/1.0.0 from ${join(root, "1.yaml")}`,
    ]);
  });

  it("reports a directory that is not there", async () => {
    const found = await discoverTemplates(join(root, "none"));
    expect(found.templates).toEqual([]);
    expect(found.diagnostics[0]?.message).toContain("ENOENT");
  });
});

describe("loadTemplateFile", () => {
  it("refuses what is no UTF-8 text, too large, or absent", async () => {
    const latin = write("latin.yaml", Uint8Array.from([0x6e, 0x3a, 0x20, 0xe9, 0x0a]));
    const large = write("large.yaml", new Uint8Array(MAX_TEMPLATE_BYTES + 1).fill(0x23));
    const messages = await Promise.all(
      [latin, large, join(root, "absent.yaml")].map(
        async (file) => (await loadTemplateFile(file)).diagnostics[0]?.message,
      ),
    );
    expect(messages).toEqual([
      "the file is not UTF-8 text",
      `the file has ${MAX_TEMPLATE_BYTES + 1} bytes, more than ${MAX_TEMPLATE_BYTES}`,
      expect.stringContaining("ENOENT"),
    ]);
  });
});

describe("findTemplateDirectory", () => {
  it("takes the first directory that exists, in the contract's order", () => {
    for (const path of ["explicit", "workspace/config/tasks", "config/tasks", "app/config/tasks"]) {
      mkdirSync(join(root, path), { recursive: true });
    }
    write("package.json", "{}");
    const app = join(root, "app");
    const workspace = join(root, "workspace");
    const find = (env: Record<string, string>) => findTemplateDirectory(env, app);
    expect(find({ TASKER_TEMPLATE_PATH: join(root, "explicit"), WORKSPACE_PATH: workspace })).toBe(
      join(root, "explicit"),
    );
    expect(find({ TASKER_TEMPLATE_PATH: join(root, "none"), WORKSPACE_PATH: workspace })).toBe(
      join(workspace, "config/tasks"),
    );
    expect(find({})).toBe(join(root, "config/tasks"));
    rmSync(join(root, "config"), { recursive: true });
    expect(find({})).toBe(join(app, "config/tasks"));
    rmSync(join(app, "config"), { recursive: true });
    expect(find({})).toBeNull();
  });
});
