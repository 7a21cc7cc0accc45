// The rooms of core/src, from the ground up: a room imports from rooms before it, never from later ones.
const ROOMS = [
  "lib",
  "errors",
  "model",
  "state-machine",
  "config",
  "observability",
  "channels",
  "templates",
  "postgres",
  "db",
  "messaging",
  "lifecycle",
  "actors",
  "event-systems",
  "bridge",
  "worker",
  "web",
];
// Above the rooms: what puts them together, then what is built on the whole.
const ABOVE = [
  "bootstrap\\.ts$",
  "engine-(settings|metrics|circuits)\\.ts$",
  "serve(-options|-worker)?\\.ts$",
  "cli/",
  "index\\.ts$",
];

const below = (index) => ROOMS.slice(index + 1).map((name) => `${name}/`);

const roomRules = ROOMS.map((room, index) => ({
  name: `${room}-imports-only-from-rooms-below-it`,
  severity: "error",
  from: { path: `^core/src/${room}/` },
  to: { path: `^core/src/(${[...below(index), ...ABOVE, "testing/"].join("|")})` },
}));

/** Rooms with a front door; the small helpers of lib are entered file by file. */
const doorRules = ROOMS.filter((room) => room !== "lib")
  .filter((room) => require("node:fs").existsSync(`${__dirname}/core/src/${room}/index.ts`))
  .map((room) => ({
    name: `${room}-is-entered-through-its-index`,
    severity: "error",
    // The composition root and the tests know every corner.
    from: {
      path: "^core/src/",
      pathNot: `^core/src/(${room}/|(bootstrap|engine-settings|engine-metrics|engine-circuits)\\.ts$)`,
    },
    to: {
      path: `^core/src/${room}/`,
      pathNot: `^core/src/${room}/((functions|verify)/)?index\\.ts$`,
    },
  }));

module.exports = {
  forbidden: [
    {
      name: "no-cycles",
      comment:
        "Type-only ones included: two files that need each other are one idea in two places.",
      severity: "error",
      from: {},
      to: { circular: true },
    },
    {
      name: "every-import-can-be-found",
      severity: "error",
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: "sdk-imports-nothing-of-ours",
      severity: "error",
      from: { path: "^sdk-ts/src/" },
      to: { path: "^(core|bindings|python-bridge|ruby-bridge|test|bench|examples)/" },
    },
    {
      name: "sdk-has-no-dependencies",
      severity: "error",
      from: { path: "^sdk-ts/src/" },
      to: { dependencyTypes: ["npm", "npm-dev", "npm-optional", "npm-peer", "npm-no-pkg"] },
    },
    {
      name: "core-uses-the-sdk-through-its-entries",
      severity: "error",
      from: { path: "^core/src/" },
      to: { path: "^sdk-ts/", pathNot: "^sdk-ts/(src|dist)/(index|host|protocol/index)\\.[jt]s$" },
    },
    {
      name: "bindings-import-only-the-sdk",
      severity: "error",
      from: { path: "^bindings/src/" },
      to: { path: "^(core|python-bridge|ruby-bridge|test|bench|examples)/" },
    },
    {
      name: "core-works-without-bindings",
      comment:
        "They are optional: core asks for them at run time, when the configuration names a library.",
      severity: "error",
      from: { path: "^core/src/" },
      to: { path: "^bindings/" },
    },
    {
      name: "sources-import-no-tests-benches-or-examples",
      severity: "error",
      from: { path: "^(core|sdk-ts|bindings)/src/" },
      to: { path: "^(test|bench|examples|scripts|core/test|sdk-ts/test|bindings/test)/" },
    },
    {
      name: "channels-know-no-database",
      severity: "error",
      from: { path: "^core/src/channels/" },
      to: { path: "^core/src/(?!channels/|lib/|errors/|model/)" },
    },
    {
      name: "testing-knows-no-database",
      comment: "Published for users, whose tests need no Postgres.",
      severity: "error",
      from: { path: "^core/src/testing/" },
      to: { path: "^core/src/(?!testing/|lib/|errors/|model/|channels/)" },
    },
    {
      name: "only-the-command-line-imports-the-command-line",
      severity: "error",
      from: { path: "^core/src/", pathNot: "^core/src/cli/" },
      to: { path: "^core/src/cli/" },
    },
    {
      name: "sources-import-only-declared-packages",
      severity: "error",
      from: { path: "^(core|sdk-ts)/src/" },
      to: { dependencyTypes: ["npm-no-pkg", "npm-unknown", "npm-dev"] },
    },
    ...roomRules,
    ...doorRules,
  ],
  options: {
    parser: "swc",
    doNotFollow: { path: "node_modules|/dist/" },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["@tasker-core/source", "import", "node", "default", "types"],
      extensions: [".ts", ".js", ".mjs", ".cjs", ".json"],
      extensionAlias: { ".js": [".ts", ".js"] },
    },
  },
};
