import { completes, type Shape } from "../shape.js";

const add = (name: string, from: string[], plus: number, dependencies = from) =>
  `  - { name: ${name}, handler: { callable: $add, initialization: { from: [${from}], plus: ${plus} } }, dependencies: [${dependencies}] }\n`;

const ADVANCED = ["evaluating_results", "enqueuing_steps", "steps_in_process"];

const LINEAR: Shape = {
  name: "linear",
  steps: `  - { name: first, handler: { callable: $seed } }
${add("second", ["first"], 1)}${add("third", ["second"], 2)}${add("fourth", ["third"], 3)}`,
  cases: [
    {
      title: "four steps, one after the other",
      input: () => ({ n: 5 }),
      state: "complete",
      steps: () => ({
        first: completes({ value: 5 }),
        second: completes({ value: 6 }),
        third: completes({ value: 8 }),
        fourth: completes({ value: 11 }),
      }),
      taskTrail: [
        ...["pending", "initializing", "enqueuing_steps", "steps_in_process"],
        ...[...ADVANCED, ...ADVANCED, ...ADVANCED],
        ...["evaluating_results", "complete"],
      ],
    },
  ],
};

const DIAMOND: Shape = {
  name: "diamond",
  steps: `  - { name: top, handler: { callable: $seed } }
${add("left", ["top"], 1)}${add("right", ["top"], 2)}\
  - { name: bottom, handler: { callable: $join }, dependencies: [left, right] }`,
  cases: [
    {
      title: "two branches meet",
      input: () => ({ n: 3 }),
      state: "complete",
      steps: () => ({
        top: completes({ value: 3 }),
        left: completes({ value: 4 }),
        right: completes({ value: 5 }),
        bottom: completes({ value: 20, left: { value: 4 }, right: { value: 5 } }),
      }),
    },
  ],
};

const TREE: Shape = {
  name: "tree",
  steps: `  - { name: root, handler: { callable: $seed } }
${add("a", ["root"], 10)}${add("b", ["root"], 20)}${add("a1", ["a"], 1)}${add("a2", ["a"], 2)}${add("b1", ["b"], 1)}${add("b2", ["b"], 2)}`,
  cases: [
    {
      title: "four leaves, nothing behind them",
      input: () => ({ n: 1 }),
      state: "complete",
      steps: () => ({
        root: completes({ value: 1 }),
        a: completes({ value: 11 }),
        b: completes({ value: 21 }),
        a1: completes({ value: 12 }),
        a2: completes({ value: 13 }),
        b1: completes({ value: 22 }),
        b2: completes({ value: 23 }),
      }),
    },
  ],
};

const MIXED_DAG: Shape = {
  name: "mixed_dag",
  steps: `  - { name: a, handler: { callable: $seed } }
${add("b", ["a"], 1)}${add("c", ["a"], 2)}${add("d", ["b", "c"], 0)}${add("e", ["c"], 5)}${add("f", ["b"], 10)}\
${add("g", ["d", "e", "f"], 0)}${add("h", ["g", "a"], 0, ["g"])}`,
  cases: [
    {
      title: "branches of uneven length; the last step reads an ancestor that it does not name",
      input: () => ({ n: 2 }),
      state: "complete",
      steps: () => ({
        a: completes({ value: 2 }),
        b: completes({ value: 3 }),
        c: completes({ value: 4 }),
        d: completes({ value: 7 }),
        e: completes({ value: 9 }),
        f: completes({ value: 13 }),
        g: completes({ value: 29 }),
        h: completes({ value: 31 }),
      }),
    },
  ],
};

export const GRAPHS: readonly Shape[] = [LINEAR, DIAMOND, TREE, MIXED_DAG];
