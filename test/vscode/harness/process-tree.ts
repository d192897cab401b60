import { readdirSync, readFileSync } from 'node:fs';

/** A process of Linux: its id, and when it began, for ids come again. */
export interface RunningProcess {
  readonly pid: number;
  readonly started: string;
}

/** All that a process started, and what that started. */
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
    // The name comes in brackets and may hold anything; what follows is parted by spaces.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [state, parent, started] = [fields[0], Number(fields[1]), fields[19] ?? ''];
    // One that has ended stays until its parent takes note, which may be nobody in a container.
    return state === 'Z' ? undefined : { pid, parent, started };
  } catch {
    return undefined;
  }
}
