import type { Command } from "commander";
import { CliError } from "../cli-error.js";
import type { CommandContext } from "../command-context.js";
import { EXIT } from "../exit-codes.js";

// The shells ask the program itself: a script that knows the commands would be wrong after the next version.
const SCRIPTS: Readonly<Record<string, (name: string) => string>> = {
  bash: (name) => `# ${name} completion bash >> ~/.bashrc
_${id(name)}_complete() {
  local words="\${COMP_WORDS[*]:1:COMP_CWORD-1}"
  local candidates
  candidates="$(${name} completion --for "$words" 2>/dev/null)"
  COMPREPLY=($(compgen -W "$candidates" -- "\${COMP_WORDS[COMP_CWORD]}"))
  [ \${#COMPREPLY[@]} -eq 0 ] && COMPREPLY=($(compgen -f -- "\${COMP_WORDS[COMP_CWORD]}"))
  return 0
}
complete -F _${id(name)}_complete ${name}
`,
  zsh: (name) => `# ${name} completion zsh >> ~/.zshrc
_${id(name)}_complete() {
  local -a candidates
  candidates=(\${(f)"$(${name} completion --for "\${words[2,CURRENT-1]}" 2>/dev/null)"})
  if (( \${#candidates} )); then compadd -a candidates; else _files; fi
}
(( $+functions[compdef] )) && compdef _${id(name)}_complete ${name}
`,
  fish: (name) => `# ${name} completion fish > ~/.config/fish/completions/${name}.fish
complete -c ${name} -a '(${name} completion --for (string join " " -- (commandline -opc)[2..-1]) 2>/dev/null)'
`,
};

/** `tasker completion <shell>`, and what the scripts ask: `--for <words before the cursor>`. */
export function completion(program: Command) {
  return async (
    { output }: CommandContext,
    options: { readonly for?: string },
    [shell]: readonly string[],
  ): Promise<number> => {
    if (options.for !== undefined) {
      const words = options.for.split(/\s+/).filter((word) => word !== "");
      output.raw(
        candidates(program, words)
          .map((word) => `${word}\n`)
          .join(""),
      );
      return EXIT.ok;
    }
    const script = SCRIPTS[shell ?? ""];
    if (script === undefined) {
      const known = Object.keys(SCRIPTS).join(", ");
      const message = `${shell === undefined ? "Name a shell" : `There is no completion for \`${shell}\``}: ${known}`;
      throw new CliError("USAGE", EXIT.usage, message);
    }
    output.raw(script(program.name()));
    return EXIT.ok;
  };
}

/** What may stand behind these words: commands, then options. */
export function candidates(program: Command, words: readonly string[]): string[] {
  let command = program;
  for (const word of words) {
    const next = command.commands.find((child) => child.name() === word);
    if (next !== undefined) command = next;
  }
  const names = command.commands.map((child) => child.name());
  const options = command.options.flatMap(({ long, hidden }) =>
    long === undefined || long === null || hidden ? [] : [long],
  );
  const last = command.options.find(({ long, short }) =>
    [long, short].includes(words.at(-1) ?? ""),
  );
  if (last?.argChoices !== undefined) return [...last.argChoices];
  if (last?.required === true) return []; // a value, which only the user knows
  return [...names, ...options, "--help"];
}

function id(name: string): string {
  return name.replaceAll("-", "_");
}
