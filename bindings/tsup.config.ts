import { defineConfig } from "tsup";

// Declarations come from `tsc -b`: TypeScript 7 exposes no compiler API for tsup to use.
export default defineConfig({
  entry: ["src/index.ts", "src/isolated.ts", "src/simple-slot.ts"],
  format: "esm",
  target: "es2022",
  sourcemap: true,
  dts: false,
  silent: true,
  // Old chunks would be published; declarations belong to tsc.
  clean: ["!**/*.d.ts", "!**/*.tsbuildinfo"],
});
