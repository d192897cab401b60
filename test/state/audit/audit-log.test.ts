import * as nodeFiles from 'node:fs/promises';
import { appendFile, cp, readdir, readFile, rm, stat, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { runAuditFind, runAuditVerify } from '../../../src/cli/log.ts';
import {
  AuditLog,
  type AuditOptions,
  getAuditDirectory,
} from '../../../src/state/audit/audit-log.ts';
import { verifyAudit } from '../../../src/state/audit/reader.ts';
import type { FileSystem } from '../../../src/state/journal/segment.ts';
import { openStore, temporaryFolder } from '../journal/fixture.ts';

const ENTRY = {
  phase: 'ended',
  id: 'a',
  from: 'client',
  method: 'tools/call',
  name: 'tool',
  runtime: 'arn',
} as const;

function openAudit(stateFolder: string, more: Partial<AuditOptions> = {}) {
  const complaints: string[] = [];
  const audit = new AuditLog({
    stateFolder,
    program: 'proxy',
    version: '1.2.3',
    onFailure: (sentence) => complaints.push(sentence),
    ...more,
  });
  onTestFinished(() => audit.close());
  return { audit, complaints };
}

async function recordMany(audit: AuditLog, count: number): Promise<void> {
  for (let index = 0; index < count; index++) await audit.record({ ...ENTRY, id: `r${index}` });
}

async function pathsIn(state: string): Promise<string[]> {
  const names = (await readdir(getAuditDirectory(state))).filter((name) => name.endsWith('.jsonl'));
  // The parts of a run sort by number while there are fewer than ten.
  return names.sort().map((name) => join(getAuditDirectory(state), name));
}

/** A state folder with an audit of one run in at least three files. */
async function written(): Promise<{ state: string; paths: string[] }> {
  const state = await temporaryFolder();
  const { audit } = openAudit(state, { partBytes: 1_000 });
  await recordMany(audit, 16);
  await audit.close();
  return { state, paths: await pathsIn(state) };
}

const problemsOf = async (state: string) => (await verifyAudit(state)).problems;

test('records are on disk, readable by the user alone, and verified across all files', async () => {
  const { state, paths } = await written();
  expect(paths.length).toBeGreaterThan(2);
  const report = await verifyAudit(state);
  expect(report).toMatchObject({ problems: [], files: paths.length });
  expect(report.records).toBe(16 + paths.length);
  const lines = (await readFile(paths[0] as string, 'utf8')).trim().split('\n');
  expect(JSON.parse(lines[2] as string)).toMatchObject({
    type: 'audit.request',
    ...ENTRY,
    id: 'r0',
  });
  if (process.platform !== 'win32')
    expect((await stat(paths[0] as string)).mode & 0o777).toBe(0o600);
});

test('concurrent records are chained in order of arrival', async () => {
  const state = await temporaryFolder();
  const { audit } = openAudit(state);
  await Promise.all(
    Array.from({ length: 200 }, (_, id) => audit.record({ ...ENTRY, id: `${id}` })),
  );
  expect(await verifyAudit(state)).toMatchObject({ problems: [], records: 201 });
});

test('records without a waiting caller are on disk in order once the program has ended', async () => {
  const state = await temporaryFolder();
  const { audit } = openAudit(state);
  // More than can be pending at once, so that records are created at different speeds.
  for (let id = 0; id < 1_200; id++) {
    audit.note(async () => {
      if (id % 3 === 0) await new Promise((resolve) => setImmediate(resolve));
      return { ...ENTRY, id: `${id}` };
    });
  }
  await audit.close();
  const [path = ''] = await pathsIn(state);
  const [, , ...lines] = (await readFile(path, 'utf8')).trim().split('\n');
  expect(lines.map((line) => Number(JSON.parse(line).id))).toEqual([...Array(1_200).keys()]);
  expect(await problemsOf(state)).toEqual([]);
});

test('the user gets a message if a record without a waiting caller cannot be written', async () => {
  const state = await temporaryFolder();
  await writeFile(getAuditDirectory(state), 'a file in the way');
  const { audit, complaints } = openAudit(state);
  audit.note(async () => ENTRY);
  await audit.close();
  audit.note(async () => ENTRY);
  expect(complaints).toEqual([expect.stringContaining('Could not write to the audit')]);
});

test('successive and concurrent programs form one chain of files', async () => {
  const state = await temporaryFolder();
  const one = openAudit(state).audit;
  await one.record(ENTRY);
  const two = openAudit(state, { partBytes: 1_000 }).audit;
  for (let round = 0; round < 8; round++) await Promise.all([one.record(ENTRY), two.record(ENTRY)]);
  expect(await problemsOf(state)).toEqual([]);
});

describe('verification reports', () => {
  type Change = (paths: string[]) => Promise<void>;
  const edit =
    (at: number, change: (lines: string[]) => void): Change =>
    async (paths) => {
      const path = paths[at] as string;
      const lines = (await readFile(path, 'utf8')).split('\n');
      change(lines);
      await writeFile(path, lines.join('\n'));
    };
  const changes: [string, Change][] = [
    [
      'a changed record',
      edit(1, (lines) => void lines.splice(2, 1, (lines[2] as string).replace('tool"', 'toll"'))),
    ],
    ['a removed record', edit(1, (lines) => void lines.splice(2, 1))],
    ['a duplicate record', edit(1, (lines) => void lines.splice(2, 0, lines[2] as string))],
    [
      'records in another order',
      edit(0, (lines) => void lines.splice(2, 2, lines[3] as string, lines[2] as string)),
    ],
    [
      'a changed header',
      edit(1, (lines) => void lines.splice(0, 1, (lines[0] as string).replace('proxy', 'prosy'))),
    ],
    ['garbage', edit(1, (lines) => void lines.splice(2, 0, 'garbage'))],
    [
      'records removed from the end of a file with a successor',
      edit(0, (lines) => void lines.splice(-2, 1)),
    ],
    ['a missing file', (paths) => unlink(paths[1] as string)],
    ['the first file missing', (paths) => unlink(paths[0] as string)],
    ['an emptied file', (paths) => writeFile(paths[1] as string, '')],
  ];
  test.each(changes)('%s', async (_, change) => {
    const { state, paths } = await written();
    await change(paths);
    expect(await problemsOf(state)).not.toEqual([]);
  });

  test('a record with a valid hash that was added after its program continued in the next file', async () => {
    const { state, paths } = await written();
    const { appendToChain: chained } = await import('../../../src/state/audit/hash-chain.ts');
    const { ends } = await verifyAudit(state);
    const { line } = chained({ type: 'audit.request', ...ENTRY }, ends[0]?.hash as string);
    await appendFile(paths[0] as string, line);
    expect(await problemsOf(state)).not.toEqual([]);
  });
});

test('a line torn by a crash is not a record, and the last hashes are returned for external storage', async () => {
  const { state, paths } = await written();
  await appendFile(paths.at(-1) as string, '{"type":"audit.request","at"');
  const { problems, ends } = await verifyAudit(state);
  expect(problems).toEqual([]);
  expect(ends.at(-1)?.hash).toMatch(/^[\da-f]{64}$/);
});

test('the oldest files are removed if there are too many, which is recorded and not a problem', async () => {
  const state = await temporaryFolder();
  const { audit } = openAudit(state, { partBytes: 1_000, maxBytes: 5_000 });
  await recordMany(audit, 60);
  const paths = await pathsIn(state);
  expect(paths.length).toBeLessThan(8);
  expect(await problemsOf(state)).toEqual([]);
  await unlink(paths[1] as string);
  expect(await problemsOf(state)).toHaveLength(1);
});

test('a caller gets an error if its record cannot be written, and recording continues when it can', async () => {
  const state = await temporaryFolder();
  await writeFile(getAuditDirectory(state), 'a file in the way');
  const { audit, complaints } = openAudit(state);
  await expect(audit.record(ENTRY)).rejects.toMatchObject({ code: 'config' });
  await expect(audit.record(ENTRY)).rejects.toThrow('audit');
  expect(complaints).toHaveLength(1);
  await rm(getAuditDirectory(state));
  await audit.record(ENTRY);
  expect(await verifyAudit(state)).toMatchObject({ problems: [], records: 2 });
});

test('a full disk in the middle of a record does not break the chain', async () => {
  const state = await temporaryFolder();
  let room = 2_000;
  const files: FileSystem = {
    ...nodeFiles,
    open: (async (...given: Parameters<typeof nodeFiles.open>) => {
      const handle = await nodeFiles.open(...given);
      const write = handle.write.bind(handle) as (
        bytes: Buffer,
      ) => Promise<{ bytesWritten: number }>;
      handle.write = (async (bytes: Buffer) => {
        if (room === 0) throw new Error('ENOSPC');
        const fitting = bytes.subarray(0, room);
        room -= fitting.length;
        return write(fitting);
      }) as unknown as typeof handle.write;
      return handle;
    }) as typeof nodeFiles.open,
  };
  const { audit } = openAudit(state, { files });
  await expect(recordMany(audit, 100)).rejects.toThrow('ENOSPC');
  room = 1_000_000;
  await recordMany(audit, 3);
  expect(await problemsOf(state)).toEqual([]);
});

test('the salt of hashes is created once, for all concurrent programs', async () => {
  const state = await temporaryFolder();
  const getSalt = () => openStore(state).getOrCreateSecret('audit-salt', 32);
  const salts = await Promise.all(Array.from({ length: 8 }, getSalt));
  expect(new Set(salts.map((salt) => salt.toString('hex'))).size).toBe(1);
  expect(await getSalt()).toEqual(salts[0]);
  expect(await readdir(getAuditDirectory(state))).toEqual(['salt']);
});

test('agentcore-mcp audit verify reports in text, in JSON and by its exit code', async () => {
  const { state, paths } = await written();
  const run = async (json: boolean, noted?: string) => {
    const said: string[] = [];
    const stream = { write: (text: string) => said.push(text) } as unknown as NodeJS.WritableStream;
    const streams = { stdout: stream, stderr: stream };
    const code = await runAuditVerify({ json, noted }, { AGENTCORE_STATE_DIR: state }, streams);
    return { code, text: said.join('') };
  };
  expect(await run(false)).toMatchObject({
    code: 0,
    text: expect.stringContaining('unchanged'),
  });
  const noted = join(state, 'noted.json');
  await writeFile(noted, (await run(true)).text);
  expect((await run(false, noted)).code).toBe(0);
  const last = paths.at(-1) as string;
  const lines = (await readFile(last, 'utf8')).split('\n');
  await writeFile(last, `${lines.slice(0, -2).join('\n')}\n`);
  expect((await run(false)).code).toBe(0);
  expect(await run(false, noted)).toMatchObject({
    code: 1,
    text: expect.stringContaining('no longer has the record that was its last'),
  });
  await unlink(last);
  expect((await run(false)).code).toBe(0);
  expect(await run(false, noted)).toMatchObject({
    code: 1,
    text: expect.stringContaining('was there when its end was noted'),
  });
  await expect(run(false, last)).rejects.toThrow('there is no such file');
  await expect(run(false, paths[0])).rejects.toThrow('is not the output of');
  await unlink(paths[1] as string);
  expect(await run(false)).toMatchObject({ code: 1, text: expect.stringContaining('missing') });
  const { code, text } = await run(true);
  expect(code).toBe(1);
  expect(JSON.parse(text).problems).toHaveLength(1);
});

test('an audit from before records had tokens is verified and continued', async () => {
  const state = await temporaryFolder();
  const before = new URL('../../fixtures/audit-format-1/', import.meta.url);
  await cp(before, getAuditDirectory(state), { recursive: true });
  expect(await verifyAudit(state)).toMatchObject({ problems: [], files: 3, records: 7 });
  const { audit } = openAudit(state);
  await audit.record({ ...ENTRY, tokens: { issued: ['1f3a5b7c9d0e2f46'], restored: [] } });
  await audit.close();
  expect(await verifyAudit(state)).toMatchObject({ problems: [], files: 4, records: 9 });
});

describe('agentcore-mcp audit find', () => {
  const put = '1f3a5b7c9d0e2f46';

  async function find(state: string, token: string, json = false) {
    const said: string[] = [];
    const stream = { write: (text: string) => said.push(text) } as unknown as NodeJS.WritableStream;
    const streams = { stdout: stream, stderr: stream };
    const code = await runAuditFind(token, { json }, { AGENTCORE_STATE_DIR: state }, streams);
    return { code, text: said.join('') };
  }

  async function withTokens(): Promise<string> {
    const state = await temporaryFolder();
    const { audit } = openAudit(state, { partBytes: 500 });
    const at = (second: number) => `2026-11-21T15:21:0${second}.000Z`;
    const other = 'aaaaaaaaaaaaaaaa';
    const calls = [
      { id: 'first', at: at(1), tokens: { issued: [other, put], restored: [] } },
      { id: 'second', at: at(2), tokens: { issued: [other], restored: [other] } },
      { id: 'third', at: at(3), tokens: { issued: [put], restored: [put] } },
      { id: put, at: at(4), name: 'a\u001b[31mb' },
    ];
    for (const call of calls) await audit.record({ ...ENTRY, ...call });
    await audit.close();
    return state;
  }

  test('lists the calls that created or restored a token, in all files', async () => {
    const state = await withTokens();
    for (const token of [`<email:${put}>`, put.toUpperCase(), `email:${put}`]) {
      const { code, text } = await find(state, token);
      expect(code).toBe(0);
      const lines = text.trim().split('\n');
      expect(lines).toHaveLength(2);
      expect(lines[0]).toMatch(
        /^2026-11-21T15:21:01\.000Z {2}tools\/call tool {2}created {2}record first/,
      );
      expect(lines[1]).toContain('created and restored  record third');
    }
    const { uses } = JSON.parse((await find(state, put, true)).text);
    expect(uses).toMatchObject([
      { record: { id: 'first' }, issued: true, restored: false },
      { record: { id: 'third' }, issued: true, restored: true },
    ]);
  });

  test('reports if there is none, and rejects an invalid token', async () => {
    const state = await withTokens();
    expect(await find(state, '<email:0000000000000000>')).toMatchObject({
      code: 1,
      text: expect.stringContaining('No call'),
    });
    await expect(find(state, 'jane@example.com')).rejects.toMatchObject({ code: 'usage' });
  });
});

test('stores no personal data from values that a server or client chose', async () => {
  const state = await temporaryFolder();
  const { audit } = openAudit(state);
  await audit.record({
    ...ENTRY,
    method: 'tools/jane@example.com',
    name: 'crm://jane@example.com',
    requestId: 'jane@example.com',
    traceId: `Root=1;${'ghp_'}${'a1B2'.repeat(9)}`,
  });
  await audit.close();
  const text = await readFile((await pathsIn(state))[0] as string, 'utf8');
  expect(text).not.toMatch(/jane|ghp_/);
});
