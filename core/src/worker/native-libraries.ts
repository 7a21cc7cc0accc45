import type { Config } from "../config/index.js";
import { ConfigError, messageOf, PeerError } from "../errors/index.js";
import type { BridgeLanguage } from "./language-pools.js";

type Library = Config["worker"]["native"][number];
/** What `@tasker-core/bindings` has to offer; that package is optional, so nothing here imports it. */
interface Bindings {
  checkFile(spec: Spec): void;
  openLibrary(spec: Spec): ReturnType<NonNullable<BridgeLanguage["open"]>>;
  isolatedCommand(spec: Spec): Pick<BridgeLanguage, "command" | "args">;
}
type Spec = Pick<Library, "name" | "path" | "slots" | "callables" | "settings"> & {
  readonly sha256: string | null;
};

const PACKAGE = "@tasker-core/bindings";

/**
 * How to run the native libraries of the configuration. Nothing is loaded yet, but every file is looked at.
 * @throws ConfigError NATIVE_LIBRARY_UNUSABLE naming the library and what is wrong with it
 */
export async function nativeLibraries(config: Config): Promise<BridgeLanguage[]> {
  const libraries = config.worker.native;
  if (libraries.length === 0) return [];
  const names = libraries.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) {
    throw new ConfigError(
      "NATIVE_LIBRARY_UNUSABLE",
      `Two tables of [[worker.native]] have the name \`${twice}\`; give each library its own`,
    );
  }
  const bindings = await loadBindings();
  return libraries.map((library) => bridgeLanguage(library, bindings));
}

function bridgeLanguage(library: Library, bindings: Bindings): BridgeLanguage {
  const { name, path, sha256, slots, callables, settings, isolated } = library;
  const spec: Spec = {
    name,
    path,
    sha256: sha256 === "" ? null : sha256,
    slots,
    callables,
    settings,
  };
  try {
    bindings.checkFile(spec);
  } catch (cause) {
    throw new ConfigError("NATIVE_LIBRARY_UNUSABLE", messageOf(cause), {
      cause,
      context: { file: path },
    });
  }
  const common = { language: "native", pool: name, slots, startAttempts: 1 };
  if (isolated) {
    return { ...common, processes: library.processes, ...bindings.isolatedCommand(spec) };
  }
  const open = () => {
    try {
      return bindings.openLibrary(spec);
    } catch (cause) {
      throw new PeerError("NATIVE_LIBRARY_UNUSABLE", messageOf(cause), {
        cause,
        context: { file: path },
      });
    }
  };
  return { ...common, processes: 1, command: path, args: [], open };
}

async function loadBindings(): Promise<Bindings> {
  try {
    return (await import(PACKAGE)) as Bindings;
  } catch (cause) {
    throw new ConfigError(
      "NATIVE_LIBRARY_UNUSABLE",
      `[[worker.native]] needs the package ${PACKAGE}, which cannot be used (${messageOf(cause)}). Install it: npm install ${PACKAGE}`,
      { cause },
    );
  }
}
