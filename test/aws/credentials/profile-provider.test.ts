import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { getProcessCredentials } from '../../../src/aws/credentials/profile-provider.ts';

const ANSWER = {
  Version: 1,
  AccessKeyId: 'AKIAPROCESS',
  SecretAccessKey: 'hush-of-the-process',
  SessionToken: 'hush-token',
  Expiration: new Date(Date.now() + 3_600_000).toISOString(),
};

function run(script: string, more: { timeoutMs?: number; signal?: AbortSignal } = {}) {
  return getProcessCredentials({
    profile: 'work',
    command: `"${process.execPath}" -e "${script.replaceAll('"', '\\"')}"`,
    accountId: '123456789012',
    env: process.env,
    signal: new AbortController().signal,
    ...more,
  });
}

async function failure(work: Promise<unknown>): Promise<string> {
  const thrown = await work.then(
    () => undefined,
    (error: Error) => error,
  );
  expect(thrown).toMatchObject({ name: 'AgentCoreError', code: 'credentials' });
  return thrown?.message ?? '';
}

describe('a credential process', () => {
  it('provides the credentials that it writes', async () => {
    expect(await run(`process.stdout.write(JSON.stringify(${toSource(ANSWER)}))`)).toEqual({
      accessKeyId: ANSWER.AccessKeyId,
      secretAccessKey: ANSWER.SecretAccessKey,
      sessionToken: ANSWER.SessionToken,
      expiration: new Date(ANSWER.Expiration),
      accountId: '123456789012',
    });
  });

  it('finds its stdin closed if it reads input', async () => {
    const script = `process.stdin.on('end', () => process.stdout.write(JSON.stringify(${toSource(ANSWER)}))).resume()`;
    expect(await run(script)).toMatchObject({ accessKeyId: ANSWER.AccessKeyId });
  });

  it('is quoted by its stderr, never by its stdout, if it fails', async () => {
    const words = await failure(
      run(`console.log('hush-output'); console.error('no network\\nsorry'); process.exitCode = 3`),
    );
    expect(words).toBe(
      'The credential_process of profile "work" failed (exit code 3): no network / sorry',
    );
  });

  it.each([
    ["console.log('hush {')", 'did not write JSON'],
    [`console.log(JSON.stringify({Version: 2, SecretAccessKey: 'hush'}))`, '"Version": 1'],
    [`console.log(JSON.stringify({Version: 1, AccessKeyId: 'A'}))`, 'AccessKeyId and Secret'],
    [
      `console.log(JSON.stringify({Version: 1, AccessKeyId: 'A', SecretAccessKey: 'hush', Expiration: '2020-01-01T00:00:00Z'}))`,
      'expired at 2020-01-01T00:00:00.000Z',
    ],
    ['console.log(null)', '"Version": 1'],
  ])(
    'is rejected with the reason if its output is not valid credentials: %s',
    async (script, words) => {
      const message = await failure(run(script));
      expect(message).toContain(words);
      expect(message).not.toContain('hush');
    },
  );

  it('is killed if it hangs', async () => {
    const words = await failure(run('setInterval(() => {}, 1000)', { timeoutMs: 500 }));
    expect(words).toContain('did not end within 0.5 s');
  });

  it('is killed with all processes that it started if no caller waits for it any more', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    onTestFinished(() => void server.close());
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const child = `require('net').connect(${port}, '127.0.0.1')`;
    const script = `require('child_process').spawn(process.execPath, ['-e', ${JSON.stringify(child)}], { stdio: 'ignore' })`;
    const ending = new AbortController();
    const running = failure(run(script, { signal: ending.signal }));
    const [socket] = await once(server, 'connection');
    ending.abort();
    await once(socket.resume(), 'close');
    expect(await running).toContain('failed (SIGKILL)');
  });
});

/** JSON in the form that a script in double quotes accepts. */
function toSource(answer: object): string {
  return JSON.stringify(answer).replaceAll('"', "'");
}
