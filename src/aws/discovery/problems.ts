import { AgentCoreError, type ErrorCode, getErrorMessage } from '../../base/errors.ts';
import { findUnconfirmed } from '../../base/exec.ts';
import { findLogin } from '../credentials/errors.ts';
import { formatAdvice, parseDenial } from '../iam/access-denied.ts';
import {
  findNetworkError,
  getErrorName,
  isAccessDeniedError,
  isThrottlingError,
} from '../sdk-errors.ts';
import type { DiscoveryScope, Problem } from './model.ts';

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
    const sentence = `${what}: AWS rejected these credentials (${words})`;
    return { ...base, kind: 'credentials', sentence };
  }
  if (isAccessDeniedError(thrown))
    return { ...base, kind: 'denied', sentence: `${what}: ${words}` };
  if (isThrottlingError(thrown)) {
    return { ...base, kind: 'throttled', sentence: `${what}: AWS is throttling, try again later` };
  }
  if (findNetworkError(thrown) !== undefined) {
    return { ...base, kind: 'network', sentence: `${what}: AWS is unreachable (${words})` };
  }
  return { ...base, kind: 'failed', sentence: `${what}: ${words}` };
}

/** Errors about the credentials themselves, before any authorization. */
const BAD_CREDENTIALS = /Expired|UnrecognizedClient|InvalidClientToken|Signature/;
