import { watch } from 'node:fs';
import { AgentCoreError } from '../../error.ts';
import { rejectOnAbort } from './service-call.ts';
import { getClock, type SsoContext } from './sso-context.ts';
import { formatLoginCommand, formatSsoSessionName, type SsoSession } from './sso-session.ts';
import { getSsoCacheDirectory, isValid, readToken, type SsoToken } from './token-cache.ts';

/** Polling interval in milliseconds, because some file systems do not report changes. */
const POLL_INTERVAL_MS = 1_000;

/**
 * Waits for a login by any program, such as this one in another window, or the AWS CLI.
 *
 * @param options.patience Milliseconds.
 * @throws {AgentCoreError} `credentials`, with the command to run, if there is no login in time.
 * @throws the signal's reason if the signal aborts.
 */
export async function waitForLogin(
  session: SsoSession,
  options: {
    readonly context: SsoContext;
    readonly signal: AbortSignal;
    readonly patience: number;
  },
): Promise<SsoToken> {
  const { context, signal, patience } = options;
  const late = AbortSignal.timeout(patience);
  try {
    return await waitForToken(session, context, () => true, AbortSignal.any([signal, late]));
  } catch (cause) {
    signal.throwIfAborted();
    throw new AgentCoreError(
      'credentials',
      `The login to ${formatSsoSessionName(session)} is missing or has expired, and nobody signed in within ${Math.round(patience / 1000)} s: run "${formatLoginCommand(session)}"`,
      { cause },
    );
  }
}

/**
 * Resolves when a valid and wanted token is stored. Rejects with the signal's reason if the signal
 * aborts.
 */
export async function waitForToken(
  session: SsoSession,
  context: SsoContext,
  isWanted: (token: SsoToken) => boolean,
  signal: AbortSignal,
): Promise<SsoToken> {
  let found: (token: SsoToken) => void = () => {};
  const appeared = new Promise<SsoToken>((resolve) => {
    found = resolve;
  });
  const look = async () => {
    const token = await readToken(session, context.env);
    if (token && isValid(token, getClock(context).now()) && isWanted(token)) found(token);
  };
  const timer = setInterval(look, POLL_INTERVAL_MS);
  const stopWatching = watchFolder(getSsoCacheDirectory(context.env), look);
  void look();
  try {
    return await rejectOnAbort(signal, appeared);
  } finally {
    clearInterval(timer);
    stopWatching();
  }
}

/** If the directory is missing or cannot be watched, polling still works. */
function watchFolder(path: string, onChange: () => void): () => void {
  try {
    const watcher = watch(path, onChange);
    watcher.on('error', () => watcher.close());
    return () => watcher.close();
  } catch {
    return () => {};
  }
}
