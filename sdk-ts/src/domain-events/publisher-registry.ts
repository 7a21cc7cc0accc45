import { processWide } from "../process-wide.js";
import { type BasePublisher, DefaultPublisher } from "./publisher.js";

export class RegistryFrozenError extends Error {
  override readonly name = "RegistryFrozenError";
}
export class DuplicatePublisherError extends Error {
  override readonly name = "DuplicatePublisherError";
}
export class PublisherNotFoundError extends Error {
  override readonly name = "PublisherNotFoundError";
}
export class PublisherValidationError extends Error {
  override readonly name = "PublisherValidationError";
  readonly missing: readonly string[];

  constructor(message: string, missing: readonly string[]) {
    super(message);
    this.missing = missing;
  }
}

/** Publishers by the name templates call them. */
export class PublisherRegistry {
  readonly #publishers = new Map<string, BasePublisher>();
  readonly #default = new DefaultPublisher();
  #isFrozen = false;

  /** The one of this process. */
  static get instance(): PublisherRegistry {
    return processWide("publisher-registry", () => new PublisherRegistry());
  }

  /** @throws RegistryFrozenError; DuplicatePublisherError when the name is taken */
  register(publisher: BasePublisher): void {
    const name = publisher.publisherName;
    this.#assertOpen(name);
    if (this.#publishers.has(name)) {
      throw new DuplicatePublisherError(`A publisher named \`${name}\` is registered already`);
    }
    this.#publishers.set(name, publisher);
  }

  get(name: string): BasePublisher | undefined {
    return this.#publishers.get(name);
  }

  getOrDefault(name?: string): BasePublisher {
    return (name === undefined ? undefined : this.#publishers.get(name)) ?? this.#default;
  }

  /** @throws PublisherNotFoundError */
  getStrict(name: string): BasePublisher {
    const publisher = this.#publishers.get(name);
    if (publisher === undefined) {
      const known = this.registeredNames.join(", ") || "none";
      throw new PublisherNotFoundError(`No publisher is named \`${name}\`; registered: ${known}`);
    }
    return publisher;
  }

  isRegistered(name: string): boolean {
    return this.#publishers.has(name);
  }

  get registeredNames(): string[] {
    return [...this.#publishers.keys()];
  }

  get count(): number {
    return this.#publishers.size;
  }

  get isEmpty(): boolean {
    return this.#publishers.size === 0;
  }

  get isFrozen(): boolean {
    return this.#isFrozen;
  }

  /** @throws RegistryFrozenError */
  unregister(name: string): boolean {
    this.#assertOpen(name);
    return this.#publishers.delete(name);
  }

  /** @throws RegistryFrozenError */
  clear(): void {
    this.#assertOpen("all");
    this.#publishers.clear();
  }

  /** Freezes the registry. @throws PublisherValidationError naming what is missing */
  validateRequired(names: readonly string[]): void {
    const missing = names.filter((name) => !this.#publishers.has(name));
    if (missing.length > 0) {
      throw new PublisherValidationError(
        `Publishers that templates name are not registered: ${missing.join(", ")}`,
        missing,
      );
    }
    this.freeze();
  }

  freeze(): void {
    this.#isFrozen = true;
  }

  /** Empty and open again: for tests. */
  reset(): void {
    this.#isFrozen = false;
    this.#publishers.clear();
  }

  #assertOpen(name: string): void {
    if (this.#isFrozen) {
      throw new RegistryFrozenError(`The publisher registry is frozen: \`${name}\` comes too late`);
    }
  }
}
