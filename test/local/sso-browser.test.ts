import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateTokenCommand } from '@aws-sdk/client-sso-oidc';
import { describe, expect, onTestFinished, test } from 'vitest';
import {
  authorizeUrl,
  listAccounts,
  oidc,
  pkce,
  pollDevice,
  register,
  startDevice,
  startSso,
} from './sso-harness.ts';

/**
 * `fetch` cannot check this: a browser enforces the content security policy of a page, also for
 * redirects.
 */
const BROWSER = [
  process.env.CHROME_PATH ?? '',
  '/usr/bin/chromium',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
].find((path) => path !== '' && existsSync(path));

interface Tab {
  /** The value of an expression in the page, once `holds` accepts it. */
  until<T>(expression: string, holds: (value: T | undefined) => boolean): Promise<T>;
  run(expression: string): Promise<void>;
}

/** A browser with one page, controlled by the DevTools protocol. */
async function open(url: URL | string): Promise<Tab> {
  const profile = await mkdtemp(join(tmpdir(), 'agentcore-browser-'));
  const child = spawn(
    BROWSER ?? '',
    [
      '--headless=new',
      '--no-sandbox',
      '--disable-gpu',
      '--no-first-run',
      '--remote-debugging-port=0',
      `--user-data-dir=${profile}`,
      String(url),
    ],
    { stdio: 'ignore' },
  );
  const exited = once(child, 'exit');
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await exited;
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  });
  const portFile = join(profile, 'DevToolsActivePort');
  await expect.poll(() => existsSync(portFile)).toBe(true);
  let debuggerUrl: string | undefined;
  await expect
    .poll(async () => {
      const [port] = (await readFile(portFile, 'utf8')).split('\n');
      const targets = (await (await fetch(`http://127.0.0.1:${port}/json`)).json()) as {
        readonly type: string;
        readonly webSocketDebuggerUrl: string;
      }[];
      debuggerUrl = targets.find(({ type }) => type === 'page')?.webSocketDebuggerUrl;
      return debuggerUrl;
    })
    .toBeDefined();
  const socket = new WebSocket(debuggerUrl ?? '');
  onTestFinished(() => socket.close());
  await new Promise((resolve) => socket.addEventListener('open', resolve, { once: true }));
  let lastId = 0;
  const evaluate = (expression: string) =>
    new Promise<unknown>((resolve) => {
      lastId += 1;
      const id = lastId;
      socket.addEventListener('message', function heard({ data }) {
        const answer = JSON.parse(String(data));
        if (answer.id !== id) return;
        socket.removeEventListener('message', heard);
        resolve(answer.result?.result?.value);
      });
      socket.send(JSON.stringify({ id, method: 'Runtime.evaluate', params: { expression } }));
    });
  return {
    async until<T>(expression: string, holds: (value: T | undefined) => boolean) {
      let value: T | undefined;
      await expect
        .poll(async () => {
          value = (await evaluate(expression)) as T | undefined;
          return holds(value);
        })
        .toBe(true);
      return value as T;
    },
    run: async (expression) => {
      await evaluate(expression);
    },
  };
}

const TEXT = 'document.body?.innerText';
const says = (words: string) => (text: string | undefined) => text?.includes(words) ?? false;
const choose = (user: string) => `document.querySelector('input[value=${user}]').click()`;
const press = (answer: string) => `document.querySelector('button[value=${answer}]').click()`;

describe.skipIf(BROWSER === undefined)('in a real browser', () => {
  test.each(['approve', 'deny'])('a user can %s, and returns to the program', async (answer) => {
    const local = await startSso();
    const client = await register(local);
    let redirected: URL | undefined;
    const program = createServer((request, response) => {
      const url = new URL(request.url ?? '/', 'http://127.0.0.1');
      if (url.pathname === '/oauth/callback') redirected = url;
      response.end('<h1>You may close this</h1>');
    });
    program.listen(0, '127.0.0.1');
    await once(program, 'listening');
    onTestFinished(() => {
      program.close();
      program.closeAllConnections();
    });
    const { port } = program.address() as AddressInfo;
    const redirectUri = `http://127.0.0.1:${port}/oauth/callback`;
    const { verifier: codeVerifier, challenge } = pkce();
    const more = { redirect_uri: redirectUri, code_challenge: challenge };
    const tab = await open(authorizeUrl(local, client, more));
    expect(await tab.until<string>(TEXT, says('Allow access'))).toContain('a test asks for');
    await tab.run(choose('ada'));
    await tab.run(press(answer));
    await tab.until<string>(TEXT, says('You may close this'));
    expect(redirected?.searchParams.get('state')).toBe('a-state');
    if (answer === 'deny') {
      expect(redirected?.searchParams.get('error')).toBe('access_denied');
      return;
    }
    const code = redirected?.searchParams.get('code') ?? '';
    const redeemed = {
      ...client,
      grantType: 'authorization_code',
      code,
      codeVerifier,
      redirectUri,
    };
    const { accessToken = '' } = await oidc(local).send(new CreateTokenCommand(redeemed));
    expect((await listAccounts(local, accessToken)).accountList).toHaveLength(2);
  });

  test('a user approves a device by its code', async () => {
    const local = await startSso();
    const client = await register(local);
    const { deviceCode, verificationUriComplete = '' } = await startDevice(local, client);
    const tab = await open(verificationUriComplete);
    await tab.until<string>(TEXT, says('Allow access'));
    await tab.run(choose('grace'));
    await tab.run(press('approve'));
    await local.until(() => local.sso.waiting.length === 0);
    expect(await pollDevice(local, client, deviceCode)).toHaveProperty('accessToken');
    expect(local.sso.tokens).toMatchObject([{ user: 'grace' }]);
  });
});
