import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  buildChallenge,
  buildHello,
  buildWelcome,
  handlerProof,
  hostProof,
  isWelcomeProven,
  judgeHello,
} from "../../src/protocol/handshake.js";
import type { ChallengeHeader, HelloHeader } from "../../src/protocol/messages.js";
import { chooseProtocol } from "../../src/protocol/version.js";

interface HandshakeVectors {
  versions: { name: string; host: number[]; handler: number[]; chosen: number | null }[];
  proofs: {
    name: string;
    token: string;
    host_nonce: string;
    handler_nonce: string;
    handler_proof: string;
    host_proof: string;
  }[];
  wrong_proofs: {
    name: string;
    token: string;
    host_nonce: string;
    handler_nonce: string;
    handler_proof: string | null;
  }[];
  rejects: {
    name: string;
    challenge: ChallengeHeader;
    hello: HelloHeader;
    body: unknown;
    token: string | null;
    code: string | null;
  }[];
}

const vectors = JSON.parse(
  readFileSync(new URL("../../../test/conformance/bridge/handshake.json", import.meta.url), "utf8"),
) as HandshakeVectors;

const facts = {
  language: "typescript",
  language_version: "20",
  sdk_version: "0.1.0",
  worker_id: "w1",
  pid: 1,
  hostname: "box",
  max_frame: 4096,
  pools: [{ name: "default", slots: 4 }],
};

describe("handshake.json", () => {
  it.each(vectors.versions)("version: $name", (vector) => {
    expect(chooseProtocol(vector.host, vector.handler)).toBe(vector.chosen);
  });

  it.each(vectors.proofs)("proof: $name", (vector) => {
    const { token, host_nonce: host, handler_nonce: handler } = vector;
    expect(handlerProof(token, host, handler)).toBe(vector.handler_proof);
    expect(hostProof(token, host, handler)).toBe(vector.host_proof);
  });

  it.each(vectors.wrong_proofs)("wrong proof: $name", (vector) => {
    const challenge = buildChallenge({ hostId: "h", auth: "hmac", nonce: vector.host_nonce });
    const hello: HelloHeader = {
      type: "hello",
      protocol: 1,
      features: [],
      ...facts,
      nonce: vector.handler_nonce,
      proof: vector.handler_proof,
    };
    const verdict = judgeHello(challenge, hello, [], vector.token);
    expect(verdict.accepted ? null : verdict.reject.code).toBe("auth");
  });

  it.each(vectors.rejects)("hello: $name", (vector) => {
    const verdict = judgeHello(vector.challenge, vector.hello, vector.body, vector.token);
    expect(verdict.accepted ? null : verdict.reject.code).toBe(vector.code);
  });
});

describe("both sides", () => {
  const terms = { connection_id: "c", ping_ms: 5000, lease_ms: 30_000, resume_ms: 5000 };

  it("prove themselves to each other and agree on the smaller frame", () => {
    const challenge = buildChallenge({ hostId: "h", auth: "hmac" });
    const hello = buildHello(challenge, facts, "secret");
    expect(judgeHello(challenge, hello, [], "secret").accepted).toBe(true);
    const welcome = buildWelcome(challenge, hello, "secret", terms);
    expect(welcome.max_frame).toBe(4096);
    expect(isWelcomeProven(challenge, hello, welcome, "secret")).toBe(true);
    expect(isWelcomeProven(challenge, hello, welcome, "other")).toBe(false);
    expect(isWelcomeProven(challenge, hello, { ...welcome, proof: null }, "secret")).toBe(false);
  });

  it("say which versions did not meet, and which token is missing", () => {
    const challenge = buildChallenge({ hostId: "h", auth: "hmac" });
    expect(() => buildHello({ ...challenge, protocols: [7] }, facts, "t")).toThrow(
      /protocol 7, this SDK 1/,
    );
    expect(() => buildHello(challenge, facts, null)).toThrow(/TASKER_BRIDGE_TOKEN_FILE/);
  });
});
