import { type FSWatcher, watch } from 'node:fs';
import type { Environment } from '../../environment.ts';
import { getSsoCacheDirectory } from './token-cache.ts';

/** Debounce in milliseconds. */
const SETTLED_AFTER_MS = 200;

/** Milliseconds between checks for a missing directory. */
const POLL_INTERVAL_MS = 3_000;

/**
 * Calls `onChange` after a possible login or logout by any program, until the signal aborts. It may
 * miss changes if the file system does not report them.
 */
export function watchLogins(env: Environment, onChange: () => void, signal: AbortSignal): void {
  if (signal.aborted) return;
  const folder = getSsoCacheDirectory(env);
  let watcher: FSWatcher | undefined;
  let settling: NodeJS.Timeout | undefined;

  const settle = () => {
    clearTimeout(settling);
    settling = setTimeout(onChange, SETTLED_AFTER_MS).unref();
  };
  const follow = () => {
    if (watcher) return false;
    try {
      const begun = watch(folder, { persistent: false }, settle);
      watcher = begun.on('error', () => {
        begun.close();
        if (watcher === begun) watcher = undefined;
      });
      return true;
    } catch {
      // The first login creates the directory.
      return false;
    }
  };
  follow();
  const timer = setInterval(() => {
    if (follow()) settle();
  }, POLL_INTERVAL_MS).unref();
  const end = () => {
    clearInterval(timer);
    clearTimeout(settling);
    watcher?.close();
  };
  signal.addEventListener('abort', end, { once: true });
}
