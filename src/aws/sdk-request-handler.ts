import type { Agent } from 'node:http';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import type { SigningClock } from './aws-clock.ts';
import type { Timeouts } from './silence-clock.ts';

type Handle = NodeHttpHandler['handle'];

/**
 * Creates a request handler for SDK clients. It uses the given agent for both schemes.
 *
 * @param clock Receives the time from responses. Each SDK client corrects its own signatures
 * itself.
 */
export function createSdkRequestHandler(
  agent: Agent,
  timeouts: Timeouts,
  clock?: SigningClock,
): NodeHttpHandler {
  const handler = new NodeHttpHandler({
    httpAgent: agent,
    // The type requires an https.Agent, but any agent with HTTPS support works.
    httpsAgent: agent as never,
    connectionTimeout: timeouts.connect,
    requestTimeout: timeouts.read,
  });
  if (clock) {
    const handle: Handle = handler.handle.bind(handler);
    handler.handle = async (...request: Parameters<Handle>) => {
      const answer = await handle(...request);
      clock.learn(answer.response.headers.date);
      return answer;
    };
  }
  return handler;
}
