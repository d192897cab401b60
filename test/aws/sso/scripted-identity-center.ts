import { createHash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { endWithTest } from '../../fixtures/running.ts';

interface Seen {
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: Record<string, unknown>;
}

/** A failure that replaces the answer to one request. */
type Mishap = { readonly status: number; readonly type: string } | 'hang' | 'reset';
/** The answers to a device. The last one of a list is repeated. */
type DeviceAnswer = 'pending' | 'slow-down' | 'denied' | 'expired' | 'approved';

const DEVICE_ERRORS: Readonly<Record<Exclude<DeviceAnswer, 'approved'>, string>> = {
  pending: 'AuthorizationPendingException',
  'slow-down': 'SlowDownException',
  denied: 'AccessDeniedException',
  expired: 'ExpiredTokenException',
};

/** The login part of IAM Identity Center, controlled by the test. */
export class ScriptedIdentityCenter {
  readonly requests: Seen[] = [];
  /** Texts that no output may contain. */
  readonly secrets = new Set<string>();
  /** Valid access tokens. */
  readonly tokens = new Set<string>();
  readonly refreshTokens = new Set<string>();
  deviceAnswers: DeviceAnswer[] = ['approved'];
  /** Seconds. */
  tokenLife = 3600;
  accounts: Record<string, { readonly name: string; readonly roles: readonly string[] }> = {};
  readonly #mishaps: { readonly path: string; readonly mishap: Mishap }[] = [];
  readonly #challenges = new Map<string, string>();
  readonly #server: Server;
  #waiting: (() => void)[] = [];

  private constructor(server: Server) {
    this.#server = server;
    server.on('request', (request, response) => void this.#serve(request, response));
  }

  static async start(): Promise<ScriptedIdentityCenter> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return endWithTest(new ScriptedIdentityCenter(server), () => {
      server.close();
      server.closeAllConnections();
    });
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  dropConnections(): void {
    this.#server.closeAllConnections();
  }

  /** The next requests to this path fail like this, one for each mishap. */
  spoil(path: string, ...mishaps: readonly Mishap[]): void {
    this.#mishaps.push(...mishaps.map((mishap) => ({ path, mishap })));
  }

  to(path: string): Seen[] {
    return this.requests.filter((request) => request.path === path);
  }

  /** Resolves after `count` requests to a path. */
  async seen(path: string, count = 1): Promise<void> {
    while (this.to(path).length < count) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<unknown> {
    const { pathname: path, searchParams: query } = new URL(request.url ?? '', this.url);
    let text = '';
    for await (const chunk of request) text += chunk;
    const body = text === '' ? {} : JSON.parse(text);
    this.requests.push({ path, query, body });
    for (const notify of this.#waiting.splice(0)) notify();
    const at = this.#mishaps.findIndex((spoiled) => spoiled.path === path);
    const [spoiled] = at === -1 ? [] : this.#mishaps.splice(at, 1);
    if (spoiled?.mishap === 'hang') return undefined;
    if (spoiled?.mishap === 'reset') return request.socket.destroy();
    if (spoiled) return this.#refuse(response, spoiled.mishap.status, spoiled.mishap.type);
    return this.#answer(path, query, body, request, response);
  }

  #answer(
    path: string,
    query: URLSearchParams,
    body: Record<string, string>,
    request: IncomingMessage,
    response: ServerResponse,
  ): unknown {
    switch (path) {
      case '/client/register':
        return this.#send(response, {
          clientId: `client-${randomUUID()}`,
          clientSecret: this.#secret('client-secret'),
          clientSecretExpiresAt: Math.floor(Date.now() / 1000) + 90 * 24 * 3600,
        });
      case '/authorize': {
        const code = this.#secret('code');
        this.#challenges.set(code, query.get('code_challenge') ?? '');
        const target = new URL(query.get('redirect_uri') ?? '');
        target.search = new URLSearchParams({ code, state: query.get('state') ?? '' }).toString();
        return response.writeHead(302, { location: target.href }).end();
      }
      case '/device_authorization':
        return this.#send(response, {
          deviceCode: this.#secret('device-code'),
          userCode: 'BCDF-GHJK',
          verificationUri: `${this.url}/device`,
          verificationUriComplete: `${this.url}/device?user_code=BCDF-GHJK`,
          expiresIn: 600,
          interval: 1,
        });
      case '/token':
        return this.#token(body, response);
      default:
        return this.#portal(path, query, request, response);
    }
  }

  #token(body: Record<string, string>, response: ServerResponse): unknown {
    const { grantType, code = '', codeVerifier = '', refreshToken = '' } = body;
    if (grantType === 'authorization_code') {
      const challenge = createHash('sha256').update(codeVerifier).digest('base64url');
      if (this.#challenges.get(code) !== challenge) {
        return this.#refuse(response, 400, 'InvalidGrantException');
      }
    } else if (grantType === 'refresh_token') {
      // AWS may do the same: each refresh token is valid once.
      if (!this.refreshTokens.delete(refreshToken)) {
        return this.#refuse(response, 400, 'InvalidGrantException');
      }
    } else {
      const answer = this.deviceAnswers[0] ?? 'pending';
      if (this.deviceAnswers.length > 1) this.deviceAnswers.shift();
      if (answer !== 'approved') return this.#refuse(response, 400, DEVICE_ERRORS[answer]);
    }
    const next = { accessToken: this.#secret('access'), refreshToken: this.#secret('refresh') };
    this.tokens.add(next.accessToken);
    this.refreshTokens.add(next.refreshToken);
    return this.#send(response, { ...next, tokenType: 'Bearer', expiresIn: this.tokenLife });
  }

  #portal(
    path: string,
    query: URLSearchParams,
    request: IncomingMessage,
    response: ServerResponse,
  ): unknown {
    const token = String(request.headers['x-amz-sso_bearer_token']);
    if (!this.tokens.has(token)) return this.#refuse(response, 401, 'UnauthorizedException');
    const start = Number(query.get('next_token') ?? 0);
    // Two items per page.
    const page = <T>(items: readonly T[]) => ({
      items: items.slice(start, start + 2),
      nextToken: start + 2 < items.length ? String(start + 2) : undefined,
    });
    switch (path) {
      case '/assignment/accounts': {
        const { items, nextToken } = page(Object.entries(this.accounts));
        const accountList = items.map(([accountId, { name }]) => ({
          accountId,
          accountName: name,
        }));
        return this.#send(response, { accountList, nextToken });
      }
      case '/assignment/roles': {
        const accountId = query.get('account_id') ?? '';
        const { items, nextToken } = page(this.accounts[accountId]?.roles ?? []);
        const roleList = items.map((roleName) => ({ roleName, accountId }));
        return this.#send(response, { roleList, nextToken });
      }
      case '/federation/credentials':
        return this.#send(response, {
          roleCredentials: {
            accessKeyId: 'ASIAEXAMPLE',
            secretAccessKey: 'example',
            sessionToken: `for ${query.get('role_name')} in ${query.get('account_id')}`,
            expiration: Date.now() + 3_600_000,
          },
        });
      case '/logout':
        this.tokens.delete(token);
        return response.writeHead(200).end();
      default:
        return this.#refuse(response, 404, 'ResourceNotFoundException');
    }
  }

  #secret(kind: string): string {
    const secret = `${kind}-${randomUUID()}`;
    this.secrets.add(secret);
    return secret;
  }

  #send(response: ServerResponse, value: unknown): void {
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value));
  }

  #refuse(response: ServerResponse, status: number, type: string): void {
    response
      .writeHead(status, { 'content-type': 'application/json', 'x-amzn-errortype': type })
      .end(JSON.stringify({ message: `Scripted ${type}` }));
  }
}
