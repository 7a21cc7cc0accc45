import { defineConfig } from "tsup";

// Declarations come from `tsc -b`: TypeScript 7 exposes no compiler API for tsup to use.
export default defineConfig({
  entry: {
    index: "src/index.ts",
    tasker: "src/cli/main.ts",
    "lease-guard-thread": "src/worker/lease-guard/thread.ts",
  },
  format: "esm",
  target: "es2022",
  sourcemap: true,
  dts: false,
  silent: true,
  // Old chunks would be published; declarations belong to tsc.
  clean: ["!**/*.d.ts", "!**/*.tsbuildinfo"],
});
