import { appendFile, mkdir, readdir, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { formatDecision } from '../../../src/policy/engine/decision.ts';
import { AuditLog, getAuditDirectory } from '../../../src/state/audit/audit-log.ts';
import { RecentAudit } from '../../../src/state/audit/reader.ts';
import type { AuditEntry, AuditedRequest } from '../../../src/state/audit/records.ts';
import { temporaryFolder } from '../journal/fixture.ts';

const DENIED = {
  phase: 'ended',
  id: 'a',
  from: 'client',
  method: 'tools/call',
  name: 'delete_db',
  runtime: 'arn',
  decision: { effect: 'deny', rule: '/tools/delete_db/rules/0', document: '/etc/policy.yaml' },
} as const satisfies AuditEntry;

function openAudit(stateFolder: string, partBytes?: number) {
  const audit = new AuditLog({
    stateFolder,
    program: 'proxy',
    version: '1.2.3',
    onFailure: () => undefined,
    ...(partBytes && { partBytes }),
  });
  onTestFinished(() => audit.close());
  return audit;
}

const idsOf = async (recent: RecentAudit) =>
  (await recent.look()).audited.map(({ record }) => record.id);

const pathsIn = async (state: string) =>
  (await readdir(getAuditDirectory(state))).map((name) => join(getAuditDirectory(state), name));

test('decisions are found with their program, and then only new ones', async () => {
  const state = await temporaryFolder();
  const recent = new RecentAudit(state);
  expect(await recent.look()).toEqual({ audited: [], problems: [] });
  const audit = openAudit(state, 600);
  await audit.record({ ...DENIED, id: 'a' });
  const { audited } = await recent.look();
  expect(audited).toMatchObject([{ record: { ...DENIED }, head: { pid: process.pid } }]);
  for (const id of ['b', 'c', 'd']) await audit.record({ ...DENIED, id });
  const other = openAudit(state);
  await other.record({ ...DENIED, id: 'e' });
  expect((await idsOf(recent)).sort()).toEqual(['b', 'c', 'd', 'e']);
  expect(await idsOf(recent)).toEqual([]);
});

test('requests without a policy decision and unfinished requests are left out', async () => {
  const state = await temporaryFolder();
  const audit = openAudit(state);
  const { decision: _, ...undecided } = DENIED;
  await audit.record({ ...DENIED, id: 'begun', phase: 'begun' });
  await audit.record({ ...undecided, id: 'undecided' });
  await audit.record({ ...undecided, id: 'hidden', redactions: { email: 2 } });
  expect(await idsOf(new RecentAudit(state))).toEqual(['hidden']);
});

test('only the newest records within the bounds are read, and all later ones', async () => {
  const state = await temporaryFolder();
  const audit = openAudit(state);
  for (let index = 0; index < 40; index++) await audit.record({ ...DENIED, id: `r${index}` });
  const [first, ...rest] = (await idsOf(new RecentAudit(state, { fileBytes: 2_000 }))).toReversed();
  expect(first).toBe('r39');
  expect(rest.length).toBeGreaterThan(1);
  expect(rest.length).toBeLessThan(10);
  const none = new RecentAudit(state, { bytes: 0 });
  expect(await idsOf(none)).toEqual([]);
  await audit.record({ ...DENIED, id: 'new' });
  // The budget applies to one read, and this one has none left.
  expect(await idsOf(none)).toEqual([]);
});

test('garbage, torn lines and other files do not affect the remaining records', async () => {
  const state = await temporaryFolder();
  const audit = openAudit(state);
  await audit.record({ ...DENIED, id: 'a' });
  const [path] = await pathsIn(state);
  await appendFile(path as string, 'garbage\nnull\n{"type":"audit.request","phase":"ended"}\n{"ty');
  await writeFile(join(getAuditDirectory(state), '20261121T000000Z-1-a.0.jsonl'), 'no head\n');
  await mkdir(join(getAuditDirectory(state), '20261121T000000Z-2-a.0.jsonl'));
  const recent = new RecentAudit(state);
  const { audited, problems } = await recent.look();
  expect(audited.map(({ record }) => record.id)).toEqual(['a']);
  expect(problems).toEqual([expect.stringMatching(/^Could not read .*Z-1-a\.0\.jsonl: /)]);
  await truncate(path as string, 10);
  expect(await recent.look()).toMatchObject({ audited: [] });
});

test('a decision is shown on one line, with its rule and its redactions', () => {
  const words = (more: Partial<AuditedRequest>) =>
    formatDecision({ ...DENIED, ...more } as AuditedRequest);
  expect(words({})).toBe('tools/call delete_db: denied by /tools/delete_db/rules/0 of policy.yaml');
  expect(words({ decision: { effect: 'allow' }, redactions: { email: 2, card: 1 } })).toBe(
    'tools/call delete_db: allowed; hidden: 2 email, 1 card',
  );
  expect(words({ decision: { effect: 'approved', rule: '/approve/0' } })).toBe(
    'tools/call delete_db: approved by a person by /approve/0',
  );
  expect(words({ from: 'server', name: undefined, method: 'sampling/createMessage' })).toMatch(
    /^the server’s sampling\/createMessage: denied by /,
  );
});
