import { z } from "zod";

export interface HealthCheck {
  readonly status: "healthy" | "degraded" | "unhealthy" | "unknown";
  readonly message: string | null;
  readonly duration_ms: number;
}

export const healthCheck = z.object({
  status: z.enum(["healthy", "degraded", "unhealthy", "unknown"]),
  message: z.string().nullable(),
  duration_ms: z.int().min(0),
});

/** Runs one check and times it; what it throws makes it unhealthy. */
export async function runCheck(
  check: () => Promise<Omit<HealthCheck, "duration_ms">>,
): Promise<HealthCheck> {
  const startedAt = performance.now();
  const result = await check().catch((error: unknown) => ({
    status: "unhealthy" as const,
    message: error instanceof Error ? error.message : String(error),
  }));
  return { ...result, duration_ms: Math.round(performance.now() - startedAt) };
}

export const healthy = { status: "healthy", message: null } as const;

/** @throws Error when the work takes longer */
export async function within<T>(work: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
