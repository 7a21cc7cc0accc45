import { readdirSync, readFileSync } from "node:fs";

export interface ProcessEntry {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  /** `Z` is a zombie. */
  readonly state: string;
  readonly command: string;
}

/** Every process of the machine that this one may see, from /proc. */
export function processes(): ProcessEntry[] {
  return readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const stat = readFileSync(`/proc/${name}/stat`, "utf8");
      // The program's name is in parentheses and may have spaces and parentheses of its own.
      const [state = "", parent, group] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      const command = readFileSync(`/proc/${name}/cmdline`, "utf8").replaceAll("\0", " ").trim();
      return [{ pid: Number(name), parent: Number(parent), group: Number(group), state, command }];
    } catch {
      return []; // it has gone meanwhile
    }
  });
}

/** Living processes of a group, or whose command line has the text. */
export function living(of: { readonly group?: number; readonly marker?: string }): ProcessEntry[] {
  return processes().filter(
    ({ state, group, command }) =>
      state !== "Z" &&
      (of.group === undefined || group === of.group) &&
      (of.marker === undefined || command.includes(of.marker)),
  );
}

/** Children of this process that have ended and that nobody has asked about. */
export function zombies(): ProcessEntry[] {
  return processes().filter(({ state, parent }) => state === "Z" && parent === process.pid);
}

export function openFiles(): number {
  return readdirSync("/proc/self/fd").length;
}
