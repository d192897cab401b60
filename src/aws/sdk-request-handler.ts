import type { Agent } from 'node:http';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import type { AwsClock } from './aws-clock.ts';
import type { Timeouts } from './silence-clock.ts';

type Handle = NodeHttpHandler['handle'];

/**
 * What SDK clients send their requests with, on the agent that is given, for either scheme.
 *
 * @param clock Learns the time from the answers. For its own signatures each client does so itself.
 */
export function sdkRequestHandler(
  agent: Agent,
  timeouts: Timeouts,
  clock?: AwsClock,
): NodeHttpHandler {
  const handler = new NodeHttpHandler({
    httpAgent: agent,
    // Its type wants an https.Agent, but what counts is that the agent can do it.
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
