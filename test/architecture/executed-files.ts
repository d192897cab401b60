/**
 * Records the files of `src` that run, with the coverage of V8. As a module of `--import`, it serves
 * a program that runs from source: on SIGUSR2 it writes a line to stderr, `executed: [...]`, the
 * files with a function that ran since the last signal, until the first output on stdout. So the
 * work in the background after a response does not count.
 */
import { Session } from 'node:inspector/promises';
import { fileURLToPath } from 'node:url';

const src = fileURLToPath(new URL('../../src/', import.meta.url));

/** Starts the recording in this process. */
export async function recordExecutedFiles() {
  const session = new Session();
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: false });
  return {
    /** The files with a function that ran since the last call. */
    async take(): Promise<readonly string[]> {
      const { result } = await session.post('Profiler.takePreciseCoverage');
      return result
        .filter(({ functions }) =>
          functions.some(({ ranges }) => ranges.some(({ count }) => count > 0)),
        )
        .map(({ url }) => (url.startsWith('file:') ? fileURLToPath(url) : url))
        .filter((path) => path.startsWith(src))
        .map((path) => path.slice(src.length).replaceAll('\\', '/'))
        .sort();
    },
    end: () => session.disconnect(),
  };
}

if (process.execArgv.includes('--import')) {
  const executed = await recordExecutedFiles();
  const { stdout } = process;
  const write = stdout.write.bind(stdout) as typeof stdout.write;
  let atOutput: Promise<readonly string[]> | undefined;
  stdout.write = ((...args: Parameters<typeof write>) => {
    atOutput ??= executed.take();
    return write(...args);
  }) as typeof write;
  process.on('SIGUSR2', async () => {
    const rest = await executed.take();
    const files = (await atOutput) ?? rest;
    atOutput = undefined;
    process.stderr.write(`executed: ${JSON.stringify(files)}\n`);
  });
}
