/** The reason for the program's exit. */
type ShutdownReason = 'input' | 'signal' | 'output' | 'parent' | 'fault';

/**
 * Milliseconds after the end of input: until open calls get errors, until the proxy stops waiting
 * for session stops, and until it exits. The official SDKs send SIGTERM 2 s after they close stdin,
 * and SIGKILL 2 s later.
 */
export const CALLS_END_MS = 1_500;

export const STOPPING_ENDS_MS = 2_700;

export const LAST_MOMENT_MS = 3_000;

/** Conventional shell exit code after Ctrl-C. */
export const INTERRUPTED = 130;

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Interval of the parent check, in milliseconds. */
const PARENT_CHECK = 1_000;

/**
 * Resolves when the program should end: on a signal, an uncaught error, or the death of the parent.
 * The parent check is needed because another process may hold the other end of a pipe open.
 *
 * @param onSignal Called for each signal with the number of signals so far.
 */
export async function waitForShutdown(
  streams: { onFault?: () => void },
  onSignal: (count: number) => void = () => undefined,
  program: NodeJS.Process = process,
): Promise<ShutdownReason> {
  const parent = program.ppid;
  return new Promise<ShutdownReason>((resolve) => {
    streams.onFault = () => resolve('fault');
    let signals = 0;
    // Never removed: a second signal must not kill the program during its shutdown.
    for (const signal of SIGNALS) {
      program.on(signal, () => {
        onSignal(++signals);
        resolve('signal');
      });
    }
    const timer = setInterval(() => {
      if (isParentAlive(program, parent)) return;
      clearInterval(timer);
      resolve('parent');
    }, PARENT_CHECK);
    timer.unref();
  });
}

function isParentAlive(program: NodeJS.Process, parent: number): boolean {
  if (program.platform !== 'win32') return program.ppid === parent;
  try {
    return program.kill(parent, 0);
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}
