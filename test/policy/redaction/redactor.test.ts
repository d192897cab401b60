import { describe, expect, test } from 'vitest';
import { callText, received, redactorOf, sent } from './redaction-fixture.ts';

const TOKEN = /^<[a-z-]+:[\da-f]{16}>$/;

describe('in mode tokenize', () => {
  test('the server receives a token, the same for the same value, and the client the original', async () => {
    const redactor = await redactorOf();
    const token = (await sent(redactor, 'me@example.com')) as string;
    expect(token).toMatch(/^<email:[\da-f]{16}>$/);
    expect(await sent(redactor, ['x me@example.com', 'you@example.com'])).toEqual([
      `x ${token}`,
      expect.not.stringContaining(token),
    ]);
    expect(await received(redactor, { [token]: [`Sent to ${token}.`] })).toEqual({
      'me@example.com': ['Sent to me@example.com.'],
    });
  });

  test('a number becomes a token and a number again', async () => {
    const redactor = await redactorOf();
    const token = (await sent(redactor, { card: 4111111111111111 })) as { card: string };
    expect(token.card).toMatch(/^<card:/);
    expect(await received(redactor, token)).toEqual({ card: 4111111111111111 });
    expect(await received(redactor, `It is ${token.card}`)).toBe('It is 4111111111111111');
    expect(await sent(redactor, '4111111111111111')).not.toBe(token.card);
  });

  test('a number with an exponent is the same number', async () => {
    const redactor = await redactorOf();
    const { json } = await redactor.toServer('{"params":{"a":4.111111111111111e15}}', {});
    expect(json).toContain('<card:');
    expect((await redactor.toClient(json.replace('params', 'result'), {})).json).toBe(
      '{"result":{"a":4.111111111111111e15}}',
    );
  });

  test('the rest of the message keeps its bytes', async () => {
    const redactor = await redactorOf();
    const rest = '"n" : 12345678901234567890123, "t":"a\\u0041\\/", "f":1.0,"e":1E2 ';
    const text = `{"jsonrpc":"2.0","id":4111111111111111,"params":{ ${rest},"to":"me@example.com"}}`;
    const { json } = await redactor.toServer(text, {});
    expect(json).toMatch(/"to":"<email:[\da-f]{16}>"/);
    expect(json.replace(/<email:[\da-f]+>/, 'me@example.com')).toBe(text);
    const untouched = '{"jsonrpc":"2.0","id":1,"params":{"a":[1,{"b":null}]}}';
    expect((await redactor.toServer(untouched, {})).json).toBe(untouched);
  });

  test('a token is restored in every encoding of the server', async () => {
    const redactor = await redactorOf();
    const token = (await sent(redactor, "o'neill@example.com")) as string;
    expect(await received(redactor, token.toUpperCase())).toBe("o'neill@example.com");
    expect(await received(redactor, encodeURIComponent(token))).toBe("o'neill%40example.com");
    expect(await received(redactor, token.replace('<', '&lt;').replace('>', '&gt;'))).toBe(
      'o&#39;neill@example.com',
    );
    const escaped = `data: {"a":"${token.replace('<', '\\u003c').replace('>', '\\u003e')}"}`;
    expect(await received(redactor, escaped)).toBe(`data: {"a":"o'neill@example.com"}`);
    const blob = Buffer.from(`Dear ${token}`).toString('base64');
    expect(await received(redactor, { blob })).toEqual({
      blob: Buffer.from("Dear o'neill@example.com").toString('base64'),
    });
    expect(await received(redactor, JSON.stringify({ a: token }))).toBe(
      `{"a":"o'neill@example.com"}`,
    );
  });

  test('an unknown token fails the message, regardless of its sender', async () => {
    const redactor = await redactorOf();
    const token = (await sent(redactor, 'me@example.com')) as string;
    const forged = '<email:0123456789abcdef>';
    await expect(received(redactor, { text: `x ${forged}` })).rejects.toMatchObject({
      code: 'protocol',
      message: expect.not.stringContaining('0123456789abcdef'),
    });
    await expect(received(redactor, token.replace('email', 'card'))).rejects.toThrow('token');
    await expect(sent(redactor, [forged])).rejects.toMatchObject({ code: 'usage' });
    // The client must not use the server's token.
    await expect(sent(redactor, token)).rejects.toMatchObject({ code: 'usage' });
    await expect(sent(redactor, JSON.stringify({ [forged]: 1 }))).rejects.toThrow('token');
    expect(await sent(redactor, '<b:0123456789abcdef> <email:0123>')).toBe(
      '<b:0123456789abcdef> <email:0123>',
    );
  });

  test('results can be hidden from the client, which uses the tokens in its next call', async () => {
    const redactor = await redactorOf({ directions: ['results'] });
    const token = (await received(redactor, 'me@example.com')) as string;
    expect(token).toMatch(TOKEN);
    expect(await sent(redactor, `to ${token}`)).toBe('to me@example.com');
    await expect(received(redactor, token)).rejects.toMatchObject({ code: 'protocol' });
    expect(await sent(redactor, 'you@example.com')).toBe('you@example.com');
  });

  test('in both directions at once, each side has separate tokens', async () => {
    const redactor = await redactorOf({ directions: ['arguments', 'results'] });
    const held = (await sent(redactor, 'me@example.com')) as string;
    const seen = (await received(redactor, `${held} you@example.com`)) as string;
    expect(seen).toMatch(/^me@example.com <email:/);
    expect(await sent(redactor, seen)).toBe(`${held} you@example.com`);
  });
});

describe('in mode hash', () => {
  test('the same value has the same hash, which depends on the salt and is not restored', async () => {
    const redactor = await redactorOf({ mode: 'hash' });
    const hash = (await sent(redactor, 'me@example.com')) as string;
    expect(hash).toMatch(/^\[email#[\da-f]{16}\]$/);
    expect(await sent(redactor, ['me@example.com'])).toEqual([hash]);
    expect(await received(redactor, hash)).toBe(hash);
    expect(await sent(redactor, hash)).toBe(hash);
  });
});

describe('in mode mask', () => {
  test('keys that become equal are distinguished', async () => {
    const redactor = await redactorOf({ mode: 'mask' });
    expect(await sent(redactor, { 'a@b.cc': 1, 'd@e.ff': 2, x: { 'a@b.cc': 3 } })).toEqual({
      '[redacted:email]': 1,
      '[redacted:email] (2)': 2,
      x: { '[redacted:email]': 3 },
    });
  });
});

describe('the rules', () => {
  const both = { a: 'me@example.com', b: '203.0.113.7' };

  test('disable kinds, or set their mode', async () => {
    const redactor = await redactorOf({ kinds: { email: false, ip: 'mask' } });
    expect(await sent(redactor, both)).toEqual({ a: 'me@example.com', b: '[redacted:ip]' });
  });

  test('apply to tools by glob, also to a name that only looks similar', async () => {
    const redactor = await redactorOf({ tools: ['crm_*'], mode: 'mask' });
    const to = (tool?: string) => sent(redactor, 'me@example.com', { method: 'tools/call', tool });
    expect(await to('crm_find')).toBe('[redacted:email]');
    expect(await to('CRM_find')).toBe('[redacted:email]');
    expect(await to('ｃrm_\u200bfind')).toBe('[redacted:email]');
    expect(await to('weather')).toBe('me@example.com');
    // The tool is unknown.
    expect(await to(undefined)).toBe('[redacted:email]');
  });

  test('use the strictest mode if they name a kind several times', async () => {
    const redactor = await redactorOf([{ mode: 'mask' }, { kinds: { email: false } }, {}]);
    expect(await sent(redactor, 'me@example.com')).toBe('[redacted:email]');
  });

  test('may have their own patterns, also for numbers', async () => {
    const patterns = [{ name: 'employee', pattern: '\\bE?\\d{7}\\b' }];
    const redactor = await redactorOf({ patterns, mode: 'mask' });
    expect(await sent(redactor, ['by E1234567', 1234567, 12])).toEqual([
      'by [redacted:employee]',
      '[redacted:employee]',
      12,
    ]);
  });

  test.each([
    ['a back reference', { name: 'x', pattern: '(a)\\1' }],
    ['an open group', { name: 'x', pattern: '(a' }],
    ['a reserved name', { name: 'email', pattern: 'a' }],
    ['a name that is invalid in a token', { name: 'A b', pattern: 'a' }],
    ['a pattern that is too long', { name: 'x', pattern: 'a'.repeat(2_000) }],
  ])('reject a pattern with %s', async (_, pattern) => {
    await expect(redactorOf({ patterns: [pattern] })).rejects.toMatchObject({ code: 'config' });
  });

  test('detect national telephone numbers of their countries', async () => {
    const redactor = await redactorOf({ countries: ['CH', 'DE'], mode: 'mask' });
    expect(await sent(redactor, 'Tel. 044 668 18 00 or 030 901820, 2026-11-21')).toBe(
      'Tel. [redacted:phone] or [redacted:phone], 2026-11-21',
    );
  });
});

describe('a value that the server named itself is returned unchanged', () => {
  const list = {
    resources: [{ uri: 'crm://me@example.com', name: 'x' }],
    nextCursor: '203.0.113.7',
  };
  const call = (method: string, params: object) =>
    JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });

  test('a resource, a cursor, but not in arguments', async () => {
    const redactor = await redactorOf();
    await redactor.toClient(JSON.stringify({ jsonrpc: '2.0', id: 1, result: list }), {});
    for (const params of [{ uri: 'crm://me@example.com' }, { cursor: '203.0.113.7' }]) {
      const text = call('resources/read', params);
      expect((await redactor.toServer(text, {})).json).toBe(text);
    }
    expect(await sent(redactor, { uri: 'crm://me@example.com' })).toEqual({
      uri: expect.stringMatching(/^crm:\/\/<email:/),
    });
    const other = call('resources/read', { uri: 'crm://you@example.com' });
    expect((await redactor.toServer(other, {})).json).toContain('<email:');
  });

  test('but not a value that the server received only as a token', async () => {
    const redactor = await redactorOf();
    const token = await sent(redactor, 'me@example.com');
    const result = JSON.stringify({ id: 1, result: { uri: `crm://${token}` } });
    expect((await redactor.toClient(result, {})).json).toContain('crm://me@example.com');
    const again = call('resources/read', { uri: 'crm://me@example.com' });
    expect((await redactor.toServer(again, {})).json).toContain(`crm://${token}`);
  });
});

test('every part of a message except its envelope is searched', async () => {
  const redactor = await redactorOf({ mode: 'mask' });
  const text = JSON.stringify({
    jsonrpc: '2.0',
    id: 'me@example.com',
    method: 'tools/call',
    extra: 'me@example.com',
    'me@example.com': 1,
    params: { name: 'me@example.com', _meta: { progressToken: 'me@example.com' } },
  });
  expect(JSON.parse((await redactor.toServer(text, {})).json)).toEqual({
    jsonrpc: '2.0',
    id: 'me@example.com',
    method: 'tools/call',
    extra: '[redacted:email]',
    '[redacted:email]': 1,
    params: { name: '[redacted:email]', _meta: { progressToken: '[redacted:email]' } },
  });
});

test('a client’s version is not an IP address', async () => {
  const redactor = await redactorOf();
  const info = { clientInfo: { name: 'x', version: '1.101.2.0' } };
  const meta = { _meta: { 'io.modelcontextprotocol/clientInfo': info.clientInfo } };
  for (const params of [info, meta]) {
    const text = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params });
    expect((await redactor.toServer(text, {})).json).toBe(text);
  }
});

test('hidden values are counted by kind', async () => {
  const redactor = await redactorOf();
  const { counts } = await redactor.toServer(
    callText(['a@example.com b@example.com', 4111111111111111]),
    {},
  );
  expect(counts).toEqual({ email: 2, card: 1 });
});

test('hides data in JSON within JSON of any depth, and never fails the call', async () => {
  const redactor = await redactorOf({ mode: 'mask' });
  let text = JSON.stringify('me@example.com');
  for (let depth = 0; depth < 14; depth++) {
    expect(await sent(redactor, text)).not.toContain('example');
    text = JSON.stringify(text);
  }
});

test('distinguishes a changed key from an existing equal key', async () => {
  const redactor = await redactorOf({ mode: 'mask' });
  const keys = { '[redacted:email]': 1, 'me@example.com': 2, '[redacted:email] (2)': 3 };
  const got = (await sent(redactor, keys)) as Record<string, number>;
  expect(Object.values(got).sort()).toEqual([1, 2, 3]);
  expect(JSON.stringify(got)).not.toContain('me@example.com');
});

test('lists the ids of the tokens that a message inserted and restored', async () => {
  const redactor = await redactorOf();
  const there = await redactor.toServer(
    callText(['a@example.com', 'a@example.com', 4111111111111111]),
    {},
  );
  const ids = [...there.json.matchAll(/<[a-z]+:([\da-f]{16})>/g)].map(([, id]) => id);
  expect([...there.issuedIds].sort()).toEqual([...new Set(ids)].sort());
  expect(there.issuedIds.size).toBe(2);
  const back = await redactor.toClient(there.json, {});
  expect([...back.restoredIds].sort()).toEqual([...there.issuedIds].sort());
  expect(back.issuedIds.size).toBe(0);
});

test('any depth of plain structure is searched', async () => {
  const redactor = await redactorOf({ mode: 'mask' });
  const deep = `${'['.repeat(5_000)}"me@example.com"${']'.repeat(5_000)}`;
  const { json } = await redactor.toServer(`{"params":{"a":${deep}}}`, {});
  expect(json).toContain('[redacted:email]');
});

test('text directly next to a find is searched as well', async () => {
  const redactor = await redactorOf({ mode: 'mask' });
  expect(await sent(redactor, 'me@example.com078-05-1120')).toBe(
    '[redacted:email][redacted:national-id]',
  );
  expect(await sent(redactor, '078-05-1120|me@example.com/AB123456C')).toBe(
    '[redacted:national-id]|[redacted:email]/[redacted:national-id]',
  );
});

test('overlapping finds are replaced as a whole', async () => {
  const redactor = await redactorOf({
    mode: 'mask',
    patterns: [{ name: 'ticket', pattern: 'T-\\d+ of [a-z]+' }],
  });
  expect(await sent(redactor, 'see T-1 of me@example.com.')).toMatch(/^see \[redacted:[a-z]+\]\.$/);
});

test('a text that becomes JSON only without its secret is still restored', async () => {
  const redactor = await redactorOf();
  const key = '-----BEGIN PRIVATE KEY-----\nMIGH\n-----END PRIVATE KEY-----';
  const text = `{"key":"${key}","to":"me@example.com"}`;
  const token = await sent(redactor, text);
  expect(token).toMatch(TOKEN);
  expect(await received(redactor, token)).toBe(text);
});
