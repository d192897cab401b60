import { readdirSync, readFileSync } from 'node:fs';

/** A Linux process: its id and its start time, because ids are reused. */
export interface RunningProcess {
  readonly pid: number;
  readonly started: string;
}

/** All child processes of a process, recursively. */
export function descendantsOf(pid: number): readonly RunningProcess[] {
  const all = readdirSync('/proc').flatMap((name) => statusOf(Number(name)) ?? []);
  const below = (parent: number): readonly RunningProcess[] =>
    all
      .filter((process) => process.parent === parent)
      .flatMap((child) => [child, ...below(child.pid)]);
  return below(pid);
}

export function isRunning({ pid, started }: RunningProcess): boolean {
  return statusOf(pid)?.started === started;
}

function statusOf(pid: number): (RunningProcess & { readonly parent: number }) | undefined {
  if (!Number.isInteger(pid)) return undefined;
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name is in parentheses and may contain any character. The fields after it are separated
    // by spaces.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [state, parent, started] = [fields[0], Number(fields[1]), fields[19] ?? ''];
    // A zombie stays until its parent waits for it, which may never happen in a container.
    return state === 'Z' ? undefined : { pid, parent, started };
  } catch {
    return undefined;
  }
}
