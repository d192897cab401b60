import { createHash, createHmac } from 'node:crypto';
import { SignatureV4 } from '@smithy/signature-v4';
import type { AwsCredentialIdentity, Checksum, SourceData } from '@smithy/types';
import { describe, expect, it } from 'vitest';
import { createSigV4Signer, SigningClock } from '../../src/aws/sigv4.ts';
import { toRequestTarget } from '../../src/http/post.ts';

class Sha256 implements Checksum {
  #hash;

  constructor(secret?: SourceData) {
    this.#hash =
      secret === undefined
        ? createHash('sha256')
        : createHmac('sha256', secret as string | Uint8Array);
  }

  update(data: Uint8Array): void {
    this.#hash.update(data);
  }

  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }

  reset(): void {
    throw new Error('not used');
  }
}

const KEYS = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfi' };

const ARN = encodeURIComponent(
  'arn:aws:bedrock-agentcore:us-east-1:111122223333:runtime/tools-AbC123',
);

describe('the signer', () => {
  const url = `https://bedrock-agentcore.us-east-1.amazonaws.com/runtimes/${ARN}/invocations`;

  it.each<[string, string, Record<string, string>, string, AwsCredentialIdentity]>([
    [
      'an invocation',
      `${url}?qualifier=DEFAULT`,
      { 'content-type': 'application/json' },
      '{}',
      KEYS,
    ],
    ['a session token', url, {}, '{}', { ...KEYS, sessionToken: 'a/b+c==' }],
    ['no body', url, {}, '', KEYS],
    ['several parameters', `${url}?b=2&a=1&A=3&accountId=111122223333`, {}, '{}', KEYS],
    ['reserved characters', `${url}?q=a%20b%2B*'()!~%2F%25&e=`, {}, '{}', KEYS],
    ['a long qualifier in other letters', `${url}?qualifier=%C3%A9%E2%82%AC`, {}, 'é€', KEYS],
    ['spaces in a header', url, { 'x-note': '  a   b\tc  ', accept: 'a, b' }, '{}', KEYS],
    ['capital letters in a header', url, { 'X-Amz-Thing': '1', Accept: 'x' }, '{}', KEYS],
    [
      'headers that are not signed',
      url,
      { 'user-agent': 'x', 'x-amzn-trace-id': 'y', 'proxy-x': 'z', 'sec-x': 'z', te: 'a' },
      '{}',
      KEYS,
    ],
    ['a port', 'http://127.0.0.1:8080/runtimes/a%2Fb/invocations/', {}, '{}', KEYS],
    ['empty segments of a path', 'https://a.example//x//y/', {}, '{}', KEYS],
    ['characters in a path', "https://a.example/x'(y)*!/%7E/~/mcp", {}, '{}', KEYS],
  ])('signs like the AWS SDK: %s', async (_name, address, headers, body, keys) => {
    const target = toRequestTarget(new URL(address));
    const now = Date.parse('2026-11-05T03:04:05.678Z');
    const sign = createSigV4Signer(async () => keys, 'us-east-1', 'bedrock-agentcore', {
      now: () => now,
    });
    const ours = await sign({ target, headers, body: Buffer.from(body) });
    const { protocol, hostname, path, query, host } = target;
    const reference = await new SignatureV4({
      credentials: keys,
      region: 'us-east-1',
      service: 'bedrock-agentcore',
      sha256: Sha256,
    }).sign(
      { method: 'POST', protocol, hostname, path, query, headers: { ...headers, host }, body },
      { signingDate: new Date(now) },
    );
    expect(ours).toEqual(reference.headers);
  });

  it('derives a new key for other credentials and for the next day', async () => {
    const target = toRequestTarget(new URL(url));
    let keys = KEYS;
    let now = Date.parse('2026-11-05T23:59:59Z');
    const sign = createSigV4Signer(async () => keys, 'us-east-1', 'sts', { now: () => now });
    const signatures = new Set<string | undefined>();
    const add = async () =>
      signatures.add((await sign({ target, headers: {}, body: Buffer.from('') })).authorization);
    await add();
    now += 2_000;
    await add();
    keys = { ...KEYS, secretAccessKey: 'another' };
    await add();
    expect(signatures.size).toBe(3);
    const fresh = createSigV4Signer(async () => keys, 'us-east-1', 'sts', { now: () => now });
    const { authorization } = await fresh({ target, headers: {}, body: Buffer.from('') });
    expect(signatures).toContain(authorization);
  });
});

const NOW = Date.parse('2026-01-01T12:00:00Z');

function clock() {
  const said: string[] = [];
  return {
    clock: new SigningClock(
      (level, words) => said.push(`${level}: ${words}`),
      () => NOW,
    ),
    said,
  };
}

describe('the signing clock', () => {
  it('uses the local time if it is close to AWS time', () => {
    const { clock: aws, said } = clock();
    for (const date of ['Thu, 01 Jan 2026 12:01:50 GMT', undefined, 'yesterday']) aws.learn(date);
    expect(aws.now()).toBe(NOW);
    expect(aws.wasCorrectedSince(0)).toBe(false);
    expect(said).toEqual([]);
  });

  it('uses the time from AWS responses otherwise, and reports this once', () => {
    const { clock: aws, said } = clock();
    aws.learn('Thu, 01 Jan 2026 11:40:00 GMT');
    aws.learn('Thu, 01 Jan 2026 11:40:05 GMT');
    expect(aws.now()).toBe(NOW - 20 * 60_000);
    expect(said).toEqual([
      'warning: Requests are signed with the time of AWS: the clock of this machine is 20 minutes fast, set it',
    ]);
  });

  it('uses the local time again once that is corrected', () => {
    const { clock: aws, said } = clock();
    aws.learn('Thu, 01 Jan 2026 17:00:00 GMT');
    const moment = performance.now();
    aws.learn('Thu, 01 Jan 2026 12:00:01 GMT');
    expect(aws.now()).toBe(NOW);
    expect(aws.wasCorrectedSince(moment - 1)).toBe(true);
    expect(said).toHaveLength(1);
  });
});
