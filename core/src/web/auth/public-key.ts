import { createPublicKey, type KeyObject } from "node:crypto";
import { messageOf } from "../../errors/index.js";

/** What each algorithm wants of a key. Those with a shared secret are not here: a public key is no secret. */
const ALGORITHMS: Readonly<Record<string, (key: KeyObject) => boolean>> = {
  RS256: isRsa,
  RS384: isRsa,
  RS512: isRsa,
  PS256: isRsa,
  PS384: isRsa,
  PS512: isRsa,
  ES256: (key) => isCurve(key, "prime256v1"),
  ES384: (key) => isCurve(key, "secp384r1"),
  ES512: (key) => isCurve(key, "secp521r1"),
  EdDSA: isEd25519,
  Ed25519: isEd25519,
};
export const ASYMMETRIC_ALGORITHMS: readonly string[] = Object.keys(ALGORITHMS);

const MIN_RSA_BITS = 2048;

/** @throws Error saying what is wrong with the text, without showing it */
export function readPublicKey(pem: string, algorithms: readonly string[]): KeyObject {
  // Environment variables often carry the line ends as `\n`.
  const text = pem.replaceAll("\\n", "\n").trim();
  if (text.includes("PRIVATE KEY")) {
    throw new Error("it is a private key; give the public one, and keep the other with the issuer");
  }
  const key = parse(text);
  const bits = key.asymmetricKeyDetails?.modulusLength ?? MIN_RSA_BITS;
  if (bits < MIN_RSA_BITS) throw new Error(`it is an RSA key of ${bits} bits; use at least 2048`);
  if (!algorithms.some((algorithm) => ALGORITHMS[algorithm]?.(key) === true)) {
    throw new Error(
      `a key of type ${key.asymmetricKeyType ?? "unknown"} fits none of jwt_allowed_algorithms (${algorithms.join(", ")})`,
    );
  }
  return key;
}

function parse(text: string): KeyObject {
  try {
    return createPublicKey(text);
  } catch (error) {
    throw new Error(`it cannot be read as PEM (${messageOf(error)})`);
  }
}

function isRsa(key: KeyObject): boolean {
  return key.asymmetricKeyType === "rsa" || key.asymmetricKeyType === "rsa-pss";
}

function isCurve(key: KeyObject, curve: string): boolean {
  return key.asymmetricKeyType === "ec" && key.asymmetricKeyDetails?.namedCurve === curve;
}

function isEd25519(key: KeyObject): boolean {
  return key.asymmetricKeyType === "ed25519";
}
