import { findUnconfirmed, type WorkspaceCommand } from '../../confirmed-commands.ts';
import { AgentCoreError, type ErrorCode, getErrorMessage } from '../../error.ts';
import { findLogin } from '../credentials/credentials-failure.ts';
import { type AccessDenial, formatAdvice, parseDenial } from '../iam/access-denied.ts';
import type { DiscoveryScope } from './place.ts';

/** A failure during discovery. Other results are still shown. */
export interface Problem {
  readonly place: Partial<DiscoveryScope>;
  readonly kind:
    | 'no-region'
    | 'credentials'
    | 'denied'
    | 'throttled'
    /** Unreachable. */
    | 'network'
    /** A limit was reached, so results are incomplete. */
    | 'bound'
    | 'failed';
  /** Such as `ListAgentRuntimes`. Absent if no API was called. */
  readonly api: string | undefined;
  /** The name of the affected runtime or gateway, if any. */
  readonly subject: string | undefined;
  readonly sentence: string;
  /** For `denied`, if AWS's error message could be parsed. See `createMissingStatements`. */
  readonly denial?: AccessDenial | undefined;
  /** For `credentials`: the profile for which a new login would help. */
  readonly login?: string | undefined;
  /** For `credentials`: the workspace command for the user to confirm. */
  readonly unconfirmed?: WorkspaceCommand | undefined;
}

/** Problem kinds of errors with a complete message, by error code. */
const KINDS: Readonly<Partial<Record<ErrorCode, Problem['kind']>>> = {
  credentials: 'credentials',
  connection: 'network',
};

/** The operation for the error message, by API. */
const MISSING: Readonly<Record<string, string>> = {
  ListAgentRuntimes: 'list runtimes',
  GetAgentRuntime: 'read protocol and authorizer',
  ListAgentRuntimeEndpoints: 'list endpoints',
  ListAgentRuntimeVersions: 'list versions',
  ListGateways: 'list gateways',
  GetGateway: 'read the URL',
};

/** Converts the error of a call to a problem. */
export function toProblem(
  thrown: unknown,
  place: DiscoveryScope,
  api: string,
  subject: string | undefined,
): Problem {
  const what = `Could not ${MISSING[api] ?? `call ${api}`}${subject ? ` of ${subject}` : ''}`;
  const base = { place, api, subject };
  const words = getErrorMessage(thrown) || getErrorName(thrown);
  const denial = parseDenial(words);
  if (denial) {
    const sentence = `${what}: ${denial.action} is not allowed; ${formatAdvice(denial)}`;
    return { ...base, kind: 'denied', sentence, denial };
  }
  if (thrown instanceof AgentCoreError) {
    const kind = KINDS[thrown.code] ?? 'failed';
    const unconfirmed = findUnconfirmed(thrown);
    return {
      ...base,
      kind,
      sentence: words,
      login: findLogin(thrown),
      ...(unconfirmed && { unconfirmed }),
    };
  }
  if (BAD_CREDENTIALS.test(getErrorName(thrown))) {
    const sentence = `${what}: AWS does not take these credentials (${words})`;
    return { ...base, kind: 'credentials', sentence };
  }
  if (isRefusal(thrown)) return { ...base, kind: 'denied', sentence: `${what}: ${words}` };
  if (isThrottling(thrown)) {
    return { ...base, kind: 'throttled', sentence: `${what}: AWS is throttling, try again later` };
  }
  if (isUnreached(thrown)) {
    return { ...base, kind: 'network', sentence: `${what}: AWS could not be reached (${words})` };
  }
  return { ...base, kind: 'failed', sentence: `${what}: ${words}` };
}

export function isThrottling(thrown: unknown): boolean {
  return (
    /Throttl|TooManyRequests|SlowDown/.test(getErrorName(thrown)) || getHttpStatus(thrown) === 429
  );
}

/** Whether a retry may help. Retries are safe, because all calls of discovery only read. */
export function isPassing(thrown: unknown): boolean {
  const status = getHttpStatus(thrown) ?? 0;
  return status >= 500 || (isUnreached(thrown) && !UNREACHABLE.test(getErrorCode(thrown)));
}

const UNREACHABLE =
  /^(ENOTFOUND|ECONNREFUSED|EAI_AGAIN|ENETUNREACH|EHOSTUNREACH|ERR_SSL_.*|UNABLE_TO_.*|.*CERT.*)$/;

const BROKEN = /^(ECONNRESET|EPIPE|ETIMEDOUT|ECONNABORTED)$/;

/** Errors about the credentials themselves, before any authorization. */
const BAD_CREDENTIALS = /Expired|UnrecognizedClient|InvalidClientToken|Signature/;

/** Whether a call received no response. */
export function isUnreached(thrown: unknown): boolean {
  const code = getErrorCode(thrown);
  return UNREACHABLE.test(code) || BROKEN.test(code) || getErrorName(thrown) === 'TimeoutError';
}

function isRefusal(thrown: unknown): boolean {
  return /AccessDenied|Unauthorized/.test(getErrorName(thrown)) || getHttpStatus(thrown) === 403;
}

function getErrorName(thrown: unknown): string {
  return thrown instanceof Error ? thrown.name : '';
}

function getErrorCode(thrown: unknown): string {
  return String((thrown as { readonly code?: unknown } | null)?.code ?? '');
}

function getHttpStatus(thrown: unknown): number | undefined {
  const { $metadata } = thrown as { readonly $metadata?: { readonly httpStatusCode?: number } };
  return $metadata?.httpStatusCode;
}
