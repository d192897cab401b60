import { hostname } from 'node:os';
import { expect, test } from 'vitest';
import {
  createProgramRecord,
  getHostView,
  getLiveness,
  type Viewpoint,
} from '../../../src/state/journal/processes.ts';
import { readJournal } from '../../../src/state/journal/reader.ts';
import type { ProgramRecord } from '../../../src/state/journal/records.ts';
import { kill, startWriter, temporaryFolder } from './fixture.ts';
import { START } from './records.ts';

const HEAD: ProgramRecord = {
  type: 'program',
  at: START.toISOString(),
  format: 1,
  host: 'host',
  bootId: 'boot',
  pid: 4711,
  pidNamespace: 'pid:[1]',
  startedAt: START.toISOString(),
  processStart: '100',
  program: 'proxy',
  version: '1.0.0',
  part: 0,
};
const HERE: Viewpoint = {
  platform: 'linux',
  host: 'host',
  bootId: 'boot',
  pidNamespace: 'pid:[1]',
  heartbeat: 10_000,
  exists: () => true,
  state: () => ({ start: '100', hasEnded: false }),
};
const OLD_MAC: Partial<ProgramRecord> = {
  bootId: undefined,
  pidNamespace: undefined,
  processStart: undefined,
} as never;
const MAC: Partial<Viewpoint> = {
  platform: 'darwin',
  bootId: undefined,
  pidNamespace: undefined,
  state: () => undefined,
};
const FRESH = 30_000;
const STALE = 30_001;

type Row = [
  string,
  'alive' | 'dead' | 'elsewhere',
  number,
  Partial<ProgramRecord>,
  Partial<Viewpoint>,
];
const rows: Row[] = [
  ['of another host, silent', 'elsewhere', STALE, { host: 'other' }, {}],
  ['of another host, not silent', 'elsewhere', FRESH, { host: 'other' }, {}],
  ['of an earlier boot', 'dead', FRESH, { bootId: 'earlier' }, {}],
  ['that is gone', 'dead', FRESH, {}, { exists: () => false }],
  ['whose id another process has', 'dead', FRESH, { processStart: '99' }, {}],
  [
    'that has ended unnoticed',
    'dead',
    FRESH,
    {},
    { state: () => ({ start: '100', hasEnded: true }) },
  ],
  ['that is suspended', 'alive', STALE, {}, {}],
  [
    'of another pid namespace, not silent',
    'alive',
    FRESH,
    { pidNamespace: 'pid:[2]' },
    { exists: () => false },
  ],
  ['of another pid namespace, silent', 'dead', STALE, { pidNamespace: 'pid:[2]' }, {}],
  ['whose start is hidden, not silent', 'alive', FRESH, {}, { state: () => undefined }],
  ['whose start is hidden, silent', 'dead', STALE, {}, { state: () => undefined }],
  ['on macOS, not silent', 'alive', FRESH, OLD_MAC, MAC],
  ['on macOS, silent', 'dead', STALE, OLD_MAC, MAC],
  ['on macOS that is gone', 'dead', FRESH, OLD_MAC, { ...MAC, exists: () => false }],
  [
    'on a Linux that hides its namespaces',
    'alive',
    FRESH,
    OLD_MAC,
    { pidNamespace: undefined, exists: () => false },
  ],
];

test.each(rows)('a program %s is %s', (_, expected, silence, head, here) => {
  const now = new Date(START.getTime() + silence);
  expect(getLiveness({ ...HEAD, ...head }, START, now, { ...HERE, ...here })).toBe(expected);
});

test('this process is alive, and its header names its host', () => {
  const head = createProgramRecord({ program: 'proxy', version: '1.0.0', part: 0, at: START });
  expect(head.host).toBe(hostname());
  expect(getLiveness(head, new Date(), new Date(), getHostView())).toBe('alive');
});

test.skipIf(process.platform !== 'linux')(
  'a live process with the same id is not mistaken for the writer',
  () => {
    const head = createProgramRecord({ program: 'proxy', version: '1.0.0', part: 0, at: START });
    const earlier = { ...head, processStart: String(Number(head.processStart) - 1) };
    expect(getLiveness(earlier, new Date(), new Date(), getHostView())).toBe('dead');
  },
);

test.skipIf(process.platform !== 'linux')(
  'a real process is alive while it is suspended for an hour, and dead once it is killed',
  async () => {
    const folder = await temporaryFolder();
    const child = await startWriter(folder, 'a');
    child.kill('SIGSTOP');
    const livenessInAnHour = async () =>
      (await readJournal(folder, { now: new Date(Date.now() + 3_600_000) })).files[0]?.liveness;
    expect(await livenessInAnHour()).toBe('alive');
    await kill(child);
    expect((await readJournal(folder)).files[0]?.liveness).toBe('dead');
  },
);
