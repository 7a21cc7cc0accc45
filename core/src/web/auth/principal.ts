import { includesPermission, type Permission } from "./permissions.js";

/** Who asks. */
export interface Principal {
  /** For logs and the audit trail: `jwt:<subject>` or `api-key:<description>`. Null while authentication is off. */
  readonly name: string | null;
  readonly permissions: ReadonlySet<string> | "all";
  /** Nothing of other namespaces exists for it; null: not limited. */
  readonly namespaces: readonly string[] | null;
}

/** Everybody, while authentication is off. */
export const ANYBODY: Principal = { name: null, permissions: "all", namespaces: null };

export function isGranted({ permissions }: Principal, wanted: Permission): boolean {
  return permissions === "all" || includesPermission(permissions, wanted);
}

/** Who the audit trail names: the principal, and whom the request says it acts for. */
export function actorOf({ name }: Principal, given: string): string {
  return name === null ? given : `${name} as ${given}`;
}

/** Whether what belongs to the namespace exists for it. */
export function mayEnter({ namespaces }: Principal, namespace: string): boolean {
  return namespaces === null || namespaces.includes(namespace);
}
