export type { Authenticator } from "./authenticator.js";
export { createAuthenticator } from "./create-authenticator.js";
export { beyondNamespaces, missingPermission, namespaceForbidden } from "./failures.js";
export { PERMISSIONS, type Permission } from "./permissions.js";
export { ANYBODY, actorOf, isGranted, mayEnter, type Principal } from "./principal.js";
