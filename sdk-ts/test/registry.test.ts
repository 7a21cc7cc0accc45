import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { collectHandlers } from "../src/host.js";
import {
  defineHandler,
  type ExecutableHandler,
  effectiveMethod,
  fromDto,
  type HandlerDefinition,
  HandlerRegistry,
  hasResolverHint,
  MethodDispatchError,
  MethodDispatchWrapper,
  normalizeToDefinition,
  RegistryResolver,
  ResolutionError,
  ResolverChain,
  ResolverNotFoundError,
  StepHandler,
  StepHandlerResult,
  usesMethodDispatch,
} from "../src/index.js";

class Charge extends StepHandler {
  static override readonly handlerName = "charge";
  async call(): Promise<StepHandlerResult> {
    return this.success({ ran: "call" });
  }
  async refund(): Promise<StepHandlerResult> {
    return this.success({ ran: "refund" });
  }
}

const fresh = (): HandlerRegistry => new HandlerRegistry(ResolverChain.standard());

afterEach(() => ResolverChain.resetDefault());

describe("HandlerRegistry", () => {
  it("makes a new instance of a class for every execution, and calls factories with the configuration", async () => {
    const registry = fresh();
    registry.register("charge", Charge);
    expect(await registry.resolve("charge")).not.toBe(await registry.resolve("charge"));
    const made = (config: Record<string, unknown>): ExecutableHandler => ({
      name: "made",
      call: async () => StepHandlerResult.success(config),
    });
    registry.register("made", made);
    const found = await registry.resolve({ callable: "made", initialization: { a: 1 } });
    expect(await found?.call(undefined as never)).toMatchObject({ result: { a: 1 } });
  });

  it("refuses empty names and what is no handler", () => {
    expect(() => fresh().register(" ", Charge)).toThrow(/non-empty/);
    expect(() => fresh().register("x", "Charge" as never)).toThrow(/got string/);
  });

  it("lists, forgets and describes its handlers", async () => {
    const registry = fresh();
    registry.register("charge", Charge);
    registry.register(
      "other",
      defineHandler("other", {}, () => 1),
    );
    expect(registry.listHandlers()).toEqual(["charge", "other"]);
    expect(registry.isRegistered("charge")).toBe(true);
    expect(registry.unregister("charge")).toBe(true);
    expect(await registry.resolve("charge")).toBeNull();
    expect(registry.debugInfo()).toMatchObject({ handlerCount: 1, handlers: ["other"] });
    expect(registry.resolveSync("other")?.name).toBe("other");
    registry.clear();
    expect(registry.handlerCount()).toBe(0);
  });

  it("shares the process's chain unless it brings its own", () => {
    new HandlerRegistry().register("charge", Charge);
    expect(new HandlerRegistry().isRegistered("charge")).toBe(true);
    expect(fresh().isRegistered("charge")).toBe(false);
    ResolverChain.resetDefault();
    expect(new HandlerRegistry().isRegistered("charge")).toBe(false);
  });

  it("dispatches to the method a definition names, and falls back to the handler itself", async () => {
    const registry = fresh();
    registry.register("charge", Charge);
    const refund = await registry.resolve({ callable: "charge", method: "refund" });
    expect(refund).toBeInstanceOf(MethodDispatchWrapper);
    expect(await refund?.call(undefined as never)).toMatchObject({ result: { ran: "refund" } });
    const missing = await registry.resolve({ callable: "charge", method: "nothing" });
    expect(missing).toBeInstanceOf(Charge);
    expect(() => new MethodDispatchWrapper(new Charge(), "nothing")).toThrow(MethodDispatchError);
  });
});

describe("the resolver chain", () => {
  class Payments extends RegistryResolver {
    static override readonly _name = "payments";
    static override readonly pattern = /^Payments::(?<kind>\w+)$/;
    static override readonly prefix = "pay:";
    resolveHandler(
      _definition: HandlerDefinition,
      match: RegExpMatchArray | null,
    ): ExecutableHandler {
      const name = match?.groups?.["kind"] ?? "by prefix";
      return { name, call: async () => StepHandlerResult.success({}) };
    }
  }

  it("asks by priority and lets resolvers claim callables by pattern or prefix", async () => {
    const registry = fresh();
    registry.addResolver(new Payments());
    expect(registry.listResolvers()).toEqual([
      ["explicit_mapping", 10],
      ["payments", 50],
      ["class_lookup", 100],
    ]);
    expect((await registry.resolve("Payments::Card"))?.name).toBe("Card");
    expect((await registry.resolve("pay:x"))?.name).toBe("by prefix");
    expect(await registry.resolve("Other")).toBeNull();
  });

  it("asks only the hinted resolver", async () => {
    const registry = fresh();
    registry.register("Payments::Card", Charge);
    registry.addResolver(new Payments());
    const hinted = await registry.resolve({ callable: "Payments::Card", resolver: "payments" });
    expect(hinted?.name).toBe("Card");
    await expect(registry.resolve({ callable: "x", resolver: "none" })).rejects.toThrow(
      ResolverNotFoundError,
    );
  });

  it("imports a handler named by its module", async () => {
    const directory = await mkdtemp(join(tmpdir(), "tasker-lookup-"));
    try {
      await writeFile(
        join(directory, "by-path.mjs"),
        `export class ByPath { static handlerName = "by.path"; name = "by.path"; async call() {} }`,
      );
      await writeFile(join(directory, "empty.mjs"), "export const nothing = 1;");
      const callable = (file: string): string =>
        `./${relative(process.cwd(), join(directory, file))}`;
      expect((await fresh().resolve(callable("by-path.mjs")))?.name).toBe("by.path");
      await expect(fresh().resolve(callable("empty.mjs"))).rejects.toThrow(/it exports: nothing/);
      await expect(fresh().resolve(callable("gone.mjs"))).rejects.toThrow(ResolutionError);
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});

describe("definitions", () => {
  it("read every spelling of a spec", () => {
    expect(normalizeToDefinition("charge")).toEqual({ callable: "charge" });
    const dto = fromDto({ callable: "charge", handler_method: "refund", resolver: "" });
    expect(dto).toEqual({
      callable: "charge",
      method: "refund",
      resolver: null,
      initialization: {},
    });
    expect([effectiveMethod(dto), usesMethodDispatch(dto), hasResolverHint(dto)]).toEqual([
      "refund",
      true,
      false,
    ]);
    expect(usesMethodDispatch({ callable: "x", method: "call" })).toBe(false);
  });
});

describe("collectHandlers", () => {
  const one = defineHandler("one", {}, () => 1);

  it("takes handlers and arrays of them under any name, each once", () => {
    const module = { default: one, one, list: [Charge, one, 7], helper: () => 1, text: "x" };
    expect(collectHandlers(module)).toEqual([one, Charge]);
  });

  it("takes only the module's own selection when it has one", () => {
    expect(collectHandlers({ Charge, ALL_DSL_HANDLERS: [one] })).toEqual([one]);
  });
});
