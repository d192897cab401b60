import {
  type AccessDenial,
  createMissingStatements,
  formatStatement,
  parseDenial,
} from '../../aws/iam/access-denied.ts';
import { AgentCoreError, getErrorMessage } from '../../base/errors.ts';
import { findUnconfirmed, type WorkspaceCommand } from '../../base/exec.ts';
import type { SessionInfo } from '../../sessions/session-info.ts';
import type { RuntimeEntry } from '../runtimes/runtime-entry.ts';

/** An action that may fix an error. */
export type Remedy =
  | {
      readonly kind: 'signIn';
      readonly profile: string;
      /** Runs after the sign-in. */
      readonly next?: Remedy;
    }
  /** A workspace command needs the user's confirmation before it runs. */
  | {
      readonly kind: 'reviewCommand';
      readonly command: WorkspaceCommand;
      /** Runs after the user confirms the command. */
      readonly next?: Remedy;
    }
  /** Replace a missing or denied profile. */
  | { readonly kind: 'pickProfile'; readonly entry: RuntimeEntry }
  /** The OAuth client secret of this entry. */
  | { readonly kind: 'enterSecret'; readonly entry: RuntimeEntry }
  | { readonly kind: 'openAwsConfig' }
  | { readonly kind: 'copyStatement'; readonly text: string }
  | { readonly kind: 'networkSettings' }
  | { readonly kind: 'openSettings' }
  /** A setting of VS Code itself. */
  | { readonly kind: 'openSetting'; readonly setting: string }
  | { readonly kind: 'discoverySettings' }
  | { readonly kind: 'refreshRuntimes' }
  | { readonly kind: 'stopAgain'; readonly sessions: readonly SessionInfo[] }
  | { readonly kind: 'showOutput'; readonly server: string }
  | { readonly kind: 'listServers' }
  | { readonly kind: 'showLogs' };

/** Users do not read more buttons than this. */
const MAX_REMEDIES = 3;

/** Maximum depth in the chain of `Error.cause`. */
const MAX_DEPTH = 6;

const UNREACHED =
  /^(ENOTFOUND|ECONNREFUSED|ECONNRESET|EAI_AGAIN|ENETUNREACH|EHOSTUNREACH|ETIMEDOUT|EPIPE|ERR_SSL_.*|UNABLE_TO_.*|.*CERT.*)$/;

/**
 * Returns the remedies for an error, the most likely first.
 *
 * @param entry The affected runtime, if there is one.
 */
export function getRemedies(thrown: unknown, entry?: RuntimeEntry): readonly Remedy[] {
  return [...getErrorRemedies(thrown, entry), { kind: 'showLogs' } as const].slice(0, MAX_REMEDIES);
}

function* getErrorRemedies(thrown: unknown, entry: RuntimeEntry | undefined): Generator<Remedy> {
  const { code, data = {} } = thrown instanceof AgentCoreError ? thrown : { code: undefined };
  const { login, server, setting, statements, missingProfile, unstopped } = data;
  const stopAgain = Array.isArray(unstopped)
    ? ({ kind: 'stopAgain', sessions: unstopped as readonly SessionInfo[] } as const)
    : undefined;
  if (typeof server === 'string') yield { kind: 'showOutput', server };
  if (data.listsServers === true) yield { kind: 'listServers' };
  if (typeof login === 'string') {
    yield { kind: 'signIn', profile: login, ...(stopAgain && { next: stopAgain }) };
  }
  const command = findUnconfirmed(thrown);
  if (command) {
    yield { kind: 'reviewCommand', command, ...(stopAgain && { next: stopAgain }) };
  }
  const statement = findMissingStatements(thrown, statements, entry);
  if (statement !== undefined) yield { kind: 'copyStatement', text: statement };
  if (stopAgain) yield stopAgain;
  if (data.lacksSecret === true && entry) {
    yield { kind: 'enterSecret', entry };
  } else if (code === 'credentials' && !command) {
    if (entry && login === undefined) yield { kind: 'pickProfile', entry };
    if (missingProfile !== undefined || entry === undefined) yield { kind: 'openAwsConfig' };
  }
  if (typeof setting === 'string') yield { kind: 'openSetting', setting };
  else if (code === 'usage' || code === 'config') yield { kind: 'openSettings' };
  if (isUnreached(thrown)) yield { kind: 'networkSettings' };
}

/** The missing policy statements as JSON to paste. */
function findMissingStatements(
  thrown: unknown,
  statements: unknown,
  entry: RuntimeEntry | undefined,
): string | undefined {
  if (Array.isArray(statements) && statements.length > 0) {
    const all = statements.map(({ statement }: { readonly statement: unknown }) => statement);
    return JSON.stringify(all.length === 1 ? all[0] : all, null, 2);
  }
  const denial = parseDenial(getErrorMessage(thrown));
  const missing = denial && createMissingStatements([withEndpoint(denial, entry)])[0];
  return missing && formatStatement(missing);
}

/** The AWS error names only the runtime, but the policy must also allow the endpoint. */
function withEndpoint(denial: AccessDenial, entry: RuntimeEntry | undefined): AccessDenial {
  const { resource } = denial;
  const qualifier = entry?.qualifier;
  if (!qualifier || !resource?.includes(':runtime/') || resource.includes('/runtime-endpoint/')) {
    return denial;
  }
  return { ...denial, resource: `${resource}/runtime-endpoint/${qualifier}` };
}

/** Whether the error or one of its causes is a network failure. */
function isUnreached(thrown: unknown): boolean {
  if (thrown instanceof AgentCoreError && thrown.code === 'connection') return true;
  let at = thrown;
  for (let depth = 0; depth < MAX_DEPTH && at instanceof Error; depth += 1) {
    if (UNREACHED.test(String((at as NodeJS.ErrnoException).code ?? ''))) return true;
    if (at.name === 'TimeoutError') return true;
    at = at.cause;
  }
  return false;
}
