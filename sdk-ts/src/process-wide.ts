/** One value per process, whichever copy of this package asks for it first. */
export function processWide<T>(name: string, create: () => T): T {
  const key = Symbol.for(`@tasker-core/sdk/${name}`);
  const shared = globalThis as unknown as Record<symbol, T | undefined>;
  shared[key] ??= create();
  return shared[key];
}
