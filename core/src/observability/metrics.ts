import { Counter, Gauge, Histogram, Registry } from "prom-client";

/** A value with the labels that tell it from the others of its metric. */
export type Sample = readonly [labels: Readonly<Record<string, string>>, value: number];

/** One series with its value, as JSON has it. */
export interface NamedSample {
  /** Name and labels, as Prometheus writes them. */
  readonly series: string;
  readonly value: number;
  readonly metric_type: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly help: string;
}

/** Seconds, from what a cached call takes to what a person notices. */
const SECONDS = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300,
];

/**
 * The metrics of one host, in a registry of their own: several hosts may share a process. Counters and gauges are read from
 * counts that the parts keep anyway, when somebody asks; only histograms cost anything while steps run.
 */
export class Metrics {
  readonly #registry = new Registry();

  /** @param name ends in `_total` */
  counter(
    name: string,
    help: string,
    labels: readonly string[],
    read: () => Iterable<Sample>,
  ): void {
    new Counter({
      name,
      help,
      labelNames: [...labels],
      registers: [this.#registry],
      collect() {
        this.reset();
        for (const [values, value] of read()) this.inc(values, value);
      },
    });
  }

  gauge(name: string, help: string, labels: readonly string[], read: () => Iterable<Sample>): void {
    new Gauge({
      name,
      help,
      labelNames: [...labels],
      registers: [this.#registry],
      collect() {
        this.reset();
        for (const [values, value] of read()) this.set(values, value);
      },
    });
  }

  /** @param name ends in `_seconds`. Returns what records one duration, in milliseconds. */
  histogram<Label extends string>(
    name: string,
    help: string,
    labels: readonly Label[],
  ): (values: readonly string[], durationMs: number) => void {
    const histogram = new Histogram({
      name,
      help,
      labelNames: [...labels],
      buckets: SECONDS,
      registers: [this.#registry],
    });
    // Finding a child by its labels costs more than the observation.
    const children = new Map<string, { observe(seconds: number): void }>();
    return (values, durationMs) => {
      const key = values.join("\0");
      let child = children.get(key);
      if (child === undefined) {
        child = histogram.labels(...values);
        children.set(key, child);
      }
      child.observe(durationMs / 1000);
    };
  }

  /** Prometheus' text format; serve it as {@link contentType}. */
  async render(): Promise<string> {
    return await this.#registry.metrics();
  }

  /** The same figures one by one; of histograms, how many observations and their sum. */
  async samples(): Promise<NamedSample[]> {
    const metrics = await this.#registry.getMetricsAsJSON();
    return metrics.flatMap(({ name, type, help, values }) =>
      values.flatMap((sample): NamedSample[] => {
        const own = "metricName" in sample ? String(sample.metricName) : name;
        if (own.endsWith("_bucket")) return [];
        const labels = Object.entries(sample.labels).map(([label, value]) => [
          label,
          String(value),
        ]);
        const shown = labels.map(([label, value]) => `${label}=${JSON.stringify(value)}`).join(",");
        return [
          {
            series: shown === "" ? own : `${own}{${shown}}`,
            value: sample.value,
            metric_type: String(type),
            labels: Object.fromEntries(labels),
            help,
          },
        ];
      }),
    );
  }

  get contentType(): string {
    return this.#registry.contentType;
  }
}
