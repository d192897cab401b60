import { findUnconfirmed, type WorkspaceCommand } from '../../confirmed-commands.ts';
import { AgentCoreError, type ErrorCode, messageOf } from '../../error.ts';
import { loginOf } from '../credentials/credentials-failure.ts';
import { type AccessDenial, adviceOn, parseDenial } from '../iam/access-denied.ts';
import type { Place } from './place.ts';

/** Something that could not be found out. What could is shown all the same. */
export interface Problem {
  readonly place: Partial<Place>;
  readonly kind:
    | 'no-region'
    | 'credentials'
    | 'denied'
    | 'throttled'
    /** It could not be reached. */
    | 'network'
    /** It took longer than allowed, so that something is missing. */
    | 'bound'
    | 'failed';
  /** Such as `ListAgentRuntimes`; absent where no API was called. */
  readonly api: string | undefined;
  /** The name of the runtime or gateway that it is about, where it is about one. */
  readonly subject: string | undefined;
  readonly sentence: string;
  /** For `denied`, where AWS's sentence could be read: see `missingStatements`. */
  readonly denial?: AccessDenial | undefined;
  /** The profile that a new login would help, for `credentials`. */
  readonly login?: string | undefined;
  /** The command of the workspace that a person has to confirm, for `credentials`. */
  readonly unconfirmed?: WorkspaceCommand | undefined;
}

/** By the code of what has its own sentence already. */
const KINDS: Readonly<Partial<Record<ErrorCode, Problem['kind']>>> = {
  credentials: 'credentials',
  connection: 'network',
};

/** What is missing where an API cannot be asked. */
const MISSING: Readonly<Record<string, string>> = {
  ListAgentRuntimes: 'list runtimes',
  GetAgentRuntime: 'read protocol and authorizer',
  ListAgentRuntimeEndpoints: 'list endpoints',
  ListAgentRuntimeVersions: 'list versions',
  ListGateways: 'list gateways',
  GetGateway: 'read the URL',
};

/** Puts what a call threw into words. */
export function problemOf(
  thrown: unknown,
  place: Place,
  api: string,
  subject: string | undefined,
): Problem {
  const what = `Could not ${MISSING[api] ?? `call ${api}`}${subject ? ` of ${subject}` : ''}`;
  const base = { place, api, subject };
  const words = messageOf(thrown) || nameOf(thrown);
  const denial = parseDenial(words);
  if (denial) {
    const sentence = `${what}: ${denial.action} is not allowed; ${adviceOn(denial)}`;
    return { ...base, kind: 'denied', sentence, denial };
  }
  if (thrown instanceof AgentCoreError) {
    const kind = KINDS[thrown.code] ?? 'failed';
    const unconfirmed = findUnconfirmed(thrown);
    return {
      ...base,
      kind,
      sentence: words,
      login: loginOf(thrown),
      ...(unconfirmed && { unconfirmed }),
    };
  }
  if (BAD_CREDENTIALS.test(nameOf(thrown))) {
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
  return /Throttl|TooManyRequests|SlowDown/.test(nameOf(thrown)) || statusOf(thrown) === 429;
}

/** A failure that a second try may not meet. All that discovery calls only reads. */
export function isPassing(thrown: unknown): boolean {
  const status = statusOf(thrown) ?? 0;
  return status >= 500 || (isUnreached(thrown) && !UNREACHABLE.test(codeOf(thrown)));
}

const UNREACHABLE =
  /^(ENOTFOUND|ECONNREFUSED|EAI_AGAIN|ENETUNREACH|EHOSTUNREACH|ERR_SSL_.*|UNABLE_TO_.*|.*CERT.*)$/;
const BROKEN = /^(ECONNRESET|EPIPE|ETIMEDOUT|ECONNABORTED)$/;
/** Of the front door, about the credentials themselves. */
const BAD_CREDENTIALS = /Expired|UnrecognizedClient|InvalidClientToken|Signature/;

/** Whether a call got no answer. */
export function isUnreached(thrown: unknown): boolean {
  const code = codeOf(thrown);
  return UNREACHABLE.test(code) || BROKEN.test(code) || nameOf(thrown) === 'TimeoutError';
}

function isRefusal(thrown: unknown): boolean {
  return /AccessDenied|Unauthorized/.test(nameOf(thrown)) || statusOf(thrown) === 403;
}

function nameOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.name : '';
}

function codeOf(thrown: unknown): string {
  return String((thrown as { readonly code?: unknown } | null)?.code ?? '');
}

function statusOf(thrown: unknown): number | undefined {
  const { $metadata } = thrown as { readonly $metadata?: { readonly httpStatusCode?: number } };
  return $metadata?.httpStatusCode;
}
