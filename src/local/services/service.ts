import type { HttpExchange } from '../answers/http-exchange.ts';

/** An AWS service on the local port. */
export interface AwsService {
  /** Whether the request is this service's; the first one that claims it gets it. */
  claims(exchange: HttpExchange): boolean;
  /** Answers it. Whatever it throws is a fault of the local runtime itself. */
  handle(exchange: HttpExchange): Promise<void>;
}
