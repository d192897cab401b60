import type { HttpExchange } from '../../answers/http-exchange.ts';

/** The origin for links in responses of the local runtime. */
export function getOrigin({ request: { socket } }: HttpExchange): string {
  return `http://127.0.0.1:${socket.localPort}`;
}
