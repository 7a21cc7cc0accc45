/** The contract's vocabulary; `<resource>:*` grants all of a resource. */
export const PERMISSIONS = [
  "tasks:create",
  "tasks:read",
  "tasks:list",
  "tasks:cancel",
  "tasks:context_read",
  "steps:read",
  "steps:resolve",
  "dlq:read",
  "dlq:update",
  "dlq:stats",
  "templates:read",
  "templates:validate",
  "system:config_read",
  "system:handlers_read",
  "system:analytics_read",
  "worker:config_read",
  "worker:templates_read",
] as const;
export type Permission = (typeof PERMISSIONS)[number];

const resourceOf = (permission: string): string =>
  permission.slice(0, Math.max(0, permission.indexOf(":")));
const WILDCARDS = new Set(PERMISSIONS.map((permission) => `${resourceOf(permission)}:*`));

/** Whether it grants something. A bare `*` does not. */
export function isKnownPermission(text: string): boolean {
  return (PERMISSIONS as readonly string[]).includes(text) || WILDCARDS.has(text);
}

/** Exact, or all of its resource. */
export function includesPermission(granted: ReadonlySet<string>, wanted: Permission): boolean {
  return granted.has(wanted) || granted.has(`${resourceOf(wanted)}:*`);
}
