/** Steps by position, with edges as positions: what every graph function works on. */
export interface StepGraph {
  readonly names: readonly string[];
  /** parents[i]: the positions that step i depends on; unknown names and repetitions are left out. */
  readonly parents: readonly (readonly number[])[];
  /** children[i]: the positions that depend on step i, ascending. */
  readonly children: readonly (readonly number[])[];
}

export interface GraphStep {
  readonly name: string;
  readonly dependencies: readonly string[];
}

/**
 * Builds the graph in the order given. Names that no step has are ignored: reporting them is the template
 * loader's work. Of two steps with one name the first is meant.
 */
export function stepGraph(steps: readonly GraphStep[]): StepGraph {
  const positions = new Map<string, number>();
  steps.forEach((step, position) => {
    if (!positions.has(step.name)) positions.set(step.name, position);
  });
  const parents: number[][] = [];
  const children: number[][] = steps.map(() => []);
  steps.forEach((step, position) => {
    const found = new Set<number>();
    for (const name of step.dependencies) {
      const parent = positions.get(name);
      if (parent !== undefined) found.add(parent);
    }
    parents.push([...found]);
    for (const parent of found) children[parent]?.push(position);
  });
  return { names: steps.map((step) => step.name), parents, children };
}
