import { repeatedKey } from "../../lib/json-members.js";
import { findJsonFault } from "../../lib/json-text.js";
import { CredentialRefused } from "./failures.js";

/** Parameters that bring a key, or say where to get one: the configuration alone says which keys are good. */
const KEY_BRINGERS = ["jwk", "jku", "x5c", "x5u"];
const TYPES = ["jwt", "at+jwt", "application/jwt", "application/at+jwt"];
const BASE64URL = /^[\w-]+$/;
const KEY_ID = /^[\w+=:@.~-][\w+/=:@.~-]{0,199}$/;

/**
 * Refuses what no honest issuer sends, before any key is looked for: texts that parsers could read differently, headers that
 * bring keys, types that are no access tokens.
 * @throws CredentialRefused
 */
export function checkTokenShape(token: string, maxBytes: number): void {
  if (token.length > maxBytes) throw new CredentialRefused(`longer than ${maxBytes} bytes`);
  const parts = token.split(".");
  if (parts.length !== 3) throw new CredentialRefused(`${parts.length} parts instead of 3`);
  const [header = {}] = parts.slice(0, 2).map(readPart);
  for (const name of KEY_BRINGERS) {
    if (name in header) throw new CredentialRefused(`header \`${name}\``);
  }
  const { typ, kid, cty } = header;
  if (typ !== undefined && !(typeof typ === "string" && TYPES.includes(typ.toLowerCase()))) {
    throw new CredentialRefused("header `typ` is not that of an access token");
  }
  if (cty !== undefined) throw new CredentialRefused("header `cty`: a token within a token");
  if (kid === undefined) return;
  if (typeof kid !== "string" || !KEY_ID.test(kid) || kid.includes("..") || kid.includes("//")) {
    throw new CredentialRefused("header `kid` is no key id");
  }
}

function readPart(part: string): Record<string, unknown> {
  if (!BASE64URL.test(part)) throw new CredentialRefused("a part is not base64url");
  const bytes = Buffer.from(part, "base64url");
  if (bytes.toString("base64url") !== part) {
    throw new CredentialRefused("a part is not canonical base64url");
  }
  const fault = findJsonFault(bytes);
  if (fault !== null) throw new CredentialRefused(`a part is not JSON: ${fault}`);
  const value: unknown = JSON.parse(bytes.toString("utf8"));
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new CredentialRefused("a part is no JSON object");
  }
  const repeated = repeatedKey(bytes);
  if (repeated !== null) throw new CredentialRefused(`\`${repeated.slice(0, 40)}\` twice`);
  return value as Record<string, unknown>;
}
