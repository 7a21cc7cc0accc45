import type { Output } from "../output.js";
import { LiveBlock } from "./live-block.js";

export interface Progress {
  /** `done` of `total`; the text says of what. */
  show(done: number, total: number, text: string): void;
  /** Takes the bar away. */
  end(): void;
}

const WIDTH = 30;

/** A bar on a terminal; elsewhere a line whenever another tenth is done; nothing in JSON mode. Goes to stderr. */
export function createProgress(output: Output): Progress {
  const { stderr } = output;
  if (output.isJson) return { show: () => undefined, end: () => undefined };
  if (stderr.isTTY !== true) {
    let shown = -1;
    return {
      show: (done, total, text) => {
        const tenth = total === 0 ? 10 : Math.floor((10 * done) / total);
        if (tenth === shown) return;
        shown = tenth;
        output.note(`${text}: ${done} of ${total}`);
      },
      end: () => undefined,
    };
  }
  const block = new LiveBlock(stderr);
  return {
    show: (done, total, text) => block.draw([`${bar(done, total)} ${done} of ${total} ${text}`]),
    end: () => block.clear(),
  };
}

/** `[######------]` */
export function bar(done: number, total: number): string {
  const full = total === 0 ? WIDTH : Math.floor((WIDTH * Math.min(done, total)) / total);
  return `[${"#".repeat(full)}${"-".repeat(WIDTH - full)}]`;
}
