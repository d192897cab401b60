import type { HttpExchange } from '../answers/http-exchange.ts';
import type { PlatformError } from '../answers/platform-error.ts';

/** Reported by users: what a runtime answers to a request that is authorized in the other way. */
const MISMATCH =
  "Authorization method mismatch. The agent is configured for a different authorization method than what was used in your request. Check the agent's authorization configuration and ensure your request uses the matching method (OAuth or SigV4)";

type Method = 'sigv4' | 'bearer';

/** How a request says who it is of; `undefined` where it does not. */
export function methodOf(exchange: HttpExchange): Method | undefined {
  const authorization = exchange.header('authorization') ?? '';
  if (/^bearer /i.test(authorization)) return 'bearer';
  return authorization.startsWith('AWS4-HMAC-SHA256') ? 'sigv4' : undefined;
}

/** The refusal of a request that is authorized by another method than these. */
export function methodMismatch(
  exchange: HttpExchange,
  accepted: readonly Method[],
): PlatformError | undefined {
  const used = methodOf(exchange);
  if (used === undefined || accepted.includes(used)) return undefined;
  return { kind: 'access-denied', message: MISMATCH };
}
