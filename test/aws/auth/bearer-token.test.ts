import { describe, expect, it } from 'vitest';
import { createBearerAuthorizer, createCachedToken } from '../../../src/aws/auth/authorizer.ts';
import {
  getTokenSubject,
  parseBearerToken,
  runTokenCommand,
  type Token,
} from '../../../src/aws/auth/bearer-token.ts';
import { readAuthorization } from '../../../src/aws/auth/settings.ts';
import { readChallenge } from '../../../src/aws/auth/www-authenticate.ts';
import { toRequestTarget } from '../../../src/http/post.ts';

const IN_AN_HOUR = () => Date.now() + 3_600_000;

function jwt(claims: object): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'none' })}.${part(claims)}.c2lnbmF0dXJl`;
}

async function failure(work: () => unknown): Promise<Error & { code?: string }> {
  try {
    await work();
  } catch (thrown) {
    return thrown as Error;
  }
  throw new Error('nothing was thrown');
}

/** A token source that returns the tokens that the test prepared, and counts its calls. */
function source(...lives: readonly (number | undefined)[]) {
  const asked: Token[] = [];
  const kept = createCachedToken(async () => {
    const life = lives[Math.min(asked.length, lives.length - 1)];
    const expiresAt = life === undefined ? undefined : Date.now() + life;
    asked.push({ value: `token-${asked.length + 1}`, expiresAt });
    return asked.at(-1) as Token;
  });
  return { kept, asked };
}

describe('a cached token', () => {
  it('is loaded once for concurrent callers, and then cached', async () => {
    const { kept, asked } = source(3_600_000);
    const tokens = await Promise.all([kept.get(), kept.get(), kept.get()]);
    expect(new Set(tokens.map(({ value }) => value))).toEqual(new Set(['token-1']));
    expect((await kept.get()).value).toBe('token-1');
    expect(asked).toHaveLength(1);
  });

  it('is kept until the program ends if its expiry is unknown', async () => {
    const { kept, asked } = source(undefined);
    await kept.get();
    await kept.get();
    expect(asked).toHaveLength(1);
  });

  it('is replaced before the next use if it has expired', async () => {
    const { kept } = source(-1, 3_600_000);
    expect((await kept.get()).value).toBe('token-1');
    expect((await kept.get()).value).toBe('token-2');
  });

  it('is refreshed in the background before it expires, while calls continue to use it', async () => {
    let release: (() => void) | undefined;
    let asked = 0;
    let renewing: (() => void) | undefined;
    const begun = new Promise<void>((resolve) => {
      renewing = resolve;
    });
    const kept = createCachedToken(async () => {
      if (++asked === 1) return { value: 'old', expiresAt: Date.now() + 600 };
      renewing?.();
      await new Promise<void>((resolve) => {
        release = resolve;
      });
      return { value: 'new', expiresAt: IN_AN_HOUR() };
    });
    await kept.get();
    // A call marks the token as used, so that a refresh is worthwhile. The refresh is due after
    // half its lifetime.
    expect((await kept.get()).value).toBe('old');
    await begun;
    release?.();
    await expect.poll(async () => (await kept.get()).value).toBe('new');
    expect(asked).toBe(2);
  });

  it('is refreshed once for all calls that were rejected with it', async () => {
    const { kept, asked } = source(3_600_000);
    await kept.get();
    const since = performance.now();
    expect(await Promise.all([kept.refresh(since), kept.refresh(since)])).toEqual([true, true]);
    // A later caller was rejected with the old token as well.
    expect(await kept.refresh(since)).toBe(true);
    expect(asked).toHaveLength(2);
  });

  it('returns false from a refresh that yields the same token', async () => {
    const kept = createCachedToken(async () => ({ value: 'same', expiresAt: undefined }));
    await kept.get();
    expect(await kept.refresh(performance.now())).toBe(false);
  });

  it('is loaded again after a failure', async () => {
    let asked = 0;
    const kept = createCachedToken(async () => {
      if (++asked === 1) throw new Error('no network\nsecret: hush');
      return { value: 'fine', expiresAt: undefined };
    });
    const thrown = await failure(() => kept.get());
    expect(thrown.code).toBe('credentials');
    expect(thrown.message).not.toContain('hush');
    expect((await kept.get()).value).toBe('fine');
  });

  it('is never sent over an unencrypted connection', async () => {
    const { sign } = createBearerAuthorizer(source(undefined).kept);
    const request = (url: string) => ({
      target: toRequestTarget(new URL(url)),
      headers: {},
      body: Buffer.alloc(0),
    });
    const thrown = await failure(() => sign(request('http://agentcore.example/mcp')));
    expect(thrown.message).toContain('use an https endpoint');
    for (const url of [
      'https://agentcore.example/mcp',
      'http://127.0.0.1:1/mcp',
      'http://[::1]:1/',
    ]) {
      expect(await sign(request(url))).toEqual({ authorization: 'Bearer token-1' });
    }
  });
});

describe('a bearer token', () => {
  it('expires at the time from its issuer, or else at its exp claim', () => {
    const exp = Math.floor(IN_AN_HOUR() / 1000);
    expect(parseBearerToken(jwt({ exp }), undefined, 'It wrote').expiresAt).toBe(exp * 1000);
    const end = IN_AN_HOUR() + 5_000;
    expect(parseBearerToken(jwt({ exp }), end, 'It wrote').expiresAt).toBe(end);
    expect(parseBearerToken('opaque', undefined, 'It wrote').expiresAt).toBeUndefined();
  });

  it.each([['two words'], ['line\nbreak'], ['<html>'], ['']])(
    'is rejected if HTTP cannot carry it: %j',
    async (value) => {
      const thrown = await failure(() => parseBearerToken(value, undefined, 'It wrote'));
      expect(thrown.message).toBe('It wrote an invalid bearer token');
    },
  );

  it('has the same subject as the next token of the same user, and another than any other token', () => {
    const holder = (claims: object) =>
      getTokenSubject({ value: jwt(claims), expiresAt: undefined });
    const ada = { iss: 'https://issuer', sub: 'ada', client_id: 'app' };
    expect(holder({ ...ada, jti: 1 })).toBe(holder({ ...ada, jti: 2 }));
    expect(holder(ada)).not.toBe(holder({ ...ada, sub: 'bob' }));
    expect(holder(ada)).not.toBe(holder({ ...ada, iss: 'https://other' }));
    expect(getTokenSubject({ value: 'opaque', expiresAt: undefined })).toBeUndefined();
  });
});

/** Runs a script, which may read its output from its environment. */
function run(script: string, more: { timeoutMs?: number; output?: string } = {}) {
  const { output = '', ...options } = more;
  return runTokenCommand({
    command: `"${process.execPath}" -e "${script}"`,
    env: { ...process.env, OUTPUT: output },
    signal: new AbortController().signal,
    ...options,
  });
}

const printing = (output: string) => run('console.log(process.env.OUTPUT)', { output });

describe('a token command', () => {
  it('prints a token', async () => {
    expect(await printing('abc.def')).toEqual({
      value: 'abc.def',
      expiresAt: undefined,
    });
  });

  it.each([
    ['access_token', 'expires_in', 600, 600_000],
    ['token', 'expires_in', '600', 600_000],
    ['accessToken', 'expires_on', Math.floor(Date.now() / 1000) + 3600, 3_600_000],
    ['token', 'expiry', Date.now() + 3_600_000, 3_600_000],
    ['token', 'expiration', new Date(IN_AN_HOUR()).toISOString(), 3_600_000],
  ])('prints JSON with %s and %s %j', async (name, end, value, life) => {
    const token = await printing(JSON.stringify({ [name]: 'abc', [end]: value }));
    expect(token.value).toBe('abc');
    const off = Math.abs((token.expiresAt ?? 0) - Date.now() - life);
    expect(off).toBeLessThan(60_000);
  });

  it.each([
    ['nothing', '', /wrote nothing to stdout/],
    ['a page', 'please sign in: hush-hush', /more than one word/],
    ['JSON without a token', '{}', /without "access_token" or "token"/],
    ['broken JSON', '{"token":"hush-hush"', /an invalid bearer token/],
    [
      'an invalid expiry',
      '{"token":"hush-hush","expires_in":"soon"}',
      /"expires_in" that is neither/,
    ],
    [
      'a token that has ended',
      '{"token":"hush-hush","expires_in":-5}',
      /a token that expired at .*: check the clock/,
    ],
  ])(
    'is rejected if it writes %s, and the error does not quote the output',
    async (_, output, sentence) => {
      const { message, code } = await failure(() => printing(output));
      expect(code).toBe('credentials');
      expect(message).toMatch(sentence);
      expect(message).not.toContain('hush');
    },
  );

  it('is quoted in the error if it fails, except for possible secrets', async () => {
    const { message } = await failure(() =>
      run(
        `console.error('Sign in first. token=hush-1 and 0123456789abcdef0123456789abcdef'); process.exit(3)`,
      ),
    );
    expect(message).toContain('exit code 3');
    expect(message).toContain('Sign in first.');
    expect(message).not.toMatch(/hush|0123456789/);
  });

  it('finds its stdin closed if it prompts, and is killed if it hangs', async () => {
    const script = `process.stdin.on('end', () => console.log('closed')).resume()`;
    expect((await run(script)).value).toBe('closed');
    const { message } = await failure(() => run('setInterval(() => {}, 1000)', { timeoutMs: 300 }));
    expect(message).toContain('did not end within 0.3 s');
  });
});

describe('a WWW-Authenticate challenge', () => {
  it('is found among other challenges, quoted or not', () => {
    expect(
      readChallenge(
        'Negotiate, Bearer realm="a, b", error=invalid_token, error_description="It \\"ended\\"", scope="one two", resource_metadata="https://h/x?qualifier=DEFAULT", Basic realm="z"',
      ),
    ).toEqual({
      error: 'invalid_token',
      errorDescription: 'It "ended"',
      scope: 'one two',
      resourceMetadata: 'https://h/x?qualifier=DEFAULT',
    });
    expect(readChallenge('Bearer')).toEqual({});
  });

  it.each([[undefined], [''], ['Basic realm="bearer"'], ['Bearerish x=y']])(
    'is not found in %j',
    (header) => {
      expect(readChallenge(header)).toBeUndefined();
    },
  );
});

describe('the authorization method', () => {
  const SECRET = 'hush-of-the-client';

  it.each([
    [{}, 'iam'],
    [{ AGENTCORE_AUTH: 'none' }, 'none'],
    [{ AGENTCORE_TOKEN_COMMAND: 'get-token' }, 'token-command'],
    [{ AGENTCORE_OAUTH_CLIENT_ID: 'app', AGENTCORE_OAUTH_CLIENT_SECRET: SECRET }, 'oauth'],
    [{ AGENTCORE_AUTH: 'IAM', AGENTCORE_TOKEN_COMMAND: 'get-token' }, 'iam'],
  ])('for %j is %s', (env, method) => {
    expect(readAuthorization(env).method).toBe(method);
  });

  it.each<[Record<string, string>, RegExp]>([
    [{ AGENTCORE_AUTH: 'jwt' }, /AGENTCORE_AUTH is "jwt", expected one of iam, oauth/],
    [{ AGENTCORE_AUTH: 'token-command' }, /AGENTCORE_TOKEN_COMMAND is not set/],
    [{ AGENTCORE_OAUTH_CLIENT_ID: 'app' }, /AGENTCORE_OAUTH_CLIENT_SECRET is not set/],
    [{ AGENTCORE_OAUTH_CLIENT_SECRET: SECRET }, /AGENTCORE_OAUTH_CLIENT_ID is not set/],
    [
      { AGENTCORE_OAUTH_CLIENT_ID: 'app', AGENTCORE_TOKEN_COMMAND: 'get-token' },
      /both set: set AGENTCORE_AUTH/,
    ],
    [
      {
        AGENTCORE_OAUTH_CLIENT_ID: 'app',
        AGENTCORE_OAUTH_CLIENT_SECRET: SECRET,
        AGENTCORE_OAUTH_TOKEN_URL: `http://elsewhere.example/${SECRET}`,
      },
      /AGENTCORE_OAUTH_TOKEN_URL is not an https URL/,
    ],
  ])('is rejected for %j', async (env, sentence) => {
    const thrown = await failure(() => readAuthorization(env));
    expect(thrown.code).toBe('usage');
    expect(thrown.message).toMatch(sentence);
    expect(thrown.message).not.toContain(SECRET);
  });
});
