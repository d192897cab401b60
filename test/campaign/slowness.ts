import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** Milliseconds in which Node starts on an idle machine. */
const START_MS = 20;
/** Limits calls that are never answered to 80 s. */
const MAX_SLOWNESS = 40;
/** The number of processes that start concurrently in a campaign. */
const STARTS = 8;

/**
 * The time to start processes relative to an idle machine, from 1 to {@link MAX_SLOWNESS}. Most
 * calls of a campaign wait for process starts.
 */
export async function measureSlowness(): Promise<number> {
  const started = performance.now();
  const starts = Array.from({ length: STARTS }, () =>
    once(spawn(process.execPath, ['--version'], { stdio: 'ignore' }), 'close'),
  );
  await Promise.all(starts);
  const startMs = (performance.now() - started) / STARTS;
  return Math.min(MAX_SLOWNESS, Math.ceil(startMs / START_MS));
}
