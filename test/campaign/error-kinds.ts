import type { Exchange } from './exchanges.ts';
import type { Line } from './proxy-client.ts';

/**
 * The meaning of an error for its call. `own`: the server's answer. `lasting`: another attempt
 * would fail as well. `busy`: the service refused it temporarily. `unsent`: it was never sent.
 * `unknown`: it may have run. `ended`: the proxy was ended. `lost`: its session is lost.
 */
export type ErrorKind = 'own' | 'lasting' | 'busy' | 'unsent' | 'unknown' | 'ended' | 'lost';

/** Error messages of the parts of a campaign. The first match decides. */
const TEXTS: readonly (readonly [RegExp, ErrorKind])[] = [
  [/program was ended|proxy has ended|other side has ended/, 'ended'],
  [/HTTP 40[1239]|ExpiredToken|no MCP message|security token .* expired/, 'lasting'],
  [/took effect is unknown|may still be running/, 'unknown'],
  [/^Invalid arguments for \w+$|^please retry$|^Quota is used up$/, 'own'],
  [/Resource conflict|Validation error|Resource not found - Requested|maxVms limit/, 'lasting'],
  [/Rate limit exceeded|Rate exceeded|operation in progress/, 'busy'],
  [/Runtime initialization time exceeded/, 'busy'],
  [/Tool execution error|Internal error - Server error|An internal error occurred/, 'unknown'],
  // The AWS SDK has sent it three times.
  [/^Could not get the caller identity from STS/, 'lasting'],
  // A handshake that ran out of time.
  [/aborted due to timeout/, 'unknown'],
];

/** Errors without a known text, by their HTTP status. */
const STATUSES: Readonly<Record<number, ErrorKind>> = {
  401: 'lasting',
  402: 'lasting',
  403: 'lasting',
  409: 'lasting',
  424: 'unknown',
  429: 'busy',
  500: 'unknown',
  502: 'unknown',
  503: 'unknown',
  504: 'unknown',
};

/** Classifies an error that a client received. */
export function kindOf({ message = '', data = {} }: NonNullable<Line['error']>): ErrorKind {
  const { status, name, outcome } = data;
  if (name === 'RetryableConflictException') return 'busy';
  const [, kind] = TEXTS.find(([text]) => text.test(message)) ?? [];
  if (kind) return kind;
  if (outcome === 'unknown') return 'unknown';
  if (outcome === 'not sent') return 'unsent';
  return STATUSES[Number(status)] ?? 'lost';
}

/** Classifies the end of one request; `undefined` if it succeeded. */
export function kindOfExchange(context: Exchange): ErrorKind | undefined {
  if (!context.isComplete) return 'unknown';
  if (context.hasResult) return undefined;
  const { message, name, status } = context;
  // An empty body.
  if (status === 200 && message === undefined) return 'unknown';
  return kindOf({ ...(message !== undefined && { message }), data: { name, status } });
}
