import { fileURLToPath } from "node:url";
import { defaultConfig } from "../../core/src/config/index.js";
import { bridgeLanguages } from "../../core/src/worker/bridge-languages.js";
import type { BridgeLanguage } from "../../core/src/worker/language-pools.js";
import { type BridgeMeasurement, type MeasureBridgeOptions, measureBridge } from "../bridge.js";
import { type Figure, median } from "../report.js";

const STEPS_PER_S: Readonly<Record<string, number>> = { python: 30_000, ruby: 20_000 };
/** Bodies in both directions. With 1 MB, 64 slots would measure the memory. */
const SIZES = [
  { label: "300b", bytes: 300, slots: 64, hostCpuUs: 15 },
  { label: "10kb", bytes: 10_000, slots: 64, hostCpuUs: 100 },
  { label: "1mb", bytes: 1_000_000, slots: 8, hostCpuUs: 5_000 },
] as const;
/** Processor time of the interpreter, not of the clock: waiting for a core is not work. */
const BURN = { context: { ms: 20 }, bytes: 300 } as const;
/** Enough that a process never waits for the host, few enough that its threads do not quarrel. */
const BURN_SLOTS = 2;

interface BridgesOptions {
  readonly rounds: number;
  readonly seconds: number;
}

/** The bridge without a database: one process per language, and what a second one is worth. */
export async function measureBridges(options: BridgesOptions): Promise<Figure[]> {
  const folders = (language: string): string[] =>
    [`${language}-bridge/examples/reference_handlers`, `bench/handlers/${language}`].map((path) =>
      fileURLToPath(new URL(`../../${path}`, import.meta.url)),
    );
  const languages = await bridgeLanguages({
    config: defaultConfig(),
    paths: { python: folders("python"), ruby: folders("ruby") },
    env: process.env,
    workingDirectory: process.cwd(),
  });
  const figures: Figure[] = [];
  for (const language of languages) {
    figures.push(...(await measureLanguage(language, options)));
  }
  return figures;
}

async function measureLanguage(
  language: BridgeLanguage,
  { rounds, seconds }: BridgesOptions,
): Promise<Figure[]> {
  const repeat = async (
    options: Pick<MeasureBridgeOptions, "bytes" | "slots" | "callable" | "context" | "processes">,
  ): Promise<BridgeMeasurement[]> => {
    const found: BridgeMeasurement[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const { processes = 1, slots } = options;
      const args = withSlots(language.args, slots / processes);
      found.push(await measureBridge({ ...language, ...options, args, processes, seconds }));
    }
    return found;
  };
  const name = `bridge.${language.language}`;
  const figures: Figure[] = [];
  for (const { label, bytes, slots, hostCpuUs } of SIZES) {
    const measured = await repeat({ bytes, slots });
    if (label === "300b") figures.push(...speeds(name, language.language, measured));
    figures.push({
      id: `${name}.host_cpu_us_${label}`,
      unit: "us/step",
      values: measured.map((one) => one.host_cpu_us_per_step),
      target: { op: "<=", value: hostCpuUs },
    });
  }
  const burn = { ...BURN, callable: `bench.${language.language}_burn` };
  const one = await repeat({ ...burn, slots: BURN_SLOTS });
  const two = await repeat({ ...burn, slots: 2 * BURN_SLOTS, processes: 2 });
  const alone = median(one.map(({ steps_per_s }) => steps_per_s));
  figures.push({
    id: `${name}.cpu_bound_2_processes`,
    unit: "x of one",
    values: two.map(({ steps_per_s }) => steps_per_s / alone),
    target: { op: ">=", value: 1.6 },
  });
  return figures;
}

function speeds(name: string, language: string, measured: readonly BridgeMeasurement[]): Figure[] {
  const floor = STEPS_PER_S[language];
  return [
    {
      id: `${name}.steps_per_s`,
      unit: "steps/s",
      values: measured.map((one) => one.steps_per_s),
      ...(floor === undefined ? {} : { target: { op: ">=", value: floor } }),
    },
    {
      id: `${name}.rtt_p50_us`,
      unit: "us",
      values: measured.map((one) => one.rtt_p50_us),
      target: { op: "<=", value: 150 },
    },
    { id: `${name}.rtt_p99_us`, unit: "us", values: measured.map((one) => one.rtt_p99_us) },
  ];
}

/** The command line's own slots are for handlers that wait. */
function withSlots(args: readonly string[], slots: number): string[] {
  const at = args.indexOf("--slots");
  return args.map((arg, i) => (at >= 0 && i === at + 1 ? String(slots) : arg));
}
