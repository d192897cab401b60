import { type FSWatcher, watch } from 'node:fs';
import type { Environment } from '../../environment.ts';
import { ssoCacheFolder } from './token-cache.ts';

/** Milliseconds in which changes that follow each other become one. */
const SETTLED_AFTER = 200;
/** Milliseconds between two looks for a folder that is not there yet. */
const LOOK_EVERY = 3_000;

/**
 * Calls back when somebody may have signed in or out, by whatever program, until the signal aborts.
 * Nothing is promised where the file system tells of no changes.
 */
export function watchLogins(env: Environment, onChange: () => void, signal: AbortSignal): void {
  if (signal.aborted) return;
  const folder = ssoCacheFolder(env);
  let watcher: FSWatcher | undefined;
  let settling: NodeJS.Timeout | undefined;

  const settle = () => {
    clearTimeout(settling);
    settling = setTimeout(onChange, SETTLED_AFTER).unref();
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
      // The first login makes it.
      return false;
    }
  };
  follow();
  const timer = setInterval(() => {
    if (follow()) settle();
  }, LOOK_EVERY).unref();
  const end = () => {
    clearInterval(timer);
    clearTimeout(settling);
    watcher?.close();
  };
  signal.addEventListener('abort', end, { once: true });
}
