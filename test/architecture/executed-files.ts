/**
 * Loaded with `--import` into a program that runs from source. On SIGUSR2 it writes a line to
 * stderr: `executed: [...]`, the files of `src` with a function that ran since the last signal.
 */
import { Session } from 'node:inspector/promises';
import { fileURLToPath } from 'node:url';

const src = fileURLToPath(new URL('../../src/', import.meta.url));
const session = new Session();
session.connect();
await session.post('Profiler.enable');
await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: false });

process.on('SIGUSR2', async () => {
  const { result } = await session.post('Profiler.takePreciseCoverage');
  const files = result
    .filter(({ functions }) =>
      functions.some(({ ranges }) => ranges.some(({ count }) => count > 0)),
    )
    .flatMap(({ url }) => (url.startsWith('file:') ? [fileURLToPath(url)] : []))
    .filter((path) => path.startsWith(src))
    .map((path) => path.slice(src.length).replaceAll('\\', '/'));
  process.stderr.write(`executed: ${JSON.stringify(files.sort())}\n`);
});
