import type { HttpExchange } from '../answers/http-exchange.ts';

/** A service on the local port: AWS APIs, gateways, the OAuth server and sign-in pages. */
export interface AwsService {
  /** Whether this service handles the request. The first service to return true gets it. */
  claims(exchange: HttpExchange): boolean;
  /** Sends the response. An exception counts as an internal error of the local runtime. */
  handle(exchange: HttpExchange): Promise<void>;
}
