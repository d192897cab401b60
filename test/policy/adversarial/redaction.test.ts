import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { delivered } from '../../fixtures/proxied-runtime.ts';
import { type Line, startProxy } from '../../fixtures/proxy-process.ts';
import { endWithTest } from '../../fixtures/running.ts';
import { result, startUpstream } from '../../fixtures/scripted-upstream.ts';
import { type Guarded, startGuarded } from './guarded.ts';
import { DATA, DISCLOSURES, disclosedIn, MODERN } from './personal-data.ts';

const REDACTING = 'version: "1"\nredact: { countries: [CH] }\n';

/** A proxy that redacts, and records everything it can. */
async function startRedacting(): Promise<Guarded> {
  return startGuarded(REDACTING, {
    AGENTCORE_JOURNAL_CONTENT: 'true',
    AGENTCORE_VAULT_KEY: Buffer.alloc(32, 7).toString('base64'),
    LOG_LEVEL: 'debug',
  });
}

/** The places with forbidden personal data, once the proxy has ended. */
async function disclosed({ proxy, local, state }: Guarded): Promise<string[]> {
  await proxy.close();
  expect(proxy.noise).toEqual([]);
  const found = local.deliveries.flatMap(({ body }) =>
    disclosedIn(body).map((kind) => `${kind} upstream: ${body}`),
  );
  const entries = await readdir(state, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() && entry.name !== 'policy.yaml');
  expect(files.map(({ parentPath }) => parentPath)).toEqual(
    expect.arrayContaining(['audit', 'journal', 'vault'].map((folder) => join(state, folder))),
  );
  for (const file of files) {
    const text = await readFile(join(file.parentPath, file.name), 'utf8');
    for (const line of [file.name, ...text.split('\n')]) {
      for (const kind of disclosedIn(line)) found.push(`${kind} in ${file.name}: ${line}`);
    }
  }
  for (const kind of disclosedIn(proxy.stderr)) found.push(`${kind} in the log`);
  return found;
}

const isAnswered = (line: Line, id: string) => line.id === id && !('method' in line);

describe('personal data', () => {
  it('would be detected in each of these messages without redaction', () => {
    expect(DISCLOSURES.length).toBeGreaterThanOrEqual(40);
    const unseen = DISCLOSURES.filter(({ line }) => disclosedIn(line).length === 0);
    expect(unseen.map(({ what, line }) => `${what}: ${line}`)).toEqual([]);
  });

  it(`does not leave the machine and is in no file, in any of ${DISCLOSURES.length} encodings, and returns unchanged`, async () => {
    const guarded = await startRedacting();
    const { proxy, local } = guarded;
    await proxy.initialize({ sampling: {}, elicitation: {}, roots: {} });
    for (const { line } of DISCLOSURES) proxy.write(`${line}\n`);
    const changed: string[] = [];
    for (const { what, id, mirrored } of DISCLOSURES) {
      if (id === undefined) continue;
      const answer = await proxy.next(what, (line) => isAnswered(line, id));
      if (mirrored === undefined) continue;
      const value = answer.result?.structuredContent?.value;
      if (JSON.stringify(value) !== JSON.stringify(mirrored)) {
        changed.push(`${what}: ${JSON.stringify(answer)}`);
      }
    }
    expect(changed).toEqual([]);
    // The messages must have arrived. Otherwise the other checks prove nothing.
    const mirrors = DISCLOSURES.filter(({ mirrored }) => mirrored !== undefined);
    const arrived = local.deliveries.filter(({ request }) => request.tool === 'mirror');
    expect(arrived.length).toBeGreaterThanOrEqual(mirrors.length);
    expect(await disclosed(guarded)).toEqual([]);
  });

  it.each(['sampling/createMessage', 'elicitation/create', 'roots/list'])(
    'is in no answer to %s, nor in an error that answers it',
    async (method) => {
      const guarded = await startRedacting();
      const { proxy } = guarded;
      await proxy.initialize({ sampling: {}, elicitation: {}, roots: {} });
      const answers = [
        { result: { action: 'accept', content: DATA, roots: [{ uri: `file:///${DATA.email}` }] } },
        { error: { code: -32000, message: `No ${DATA.email}`, data: Object.values(DATA) } },
      ];
      for (const answer of answers) {
        const call = proxy.call('ask', { method });
        const question = await proxy.next('the question', (line) => line.method === method);
        proxy.send({ jsonrpc: '2.0', id: question.id, ...answer });
        // The client gets its own values back from the server.
        expect(disclosedIn(JSON.stringify(await call))).toContain('email');
      }
      expect(await disclosed(guarded)).toEqual([]);
    },
  );

  it('is in no upstream header and path, which also contain names and arguments', async () => {
    const schema = { properties: { to: { type: 'string', 'x-mcp-header': 'To' } } };
    const upstream = await startUpstream((seen) => {
      if (!seen.message?.id || seen.path.endsWith('/stopruntimesession')) return false;
      const tools = [{ name: 'mirror', inputSchema: schema }];
      result(seen, { resultType: 'complete', content: [], tools });
      return true;
    });
    const state = await mkdtemp(join(tmpdir(), 'agentcore-mcp-test-'));
    endWithTest(state, () => rm(state, { recursive: true, force: true }));
    await writeFile(join(state, 'policy.yaml'), REDACTING);
    const proxy = startProxy(upstream.url, {
      AGENTCORE_POLICY: join(state, 'policy.yaml'),
      AGENTCORE_STATE_DIR: state,
      AWS_ENDPOINT_URL_STS: 'http://127.0.0.1:9',
    });
    await proxy.request('tools/list', { _meta: MODERN });
    await proxy.call('mirror', { to: DATA.email }, MODERN);
    for (const { line, id, what } of DISCLOSURES) {
      if (id === undefined || !line.includes('2026-07-28')) continue;
      proxy.write(`${line}\n`);
      await proxy.next(what, (answer) => isAnswered(answer, id));
    }
    await proxy.close();
    const heads = upstream.seen.map(({ path, query, headers }) =>
      JSON.stringify([decodeURIComponent(path), [...query], headers]),
    );
    expect(heads.filter((head) => disclosedIn(head).length > 0)).toEqual([]);
    expect(heads.join()).toMatch(/"mcp-param-to":"<email:[\da-f]{16}>"/);
  });

  it('is in no file if the server puts it into headers, ids and errors', async () => {
    const jwt = `eyJhbGciOiJIUzI1NiJ9.${Buffer.from('{"sub":"jane"}').toString('base64url')}.c2ln`;
    const upstream = await startUpstream((seen) => {
      if (!seen.message?.id || seen.path.endsWith('/stopruntimesession')) return false;
      seen.response.setHeader('x-amzn-trace-id', `Root=1-${jwt}`);
      seen.response.setHeader('x-amzn-requestid', `${DATA.email}`);
      if (seen.message.method === 'initialize') {
        seen.response.setHeader('mcp-session-id', `of-${DATA.email}`);
        return false;
      }
      result(seen, { content: [] });
      return true;
    });
    const state = await mkdtemp(join(tmpdir(), 'agentcore-mcp-test-'));
    endWithTest(state, () => rm(state, { recursive: true, force: true }));
    const rules =
      'version: "1"\naudit: required\nredact: { mode: mask, directions: [arguments, results] }\n';
    await writeFile(join(state, 'policy.yaml'), rules);
    const proxy = startProxy(upstream.url, {
      AGENTCORE_POLICY: join(state, 'policy.yaml'),
      AGENTCORE_STATE_DIR: state,
      AWS_ENDPOINT_URL_STS: 'http://127.0.0.1:9',
    });
    await proxy.initialize({});
    await proxy.call('mirror', { to: 'nobody' });
    await proxy.request('tools/list', {});
    await proxy.close();
    const entries = await readdir(state, { recursive: true, withFileTypes: true });
    const files = entries.filter((entry) => entry.isFile());
    const texts = await Promise.all(
      files.map(({ parentPath, name }) => readFile(join(parentPath, name), 'utf8')),
    );
    expect(files.map(({ parentPath }) => parentPath)).toEqual(
      expect.arrayContaining(['audit', 'journal'].map((folder) => join(state, folder))),
    );
    const all = texts.join('\n');
    expect(all).toContain('"requestId":"[redacted:email]"');
    expect(all).not.toContain('eyJ');
    expect(disclosedIn(all)).toEqual([]);
  });

  it('is in no cancellation of an open call', async () => {
    const guarded = await startRedacting();
    const { proxy, local } = guarded;
    await proxy.initialize({ sampling: {} });
    const id = proxy.begin('tools/call', { name: 'ask', arguments: {} });
    await proxy.next('the question', ({ method }) => method === 'sampling/createMessage');
    const reason = Object.values(DATA).join(' ');
    const params = { requestId: id, reason };
    proxy.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params });
    // It answers no request, so the end of the proxy does not wait for it.
    await local.until(() => delivered(local, 'notifications/cancelled') > 0);
    expect(await disclosed(guarded)).toEqual([]);
    const told = local.deliveries.filter(
      ({ request }) => request.rpcMethod === 'notifications/cancelled',
    );
    expect(told.map(({ body }) => body).join()).toContain('<email:');
  });
});

describe('a token', () => {
  const INVENTED = [
    '<email:0123456789abcdef>',
    'It is <card:0123456789abcdef>.',
    '%3Cemail%3A0123456789abcdef%3E',
    '&lt;email:0123456789abcdef&gt;',
    '<EMAIL:0123456789ABCDEF>',
    JSON.stringify({ to: '<email:0123456789abcdef>' }),
    Buffer.from('to <email:0123456789abcdef>').toString('base64'),
  ];

  it.each(INVENTED)('that the client invents fails its call: %s', async (token) => {
    const { proxy, local } = await startRedacting();
    await proxy.initialize();
    const answers = [
      await proxy.call('mirror', { token }),
      await proxy.request('resources/read', { uri: token }),
    ];
    for (const { error } of answers) expect(error.message).toContain('redaction token');
    expect([delivered(local, 'tools/call'), delivered(local, 'resources/read')]).toEqual([0, 0]);
  });

  it('that the server invents is not replaced, and the client does not get a value for it', async () => {
    const guarded = await startRedacting();
    const { proxy } = guarded;
    await proxy.initialize();
    const answer = await proxy.call('join', { parts: ['<email:', '0123456789abcdef>'] });
    expect(answer.error.message).toContain('redaction token');
    expect(JSON.stringify(answer)).not.toContain('0123456789abcdef');
  });

  it('belongs to the server: a client that sends one itself is denied', async () => {
    const guarded = await startRedacting();
    const { proxy, local } = guarded;
    await proxy.initialize();
    await proxy.call('mirror', { to: DATA.email });
    const [token] = /<email:[\da-f]{16}>/.exec(local.deliveries.at(-1)?.body ?? '') ?? [''];
    expect(token).not.toBe('');
    expect((await proxy.call('mirror', { to: token })).error.message).toContain('redaction token');
    expect(await disclosed(guarded)).toEqual([]);
  });
});
