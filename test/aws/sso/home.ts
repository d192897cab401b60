import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { SsoContext } from '../../../src/aws/sso/sso-session.ts';
import { findSsoSession, type SsoSession } from '../../../src/aws/sso/sso-session.ts';
import { getTokenPath, writeToken } from '../../../src/aws/sso/token-cache.ts';
import type { Clock } from '../../../src/base/async.ts';
import { Network } from '../../../src/http/network.ts';

export const HOUR = 3_600_000;

/** A user's home directory with a config file. It is removed after the test. */
export class Home {
  readonly path = mkdtempSync(join(tmpdir(), 'agentcore-sso-'));
  readonly config = join(this.path, '.aws', 'config');
  readonly env: Record<string, string>;

  /** @param endpoint The endpoint of all services. */
  constructor(config?: string, endpoint?: string) {
    this.env = { HOME: this.path, ...(endpoint && { AWS_ENDPOINT_URL: endpoint }) };
    onTestFinished(() => rmSync(this.path, { recursive: true, force: true }));
    if (config !== undefined) this.write(config);
  }

  write(config: string): void {
    mkdirSync(dirname(this.config), { recursive: true });
    writeFileSync(this.config, config);
    chmodSync(this.config, 0o640);
  }

  read(): string {
    return existsSync(this.config) ? readFileSync(this.config, 'latin1') : '';
  }

  context(clock?: Clock): SsoContext {
    return { env: this.env, network: new Network(this.env), ...(clock && { clock }) };
  }

  session(profile = 'work'): Promise<SsoSession> {
    return findSsoSession({ profile }, this.env);
  }

  async tokenOnFile(): Promise<Record<string, string>> {
    return JSON.parse(readFileSync(getTokenPath(await this.session(), this.env), 'utf8'));
  }

  /** Writes an SSO token that expires in `left` milliseconds. */
  async signIn(left: number, refreshToken?: string, accessToken = 'access-on-file'): Promise<void> {
    await writeToken(
      await this.session(),
      {
        accessToken,
        expiresAt: new Date(Date.now() + left),
        refreshToken,
        registration: {
          clientId: 'client-on-file',
          clientSecret: 'secret-on-file',
          expiresAt: new Date(Date.now() + 24 * HOUR),
        },
      },
      this.env,
    );
  }
}

export const START_URL = 'https://corp.awsapps.com/start';

export const CONFIG = `[profile work]
sso_session = corp
sso_account_id = 111122223333
sso_role_name = Developer

[sso-session corp]
sso_start_url = ${START_URL}
sso_region = eu-west-1
sso_registration_scopes = sso:account:access
`;

/** A clock that advances when it sleeps, and records the length of each sleep. */
export class SleepingClock implements Clock {
  readonly slept: number[] = [];
  #now = Date.now();

  now(): number {
    return this.#now;
  }

  async sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    signal.throwIfAborted();
    this.slept.push(milliseconds);
    this.#now += milliseconds;
  }
}

/** A signal that is never aborted. */
export const NEVER = new AbortController().signal;
