/** How to start a program: directly, or as a command of the user's in the shell. */
export type Command =
  | { readonly file: string; readonly args: readonly string[] }
  | { readonly shell: string };

const launchers = new Set(['env', 'node', 'npx', 'bunx', 'uvx', 'python', 'python3', 'run', 'uv']);

/** A short name for a column: `npx -y mcp-remote@latest {url}` is `mcp-remote`. */
export function nameOf(command: string): string {
  const words = command.split(/\s+/).filter((word) => word !== '');
  const program = words.find(
    (word) => !word.startsWith('-') && !word.includes('=') && !launchers.has(baseName(word)),
  );
  return baseName(program ?? command);
}

function baseName(word: string): string {
  const last = word.replaceAll(/['"]/g, '').split(/[/\\]/).at(-1) ?? word;
  return last.replace(/@[^@]*$/, '').replace(/\.[a-z]+$/, '');
}
