import { cp, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build as bundle } from 'esbuild';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../fixtures/tls.ts';
import { start } from '../local/harness.ts';
import { connect, type Sample } from './sample-client.ts';

interface Image {
  readonly folder: string;
  readonly command: string[];
  readonly env: Record<string, string>;
}

/** Runs the steps of a sample's Dockerfile with the installed Node, in a folder. */
async function buildImage(sample: string): Promise<Image> {
  const path = `examples/runtimes/${sample}/Dockerfile`;
  const dockerfile = await readFile(path, 'utf8');
  const lines = (instruction: RegExp) => [...dockerfile.matchAll(instruction)];
  expect(dockerfile).toContain(`docker build -f ${path} `);
  expect(lines(/^FROM (.*)$/gm).at(-1)?.[1]).toBe('--platform=linux/arm64 node:22-slim');
  expect(lines(/^USER (.*)$/gm).map(([, user]) => user)).toEqual(['node']);

  const folder = await temporaryFolder();
  for (const [, from = '', to = ''] of lines(/^COPY --from=build \/build\/(\S+) (\S+)$/gm)) {
    if (from === 'server.cjs') continue;
    await cp(from, join(folder, to === './' ? from : to), { recursive: true });
  }
  const [, bundling = ''] = lines(/^RUN npx esbuild (.*) --outfile=server\.cjs$/gm)[0] ?? [];
  const [entry = '', ...flags] = bundling.split(' ');
  const options = flags.map((flag) => flag.replace('--', '').split('='));
  await bundle({
    ...Object.fromEntries(options.map(([name, value]) => [name, value ?? true])),
    entryPoints: [entry],
    outfile: join(folder, 'server.cjs'),
  });
  const env = lines(/^ENV (\w+)="(.*)"$/gm).map(([, name = '', value = '']) => [name, value]);
  const [node, ...args] = JSON.parse(lines(/^CMD (.*)$/gm)[0]?.[1] ?? '[]');
  expect(node).toBe('node');
  return { folder, command: [process.execPath, ...args], env: Object.fromEntries(env) };
}

describe('the Dockerfile of', () => {
  it.each<[Sample, string, number]>([
    ['stateless', 'stateless', 8000],
    ['stateful', 'stateful', 8000],
    ['stateful_bridge', 'stateful-bridge', 8080],
    ['stateless_2026', 'stateless-2026', 8000],
  ])('%s builds an arm64 image of a working server', async (sample, name, port) => {
    const { folder, command, env } = await buildImage(name);
    const dockerfile = await readFile(`examples/runtimes/${name}/Dockerfile`, 'utf8');
    expect(dockerfile).toContain(`EXPOSE ${port}\n`);
    const local = await start({
      [sample]: {
        command,
        cwd: folder,
        protocol: port === 8080 ? 'HTTP' : 'MCP',
        ...(sample === 'stateful' && { sessions: 'stateful' }),
        env: { ...env, SERVER_HOST: '127.0.0.1', SERVER_PORT: '{port}' },
      },
    });
    const client = await connect(local, sample);
    expect(await client.call('get_weather', { city: 'Lisbon' })).toBe('Lisbon: windy, 15 °C');
  });
});
