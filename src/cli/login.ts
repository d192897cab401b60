import { existsSync } from 'node:fs';
import { openNetwork } from '../aws/endpoints.ts';
import { login } from '../aws/sso/login.ts';
import { logout } from '../aws/sso/portal-client.ts';
import {
  findSsoSession,
  formatLoginCommand,
  formatSsoSessionName,
  type LoginPrompts,
  type SignInCode,
  type SsoChoice,
  type SsoContext,
  type SsoSession,
} from '../aws/sso/sso-session.ts';
import { type LoginStatus, readLoginStatus } from '../aws/sso/token-cache.ts';
import type { Environment } from '../base/environment.ts';
import { formatTime, sanitizeForTerminal } from '../base/format.ts';
import { INTERRUPTED } from '../programs/main.ts';

// The verbs `login` and `logout`, with prompts for terminals and for scripts.

interface Streams {
  /** On a terminal, the code is also copied to the clipboard. */
  readonly stdout: NodeJS.WritableStream & { readonly isTTY?: boolean };
  readonly stderr: NodeJS.WritableStream;
}

export interface LoginArguments extends SsoChoice {
  /** Use the device flow, for a browser on another machine. */
  readonly device?: boolean | undefined;
  /** If false, only print the URL. */
  readonly browser?: boolean | undefined;
  /** Only print the login state. */
  readonly status?: boolean | undefined;
  /** Sign in even if the login is valid. */
  readonly force?: boolean | undefined;
  readonly json?: boolean | undefined;
}

export type LogoutArguments = SsoChoice & Pick<LoginArguments, 'json'>;

/**
 * Runs the verb `login`: signs in to an SSO session, or prints its login state.
 *
 * @param open Opens a page in the user's browser. Rejects if it cannot.
 * @returns 0 if the user is signed in, 1 if `--status` finds no login, 130 if cancelled.
 * @throws {AgentCoreError} `usage` or `config` if no session is configured; otherwise like {@link
 *   login}.
 */
export async function runLogin(
  options: LoginArguments,
  env: Environment,
  streams: Streams,
  signal: AbortSignal,
  open: (url: string) => Promise<unknown> = openInBrowser,
): Promise<number> {
  const session = await findSsoSession(options, env);
  const context = { env, network: await openNetwork(session.profile, env) };
  if (options.status) return showStatus(session, context, options, streams);
  const { browser = true, force, json } = options;
  const device = options.device || (browser && isBrowserUnavailable(env));
  const prompts = json
    ? new JsonPrompts(streams, browser ? open : undefined)
    : new TerminalPrompts(streams, env, browser ? open : undefined);
  try {
    const { how, until } = await login(session, prompts, { context, signal, device, force });
    if (json) {
      writeJson(streams, { type: 'signed-in', how, ...describe(session), until });
    } else {
      const where = session.name === undefined ? '' : ` (${session.startUrl})`;
      const already = how === 'held' ? 'Already signed in' : 'Signed in';
      writeLine(
        streams,
        `${already} to ${formatSsoSessionName(session)}${where} until ${formatDate(until)}`,
      );
    }
    return 0;
  } catch (thrown) {
    if (signal.aborted) return INTERRUPTED;
    throw thrown;
  }
}

/**
 * Runs the verb `logout`: signs out of an SSO session here and at AWS. If the request to AWS fails,
 * prints a warning.
 *
 * @returns 0; 130 if cancelled.
 * @throws {AgentCoreError} `usage` or `config` if no session is configured.
 */
export async function runLogout(
  options: LogoutArguments,
  env: Environment,
  streams: Streams,
  signal: AbortSignal,
): Promise<number> {
  const session = await findSsoSession(options, env);
  try {
    const ended = await logout(
      session,
      { env, network: await openNetwork(session.profile, env) },
      signal,
    );
    if (options.json) writeJson(streams, { type: 'signed-out', ...describe(session), ...ended });
    else if (ended.wasSignedIn)
      writeLine(streams, `Signed out of ${formatSsoSessionName(session)}`);
    else writeLine(streams, `Not signed in to ${formatSsoSessionName(session)}`);
    if (ended.problem !== undefined) {
      streams.stderr.write(
        `${sanitizeForTerminal(ended.problem)}. The login is removed from this machine. At AWS, it is valid until it expires.\n`,
      );
    }
    return 0;
  } catch (thrown) {
    if (signal.aborted) return INTERRUPTED;
    throw thrown;
  }
}

/**
 * Whether no local browser can complete the sign-in. It would run on another machine than the
 * user's, or could not reach the loopback callback.
 */
export function isBrowserUnavailable(
  env: Environment,
  platform: NodeJS.Platform = process.platform,
  exists: (path: string) => boolean = existsSync,
): boolean {
  const isRemote = env.SSH_CONNECTION || env.SSH_CLIENT || env.SSH_TTY;
  const isContainer =
    env.CODESPACES || env.REMOTE_CONTAINERS || env.KUBERNETES_SERVICE_HOST || env.container;
  if (isRemote || isContainer) return true;
  if (platform !== 'linux') return false;
  if (exists('/.dockerenv') || exists('/run/.containerenv')) return true;
  // WSL opens pages in the browser of Windows. This browser can reach the loopback addresses of
  // WSL.
  return !env.DISPLAY && !env.WAYLAND_DISPLAY && !env.WSL_DISTRO_NAME;
}

async function showStatus(
  session: SsoSession,
  context: SsoContext,
  { json }: LoginArguments,
  streams: Streams,
): Promise<number> {
  const status = await readLoginStatus(session, context);
  if (json) writeJson(streams, { ...describe(session), ...status });
  else writeLine(streams, formatLoginStatus(session, status));
  return status.state === 'signed-in' || status.state === 'refreshable' ? 0 : 1;
}

function formatLoginStatus(session: SsoSession, status: LoginStatus): string {
  const name = formatSsoSessionName(session);
  switch (status.state) {
    case 'signed-out':
      return `Not signed in to ${name}: run "${formatLoginCommand(session)}"`;
    case 'signed-in': {
      const then = status.isRefreshable ? ', then renewed automatically' : '';
      return `Signed in to ${name} until ${formatDate(status.until)}${then}`;
    }
    case 'refreshable':
      return `The login to ${name} expired at ${formatDate(status.until)} and is renewed when it is used`;
    case 'expired':
      return `The login to ${name} expired at ${formatDate(status.until)}: run "${formatLoginCommand(session)}"`;
  }
}

/**
 * Creates an escape sequence to copy a text to the clipboard (OSC 52). It also works over SSH.
 * Other terminals ignore it.
 */
function createClipboardSequence(text: string): string {
  return `\x1b]52;c;${Buffer.from(text).toString('base64')}\x07`;
}

/** Opens a page in the browser. If `undefined`, the user opens the printed URL. */
type Open = ((url: string) => Promise<unknown>) | undefined;

/** Shows the sign-in page and the code as text for people. */
class TerminalPrompts implements LoginPrompts {
  readonly #streams: Streams;
  readonly #copies: boolean;
  readonly #open: Open;

  constructor(streams: Streams, env: Environment, open: Open) {
    this.#streams = streams;
    this.#copies = streams.stdout.isTTY === true && env.TERM !== 'dumb';
    this.#open = open;
  }

  async openBrowser(url: string): Promise<boolean> {
    const what = this.#open
      ? 'Opening this page in your browser. If it does not show, open it yourself:'
      : 'Open this page in a browser on this machine:';
    writeLine(this.#streams, `${what}\n  ${sanitizeForTerminal(url)}`);
    return isShown(this.#open, url);
  }

  /** Sanitizes text from the server, because terminals interpret control characters. */
  showCode({ userCode, verificationUri, verificationUriComplete, expiresAt }: SignInCode): void {
    const short = verificationUriComplete && [
      'or open it with the code filled in:',
      `  ${sanitizeForTerminal(verificationUriComplete)}`,
    ];
    const lines = [
      'Open this page on any device:',
      `  ${sanitizeForTerminal(verificationUri)}`,
      this.#copies ? 'and type the code, or paste it:' : 'and type the code:',
      `  ${sanitizeForTerminal(userCode)}`,
      ...(short || []),
      `The code is valid until ${formatDate(expiresAt)}.`,
    ];
    writeLine(this.#streams, lines.join('\n'));
    if (this.#copies)
      this.#streams.stdout.write(createClipboardSequence(sanitizeForTerminal(userCode)));
  }

  progress(sentence: string): void {
    writeLine(this.#streams, sentence);
  }
}

/** Shows the sign-in page and the code as one JSON object per line. */
class JsonPrompts implements LoginPrompts {
  readonly #streams: Streams;
  readonly #open: Open;

  constructor(streams: Streams, open: Open) {
    this.#streams = streams;
    this.#open = open;
  }

  async openBrowser(url: string): Promise<boolean> {
    writeJson(this.#streams, { type: 'page', url, opens: this.#open !== undefined });
    return isShown(this.#open, url);
  }

  showCode(code: SignInCode): void {
    writeJson(this.#streams, { type: 'code', ...code });
  }

  progress(sentence: string): void {
    writeJson(this.#streams, { type: 'progress', sentence });
  }
}

async function isShown(open: Open, url: string): Promise<boolean> {
  try {
    await open?.(url);
    return true;
  } catch {
    return false;
  }
}

async function openInBrowser(url: string): Promise<void> {
  await (await import('open')).default(url);
}

function describe({ name, profile, startUrl, region }: SsoSession) {
  return { ssoSession: name, profile, startUrl, region };
}

function formatDate(date: Date): string {
  return formatTime(date.toISOString());
}

function writeLine({ stdout }: Streams, text: string): void {
  stdout.write(`${text}\n`);
}

function writeJson({ stdout }: Streams, value: unknown): void {
  stdout.write(`${JSON.stringify(value)}\n`);
}
