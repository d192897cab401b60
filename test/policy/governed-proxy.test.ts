import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { verifyAudit } from '../../src/state/audit/reader.ts';
import { runCli } from '../fixtures/cli-process.ts';
import { proxyTo } from '../fixtures/proxied-runtime.ts';
import type { Line } from '../fixtures/proxy-process.ts';
import { type Guarded, startGuarded } from './adversarial/guarded.ts';
import { SAMPLES } from './redaction/samples.ts';

const REDACTING = `
version: "1"
default: allow
redact: { countries: [CH] }
tools:
  wipe: { rules: [{ name: never, action: deny, on_deny: "Ask the platform team." }] }
`;

const said = ({ result, error }: Line): string => error?.message ?? result.content[0].text;

/** The content of all files in the state folder, except the policy. */
async function recorded({ state }: Guarded): Promise<string> {
  const entries = await readdir(state, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() && entry.name !== 'policy.yaml');
  const texts = files.map((file) => readFile(join(file.parentPath, file.name), 'utf8'));
  return (await Promise.all(texts)).join('\n');
}

async function auditOf(guarded: Guarded): Promise<Record<string, unknown>[]> {
  const folder = join(guarded.state, 'audit');
  const names = (await readdir(folder)).filter((name) => name.endsWith('.jsonl'));
  const texts = await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')));
  return texts
    .join('')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
}

describe('a proxy that redacts', () => {
  it('sends no known personal data upstream or to a file, and restores it for the client', async () => {
    const guarded = await startGuarded(REDACTING, { AGENTCORE_JOURNAL_CONTENT: 'true' });
    const { proxy, local } = guarded;
    await proxy.initialize();
    const data = Object.entries(SAMPLES).flatMap(([kind, values]) =>
      values.map((value, at) => [`${kind} ${at}`, value] as const),
    );
    for (const [name, value] of data) {
      const { result, error } = await proxy.call('mirror', { note: `of ${value} it is` });
      expect(error, name).toBeUndefined();
      expect(result.structuredContent.note, name).toBe(`of ${value} it is`);
    }
    await proxy.close();
    const upstream = local.deliveries.map(({ body }) => body).join('\n');
    const files = await recorded(guarded);
    for (const [name, value] of data) {
      const text = JSON.stringify(value).slice(1, -1);
      expect(upstream.includes(text), `${name} upstream`).toBe(false);
      expect(files.includes(text), `${name} in a file`).toBe(false);
    }
  });

  it('applies the current rules to a request, and the rules of the request to its answer', async () => {
    const { proxy, local, file } = await startGuarded('version: "1"');
    await proxy.initialize();
    await proxy.call('mirror', { to: 'first@example.com' });
    await writeFile(`${file}.new`, 'version: "1"\nredact: { kinds: { email: mask } }');
    await rename(`${file}.new`, file);
    const { result } = await proxy.call('mirror', { to: 'second@example.com' });
    expect(result.structuredContent).toEqual({ to: '[redacted:email]' });
    const bodies = local.deliveries.map(({ body }) => body).join('\n');
    expect(bodies).toContain('first@example.com');
    expect(bodies).not.toContain('second@example.com');
  });

  it('keeps tokens beyond its lifetime with a key, and explains an invalid key', async () => {
    const key = Buffer.alloc(32, 7).toString('base64');
    const { proxy, local, state } = await startGuarded(REDACTING, { AGENTCORE_VAULT_KEY: key });
    await proxy.initialize();
    await proxy.call('mirror', { to: 'me@example.com' });
    await proxy.close();
    expect(local.deliveries.at(-1)?.body).toMatch(/<email:[0-9a-f]+>/);
    expect(await readdir(join(state, 'vault'))).not.toEqual([]);
    const short = await startGuarded(REDACTING, { AGENTCORE_VAULT_KEY: 'short' });
    expect((await short.proxy.exited).code).toBe(2);
    expect(short.proxy.stderr).toContain('32 bytes in base64');
  });
});

describe('the audit of a proxy', () => {
  it('records caller, call, decision and redactions, and can be verified', async () => {
    const guarded = await startGuarded(REDACTING);
    const { proxy, env } = guarded;
    await proxy.initialize();
    await proxy.call('mirror', { to: 'me@example.com' });
    expect(said(await proxy.call('wipe'))).toContain('Ask the platform team.');
    await proxy.close();
    const records = await auditOf(guarded);
    const of = (name: string) =>
      records.find((record) => record.name === name && record.phase === 'ended');
    expect(of('mirror')).toMatchObject({
      method: 'tools/call',
      from: 'client',
      runtime: guarded.local.runtime('server').arn,
      caller: expect.stringMatching(/^arn:aws:/),
      argumentsHash: expect.stringMatching(/^[0-9a-f]{64}$/),
      redactions: { email: expect.any(Number) },
      outcome: 'result',
      upstreamStatus: 200,
      attempts: 1,
    });
    expect(of('wipe')).toMatchObject({
      decision: { effect: 'deny', rule: '/tools/wipe/rules/0', document: guarded.file },
      outcome: 'tool-error',
      attempts: 0,
    });
    expect((await verifyAudit(guarded.state)).problems).toEqual([]);

    const verified = await runCli(['audit', 'verify'], env);
    expect(verified).toMatchObject({ code: 0, stderr: '' });
    expect(verified.stdout).toMatch(/^\d+ records in 1 file are unchanged/);
    const [file] = (await readdir(join(guarded.state, 'audit'))).filter((name) =>
      name.endsWith('.jsonl'),
    );
    const path = join(guarded.state, 'audit', file as string);
    await writeFile(path, (await readFile(path, 'utf8')).replace('"deny"', '"allow"'));
    expect((await runCli(['audit', 'verify'], env)).code).toBe(1);
  });

  it('records server requests and their outcome', async () => {
    const guarded = await startGuarded(`${REDACTING}methods:
  sampling/createMessage: { rules: [{ name: never, action: deny }] }
`);
    const { proxy } = guarded;
    await proxy.initialize({ sampling: {}, roots: {} });
    expect(said(await proxy.call('ask'))).toContain('refused by rule');
    const call = proxy.call('ask', { method: 'roots/list' });
    const { id } = await proxy.next('a question', ({ method }) => method === 'roots/list');
    proxy.send({ jsonrpc: '2.0', id, result: { roots: [{ uri: 'file:///me@example.com' }] } });
    expect(said(await call)).toContain('file:///');
    const inline = await proxy.request('tools/call', {
      name: 'ask_inline',
      arguments: {},
      _meta: { 'io.modelcontextprotocol/protocolVersion': '2026-07-28' },
    });
    expect(said(inline)).toContain('refused by rule');
    await proxy.close();

    const records = await auditOf(guarded);
    const of = (key: string, value: string) => records.find((record) => record[key] === value);
    const rule = '/methods/sampling~1createMessage/rules/0';
    expect(of('method', 'sampling/createMessage')).toMatchObject({
      from: 'server',
      decision: { effect: 'deny', rule },
      outcome: 'error',
    });
    expect(of('method', 'roots/list')).toMatchObject({
      from: 'server',
      decision: { effect: 'allow' },
      redactions: { email: 1 },
      outcome: 'result',
    });
    expect(of('name', 'ask_inline')).toMatchObject({ decision: { effect: 'deny', rule } });
    // A decision about a server request does not replace the decision about its call.
    expect(of('name', 'ask')).toMatchObject({ from: 'client', decision: { effect: 'allow' } });
  });

  it('denies all calls if it cannot be written, because the proxy does not start', async () => {
    const { proxy, local, state, env } = await startGuarded('version: "1"\naudit: required');
    await proxy.initialize();
    expect(said(await proxy.call('read'))).toBe('did tools/call');
    await proxy.close();
    const before = local.deliveries.length;
    await rm(join(state, 'audit'), { recursive: true });
    await writeFile(join(state, 'audit'), 'a file where a folder has to be');
    const next = proxyTo(local, env);
    expect((await next.exited).code).not.toBe(0);
    expect(next.stderr).toContain('audit');
    expect(local.deliveries).toHaveLength(before);
  });
});
