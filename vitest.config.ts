import { defineConfig } from "vitest/config";

// Tests read the sources of every package, not their builds.
const conditions = ["@tasker-core/source"];
const shared = { resolve: { conditions }, ssr: { resolve: { conditions } } };

export default defineConfig({
  test: {
    projects: [
      {
        ...shared,
        test: {
          name: "unit",
          include: [
            "core/test/**/*.test.ts",
            "sdk-ts/test/**/*.test.ts",
            "bindings/test/**/*.test.ts",
            "test/conformance/**/*.test.ts",
          ],
          testTimeout: 20_000,
        },
      },
      {
        ...shared,
        test: {
          name: "database",
          include: ["test/{sql,migrations,integration,e2e}/**/*.test.ts"],
          globalSetup: ["test/support/postgres-global-setup.ts"],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          maxWorkers: 2,
          // Tests that run side by side wait for leases, not for the processor.
          maxConcurrency: 6,
        },
      },
    ],
  },
});
