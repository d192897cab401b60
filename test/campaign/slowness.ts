import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** Milliseconds in which Node starts on a machine with nothing else to do. */
const START_MS = 20;
/** So that calls that are never answered end within 80 s. */
const MAX_SLOWNESS = 40;
/** As many as start at once in a campaign. */
const STARTS = 8;

/**
 * How many times as long as on a machine with nothing else to do it takes to start processes, which
 * is what most calls of a campaign wait for; 1 to {@link MAX_SLOWNESS}.
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
