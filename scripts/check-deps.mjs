// Checks which room imports which: `npm run check:deps`. The rules are in .dependency-cruiser.cjs.
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { cruise } from "dependency-cruiser";

process.chdir(dirname(dirname(fileURLToPath(import.meta.url))));
const { options, ...ruleSet } = createRequire(import.meta.url)("../.dependency-cruiser.cjs");
const { enhancedResolveOptions, ...cruiseOptions } = options;

const { output } = await cruise(
  ["core/src", "sdk-ts/src", "bindings/src"],
  { ...cruiseOptions, ruleSet, validate: true },
  enhancedResolveOptions,
);
const { summary } = output;

for (const { from, to, rule, cycle } of summary.violations) {
  const path = cycle === undefined ? to : cycle.map(({ name }) => name).join(" -> ");
  console.error(`${rule.severity} ${rule.name}: ${from} -> ${path}`);
}
console.log(
  `${summary.totalCruised} modules, ${summary.totalDependenciesCruised} imports, ${summary.violations.length} violations`,
);
// Without a parser for TypeScript nothing is read, and nothing is wrong.
const hasLooked = summary.totalCruised > 0 && summary.totalDependenciesCruised > 0;
if (!hasLooked) console.error("dependency-cruiser found no modules: is @swc/core installed?");
process.exitCode = hasLooked && summary.violations.length === 0 ? 0 : 1;
