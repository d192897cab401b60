/** Why a program ends. */
export type Ending = 'input' | 'signal' | 'output' | 'parent' | 'fault';

/** The exit code that a shell expects of a program that Ctrl-C ended. */
export const INTERRUPTED = 130;

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** How often, in milliseconds, the parent is looked for. */
const PARENT_CHECK = 1_000;

/**
 * Resolves when the program is asked to end or nobody is left to work for: a signal, an error that
 * nobody caught, or the death of the parent, which closes no pipe where another process holds its
 * other end.
 *
 * @param onSignal Called for each signal, with how many there have been.
 */
export async function askedToEnd(
  streams: { onFault?: () => void },
  onSignal: (count: number) => void = () => undefined,
  program: NodeJS.Process = process,
): Promise<Ending> {
  const parent = program.ppid;
  return new Promise<Ending>((resolve) => {
    streams.onFault = () => resolve('fault');
    let signals = 0;
    // Attached for good: a second signal does not end the program in the middle of its ending.
    for (const signal of SIGNALS) {
      program.on(signal, () => {
        onSignal(++signals);
        resolve('signal');
      });
    }
    const timer = setInterval(() => {
      if (isAlive(program, parent)) return;
      clearInterval(timer);
      resolve('parent');
    }, PARENT_CHECK);
    timer.unref();
  });
}

function isAlive(program: NodeJS.Process, parent: number): boolean {
  if (program.platform !== 'win32') return program.ppid === parent;
  try {
    return program.kill(parent, 0);
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}
