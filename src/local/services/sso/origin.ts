import type { HttpExchange } from '../../answers/http-exchange.ts';

/** Where the local runtime serves, as links of its own answers name it. */
export function originOf({ request: { socket } }: HttpExchange): string {
  return `http://127.0.0.1:${socket.localPort}`;
}
