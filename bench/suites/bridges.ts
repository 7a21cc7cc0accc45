import { fileURLToPath } from "node:url";
import { defaultConfig } from "../../core/src/config/index.js";
import { bridgeLanguages } from "../../core/src/worker/bridge-languages.js";
import { measureBridge } from "../bridge.js";
import type { Figure } from "../report.js";

const FLOORS: Readonly<Record<string, number>> = { python: 15_000, ruby: 10_000 };

/** The bridge without a database: 300 bytes, 64 slots, one process per language. */
export async function measureBridges(options: {
  readonly rounds: number;
  readonly seconds: number;
}): Promise<Figure[]> {
  const folder = (language: string): string[] => [
    fileURLToPath(new URL(`../../${language}-bridge/examples/reference_handlers`, import.meta.url)),
  ];
  const languages = await bridgeLanguages({
    config: defaultConfig(),
    paths: { python: folder("python"), ruby: folder("ruby") },
    env: process.env,
    workingDirectory: process.cwd(),
  });
  const figures: Figure[] = [];
  for (const language of languages) {
    const rounds = [];
    for (let round = 0; round < options.rounds; round += 1) {
      rounds.push(
        await measureBridge({ ...language, bytes: 300, slots: 64, seconds: options.seconds }),
      );
    }
    const name = `bridge.${language.language}`;
    const floor = FLOORS[language.language];
    figures.push(
      {
        id: `${name}.steps_per_s`,
        unit: "steps/s",
        values: rounds.map((round) => round.steps_per_s),
        ...(floor === undefined ? {} : { target: { op: ">=", value: floor } }),
      },
      { id: `${name}.rtt_p50_us`, unit: "us", values: rounds.map((round) => round.rtt_p50_us) },
      { id: `${name}.rtt_p99_us`, unit: "us", values: rounds.map((round) => round.rtt_p99_us) },
      {
        id: `${name}.host_cpu_us`,
        unit: "us/step",
        values: rounds.map((round) => round.host_cpu_us_per_step),
      },
    );
  }
  return figures;
}
