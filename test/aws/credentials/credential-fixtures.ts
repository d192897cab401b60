import { once } from 'node:events';
import { readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { createServer, request as httpRequest, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { LocalRuntime } from '../../../src/local/local-runtime.ts';
import { type Line, type ProxyProcess, startProxy } from '../../fixtures/proxy-process.ts';
import { endWithTest } from '../../fixtures/running.ts';
import { temporaryFolder } from '../../fixtures/tls.ts';

/** A home directory with its own `.aws` folder and a state folder for the proxies of one test. */
export class CredentialHome {
  readonly path: string;
  readonly #proxies: ProxyProcess[] = [];

  private constructor(path: string) {
    this.path = path;
  }

  static async make(
    files: { config?: string; credentials?: string } = {},
  ): Promise<CredentialHome> {
    const home = new CredentialHome(await temporaryFolder());
    await home.write('config', files.config ?? '');
    await home.write('credentials', files.credentials ?? '');
    return home;
  }

  file(name: string): string {
    return join(this.path, name);
  }

  /** Replaces the whole file, as the AWS CLI does. */
  async write(name: string, content: string): Promise<void> {
    await writeFile(`${this.file(name)}.new`, content);
    await rename(`${this.file(name)}.new`, this.file(name));
  }

  get env(): Record<string, string> {
    return {
      HOME: this.path,
      AWS_CONFIG_FILE: this.file('config'),
      AWS_SHARED_CREDENTIALS_FILE: this.file('credentials'),
      AWS_EC2_METADATA_DISABLED: 'true',
      AGENTCORE_STATE_DIR: this.file('state'),
    };
  }

  /** A proxy that finds its credentials in these files, and none in the environment. */
  proxy(local: LocalRuntime, env: Record<string, string> = {}): ProxyProcess {
    const proxy = startProxy(local.url, {
      AGENTCORE_AGENT_ARN: local.runtime('server').arn,
      AWS_ACCESS_KEY_ID: '',
      AWS_SECRET_ACCESS_KEY: '',
      ...this.env,
      ...env,
    });
    this.#proxies.push(proxy);
    return proxy;
  }

  /** The journal of all programs of this home. */
  async journal(): Promise<string> {
    const folder = this.file('state/journal');
    const names = await readdir(folder);
    return (await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')))).join('');
  }

  /** Ends the proxies and checks that no secret is in their output or files. */
  async expectNoSecret(secrets: readonly string[]): Promise<void> {
    for (const proxy of this.#proxies) {
      await proxy.close();
      expect(proxy.noise).toEqual([]);
      expectNone(secrets, JSON.stringify(proxy.lines));
      expectNone(secrets, proxy.stderr);
    }
    const state = this.file('state');
    const names = await readdir(state, { recursive: true, withFileTypes: true }).catch(() => []);
    for (const entry of names) {
      if (!entry.isFile()) continue;
      expectNone(secrets, await readFile(join(entry.parentPath, entry.name), 'utf8'));
    }
  }
}

function expectNone(secrets: readonly string[], text: string): void {
  for (const secret of secrets) expect(text.includes(secret), `a secret in ${text}`).toBe(false);
}

export function keys(
  profile: string,
  key: { accessKeyId: string; secretAccessKey: string },
): string {
  return `[${profile}]\naws_access_key_id = ${key.accessKeyId}\naws_secret_access_key = ${key.secretAccessKey}\n`;
}

/** An access key for the local AgentCore, in the form of the profile’s files. */
export function accessKey(name: string, more: object = {}) {
  const accessKeyId = `AKIA${name.toUpperCase().padEnd(16, '0')}`;
  const secretAccessKey = `secret-of-${name}-0123456789abcdef`;
  const principal = `arn:aws:iam::123456789012:user/${name}`;
  return {
    accessKeyId,
    secretAccessKey,
    config: { id: accessKeyId, secret: secretAccessKey, principal, ...more },
  };
}

/** Forwards all requests to the local AgentCore and records their keys and tokens. */
export async function keyRecorder(local: LocalRuntime): Promise<{
  readonly url: string;
  /** The access keys of invocations, in order. */
  readonly invokedBy: string[];
  /** All session tokens seen. */
  readonly tokens: Set<string>;
  /** The parameters of AssumeRole calls, in order. */
  readonly assumed: URLSearchParams[];
  /** The number of invocations that were rejected because of their credentials. */
  readonly refused: () => number;
  /** From now on AWS does not know this key, as if it was deleted. */
  revoke(accessKeyId: string): void;
}> {
  const invokedBy: string[] = [];
  const assumed: URLSearchParams[] = [];
  const tokens = new Set<string>();
  const revoked = new Set<string>();
  let refused = 0;
  const url = await serve((incoming, response) => {
    const { method, url: path = '', headers } = incoming;
    const key = /Credential=([^/]+)/.exec(headers.authorization ?? '')?.[1];
    const isInvocation = path.includes('/invocations');
    if (key && revoked.has(key)) {
      if (isInvocation) refused++;
      const type = 'UnrecognizedClientException';
      response.writeHead(403, { 'content-type': 'application/json', 'x-amzn-errortype': type });
      response.end('{"message":"The security token included in the request is invalid."}');
      return;
    }
    if (isInvocation && key) invokedBy.push(key);
    const token = headers['x-amz-security-token'];
    if (typeof token === 'string') tokens.add(token);
    const onward = httpRequest(new URL(path, local.url), { method, headers }, (reply) => {
      // An unsigned request only probes the authorization method.
      if (isInvocation && key && reply.statusCode === 403) refused++;
      response.writeHead(reply.statusCode ?? 502, reply.headers);
      reply.pipe(response);
    });
    onward.on('error', () => response.destroy());
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      if (path === '/') assumed.push(new URLSearchParams(Buffer.concat(chunks).toString()));
    });
    incoming.pipe(onward);
  });
  return {
    url,
    invokedBy,
    tokens,
    assumed,
    refused: () => refused,
    revoke: (accessKeyId) => void revoked.add(accessKeyId),
  };
}

/** A server on a loopback port that is closed after the test. */
export async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  endWithTest(server, () => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/**
 * Calls all the time, several calls at once, until the event happens.
 *
 * @returns the value of the event and the calls that were open at that time.
 */
export async function callUntil<T>(
  proxy: ProxyProcess,
  event: Promise<T>,
): Promise<{ readonly happened: T; readonly open: readonly Promise<Line>[] }> {
  let isOver = false;
  const open = new Set<Promise<Line>>();
  const stop = event.finally(() => {
    isOver = true;
  });
  const workers = Array.from({ length: 3 }, async () => {
    while (!isOver) {
      const call = proxy.call('echo');
      open.add(call);
      await Promise.race([call.then(() => open.delete(call)), stop]);
    }
  });
  const happened = await stop;
  await Promise.all(workers);
  return { happened, open: [...open] };
}

/** The errors among the answers. A call that was signed in time may have succeeded. */
export async function errorsOf(open: readonly Promise<Line>[]): Promise<readonly Line[]> {
  return (await Promise.all(open)).flatMap(({ error }) => error ?? []);
}

/** Calls all the time, several calls at once, until it is stopped. Resolves with the failures. */
export function load(proxy: ProxyProcess): { calls: () => number; stop: () => Promise<unknown[]> } {
  let isOn = true;
  let calls = 0;
  const failures: unknown[] = [];
  const workers = Array.from({ length: 8 }, async () => {
    while (isOn) {
      const answer = await proxy.call('echo', { text: String(calls) });
      calls++;
      if (!answer.result || answer.result.isError) failures.push(answer);
    }
  });
  return {
    calls: () => calls,
    stop: async () => {
      isOn = false;
      await Promise.all(workers);
      return failures;
    },
  };
}
