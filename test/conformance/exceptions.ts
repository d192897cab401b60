import type { Way } from './hostings.ts';
import { type Check, isMet, type Revision } from './suite.ts';

/** A check that cannot pass on a way, and the reason. It must fail, and only as described. */
interface Exception {
  readonly revision: Revision;
  readonly scenario: string;
  /** The id of the check, or a prefix of several ids. */
  readonly check: string;
  readonly ways: readonly Way[];
  /** Part of the error message of the check. Absent if the check is not made. */
  readonly says?: string;
  readonly reason: string;
}

const NATIVE: readonly Way[] = ['through the proxy, native and stateful'];
/** The ways on which the test server itself uses stdio. */
const STDIO_SERVER: readonly Way[] = [
  'asked directly on stdio',
  'through the proxy and the bridge',
];
/** The ways on which the client uses stdio. */
const OVER_STDIO: readonly Way[] = [...NATIVE, ...STDIO_SERVER];

const STATUS =
  'HTTP gives an error a status besides its code; stdio has the code alone, and that is the right one.';
const HEADERS =
  'The client has no headers over stdio; where there are some behind, the proxy makes them from the body, so they match.';
const ERA =
  'Over HTTP a header tells the era of a request; over stdio only its _meta does. One without is of the handshake era, where it lacks the handshake, or does not exist.';
const FIRST_VERSION =
  'A stdio server of the official SDK looks at the version of its first message, and then at none.';
const LISTENS =
  'It is about a server that listens for HTTP on the machine of its user: over stdio nobody does.';
const RESUMES =
  'It is about resuming an event stream by GET: stdio has no streams, and AgentCore no GET.';

const STATELESS = {
  revision: '2026-07-28',
  ways: OVER_STDIO,
  scenario: 'server-stateless',
} as const;
const HEADER_MATCH = {
  revision: '2026-07-28',
  ways: OVER_STDIO,
  scenario: 'http-header-validation',
  reason: HEADERS,
} as const;
const PARAM_MATCH = { ...HEADER_MATCH, scenario: 'http-custom-header-server-validation' } as const;
const POLLING = {
  revision: '2025-11-25',
  ways: OVER_STDIO,
  scenario: 'server-sse-polling',
  reason: RESUMES,
} as const;

const EXCEPTIONS: readonly Exception[] = [
  ...['missing-meta', 'missing-protocol-version'].flatMap((fault) => {
    const check = `sep-2575-request-meta-invalid-${fault}`;
    return [
      { ...STATELESS, ways: NATIVE, check, says: 'got -32000', reason: ERA },
      { ...STATELESS, ways: STDIO_SERVER, check, says: 'got -32601', reason: ERA },
    ];
  }),
  {
    ...STATELESS,
    ways: STDIO_SERVER,
    check: 'sep-2575-server-unsupported-version-error',
    says: 'does not correlate to active server metrics: undefined',
    reason: FIRST_VERSION,
  },
  {
    ...STATELESS,
    check: 'sep-2575-http-server-meta-invalid-400',
    says: 'got status code 200',
    reason: STATUS,
  },
  {
    ...STATELESS,
    check: 'sep-2575-http-server-unsupported-version-400',
    says: 'got status code 200',
    reason: STATUS,
  },
  {
    ...STATELESS,
    check: 'sep-2575-missing-capability-http-400',
    says: 'for an undeclared capability error response, got 200',
    reason: STATUS,
  },
  {
    ...STATELESS,
    check: 'sep-2575-http-server-method-not-found-404',
    says: 'got HTTP 200 and code -32601',
    reason: STATUS,
  },
  {
    ...STATELESS,
    ways: NATIVE,
    check: 'sep-2575-http-server-header-mismatch-400',
    says: 'got status 200 with code -32022',
    reason: HEADERS,
  },
  {
    ...STATELESS,
    ways: STDIO_SERVER,
    check: 'sep-2575-http-server-header-mismatch-400',
    says: 'got status 200 with code undefined',
    reason: FIRST_VERSION,
  },
  {
    ...HEADER_MATCH,
    check: 'sep-2243-server-reject-invalid-headers',
    says: 'Expected HTTP 400, got 200',
  },
  {
    ...HEADER_MATCH,
    check: 'sep-2243-server-reject-error-code',
    says: 'got (missing)',
  },
  {
    ...PARAM_MATCH,
    check: 'sep-2243-server-reject-invalid-param-chars',
    says: 'Expected HTTP 400, got 200',
  },
  {
    ...PARAM_MATCH,
    check: 'sep-2243-server-reject-param-mismatch',
    says: 'got (missing)',
  },
  {
    ...PARAM_MATCH,
    check: 'sep-2243-server-validate-param-match',
    says: 'Expected HTTP 400, got 200',
  },
  ...(['2025-11-25', '2026-07-28'] as const).map((revision) => ({
    revision,
    ways: OVER_STDIO,
    scenario: 'dns-rebinding-protection',
    check: 'localhost-host-rebinding-rejected',
    says: 'Expected HTTP 4xx for invalid Host/Origin headers, got 200',
    reason: LISTENS,
  })),
  { ...POLLING, check: 'server-sse-priming-event', says: 'did not send priming event' },
  { ...POLLING, check: 'server-sse-retry-field', says: 'did not send retry field' },
  { ...POLLING, check: 'server-sse-disconnect-resume' },
];

export function exceptionsFor(way: Way, revision: Revision, scenario: string): Exception[] {
  return EXCEPTIONS.filter(
    (exception) =>
      exception.ways.includes(way) &&
      exception.revision === revision &&
      exception.scenario === scenario,
  );
}

export function isAbout({ check }: Exception, { id }: Check): boolean {
  return id.startsWith(check);
}

/** Whether a check failed as the exception describes. */
export function excuses(exception: Exception, check: Check): boolean {
  const { says } = exception;
  if (!isAbout(exception, check) || says === undefined) return false;
  return !isMet(check) && (check.errorMessage ?? '').includes(says);
}

/** Whether the exception is no longer needed. */
export function isStale(exception: Exception, checks: readonly Check[]): boolean {
  if (exception.says !== undefined) return !checks.some((check) => excuses(exception, check));
  return checks.some((check) => isAbout(exception, check) && check.status === 'SUCCESS');
}
