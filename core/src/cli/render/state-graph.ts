import type { JsonObject } from "../../lib/json-number.js";
import { shown } from "../client/api.js";

const FILL: Readonly<Record<string, string>> = {
  complete: "#d3f2d9",
  resolved_manually: "#d3f2d9",
  in_progress: "#d6e6fb",
  error: "#fbd9d6",
  waiting_for_retry: "#fdecc8",
  cancelled: "#e6e6e6",
};

/** A Mermaid flowchart of a task: its template's steps, those made at run time beside them, coloured by state. */
export function renderStates(
  template: readonly JsonObject[],
  steps: readonly JsonObject[],
): string {
  const states = new Map(steps.map((step) => [shown(step["name"]), shown(step["current_state"])]));
  const parents = new Map(
    template.map((step) => [
      shown(step["name"]),
      (Array.isArray(step["dependencies"]) ? step["dependencies"] : []).map(shown),
    ]),
  );
  const names = [...new Set([...parents.keys(), ...states.keys()])];
  const ids = new Map(names.map((name, at) => [name, `s${at}`]));
  const lines = ["flowchart TD"];
  for (const name of names) {
    const state = states.get(name) ?? "not created";
    const label = `${name}<br/>${state}`.replaceAll('"', "#quot;");
    lines.push(`  ${ids.get(name)}["${label}"]`);
    const fill = FILL[state];
    if (fill !== undefined) lines.push(`  style ${ids.get(name)} fill:${fill}`);
  }
  for (const [name, above] of parents) {
    for (const parent of above) {
      if (ids.has(parent)) lines.push(`  ${ids.get(parent)} --> ${ids.get(name)}`);
    }
  }
  return `${lines.join("\n")}\n`;
}
