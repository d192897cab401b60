import type { HttpExchange } from '../answers/http-exchange.ts';
import type { Platform } from '../platform.ts';

/** Keeps why a caller that is known may not do what it asks for, and tells the log. */
export function noteDenial(
  { events }: Pick<Platform, 'events'>,
  { record }: HttpExchange,
  reason: string,
): void {
  record.refusal = reason;
  events.emit(() => ({ type: 'access-denied', reason, request: record }));
}
