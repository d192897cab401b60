import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { delivered } from '../../fixtures/proxied-runtime.ts';
import { startGuarded } from '../adversarial/guarded.ts';

const PRELOADED = new URL('../../fixtures/measured-turns.mjs', import.meta.url);

interface Turn {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly cpuMs: number;
}

it('answers pings while a call of 5 MB is redacted', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'agentcore-mcp-test-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, 'turns.json');
  const { proxy, local } = await startGuarded(
    'version: "1"\nredact: { mode: mask, directions: [arguments] }\n',
    { NODE_OPTIONS: `--import=${PRELOADED}`, MEASURED_TURNS: file },
  );
  await proxy.initialize();
  await proxy.request('ping');
  const note = '4111 '.repeat(1_000_000);
  const began = Date.now();
  const call = proxy.begin('tools/call', { name: 'mirror', arguments: { note } });
  const answer = () => proxy.lines.find(({ id }) => id === call);
  let answeredBefore = 0;
  let sentAt = 0;
  while (!answer()) {
    await proxy.request('ping');
    if (delivered(local, 'tools/call') === 0) answeredBefore += 1;
    else sentAt ||= Date.now();
  }
  expect(answer().result.structuredContent.note === note).toBe(true);
  await proxy.close();

  const turns = (JSON.parse(await readFile(file, 'utf8')) as Turn[]).filter(
    ({ at }) => at >= began && at <= sentAt,
  );
  expect(answeredBefore).toBeGreaterThan(1);
  expect(turns.length).toBeGreaterThan(1);
  const longest = Math.max(...turns.map(({ cpuMs }) => cpuMs));
  // On a slower machine, parsing the message, which cannot be interrupted, takes longer than that.
  expect(longest).toBeLessThan(Math.max(100, 4 * readingMs(JSON.stringify({ note }))));
}, 120_000);

/** CPU time for parsing a JSON text in milliseconds: the maximum of three runs. */
function readingMs(text: string): number {
  const bytes = Buffer.from(text);
  const times = [1, 2, 3].map(() => {
    const before = process.cpuUsage();
    JSON.parse(bytes.toString());
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000;
  });
  return Math.max(...times);
}
