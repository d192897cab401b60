import type { HttpExchange } from '../answers/http-exchange.ts';
import type { PlatformError } from '../answers/platform-error.ts';

/** AgentCore's message for a request with the other authorization method. Source: user reports. */
const MISMATCH =
  "Authorization method mismatch. The agent is configured for a different authorization method than what was used in your request. Check the agent's authorization configuration and ensure your request uses the matching method (OAuth or SigV4)";

type Method = 'sigv4' | 'bearer';

/** The authorization method of a request; `undefined` if it has none. */
export function getAuthorizationMethod(exchange: HttpExchange): Method | undefined {
  const authorization = exchange.header('authorization') ?? '';
  if (/^bearer /i.test(authorization)) return 'bearer';
  return authorization.startsWith('AWS4-HMAC-SHA256') ? 'sigv4' : undefined;
}

/** Returns an error if the request uses a method outside `accepted`. */
export function checkMethod(
  exchange: HttpExchange,
  accepted: readonly Method[],
): PlatformError | undefined {
  const used = getAuthorizationMethod(exchange);
  if (used === undefined || accepted.includes(used)) return undefined;
  return { kind: 'access-denied', message: MISMATCH };
}
