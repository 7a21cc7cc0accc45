import { StateError } from "../../errors/index.js";
import type { RuntimeTemplate } from "../runtime-template.js";
import type { EdgeName, NodeRef, PlannedEdge } from "./plan.js";

/** Collects the edges of a plan, each once, in the order they are first asked for. */
export class EdgeList {
  readonly #template: RuntimeTemplate;
  readonly #edges = new Map<string, PlannedEdge>();

  constructor(template: RuntimeTemplate) {
    this.#template = template;
  }

  add(from: NodeRef, to: NodeRef, name: EdgeName): void {
    this.#edges.set(`${keyOf(from)} ${keyOf(to)} ${name}`, { from, to, name });
  }

  /** A `provides` edge between two steps of the template. */
  provide(from: number, to: number): void {
    // Ordinals are a topological order, so ascending edges cannot close a cycle.
    if (from >= to) {
      const { name, steps } = this.#template;
      throw new StateError(
        "TEMPLATE_INVALID",
        `the steps of ${name} are stored out of order: \`${steps[from]?.name}\` must come before \`${steps[to]?.name}\``,
      );
    }
    this.add({ ordinal: from }, { ordinal: to }, "provides");
  }

  toArray(): PlannedEdge[] {
    return [...this.#edges.values()];
  }
}

function keyOf(node: NodeRef): string {
  return "ordinal" in node ? `s${node.ordinal}` : `w${node.worker}`;
}
