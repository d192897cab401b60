import type { HttpExchange } from '../answers/http-exchange.ts';
import type { LocalEvents } from '../events.ts';

/**
 * Records the reason for a denied request of an authenticated caller, and emits an event for the
 * log.
 */
export function recordDenial(
  { events }: { readonly events: LocalEvents },
  { record }: HttpExchange,
  reason: string,
): void {
  record.refusal = reason;
  events.emit(() => ({ type: 'access-denied', reason, request: record }));
}
