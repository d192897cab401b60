import type { Agent } from 'node:http';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import type { Timeouts } from './silence-clock.ts';

/** What SDK clients send their requests with, on the agent that is given, for either scheme. */
export function sdkRequestHandler(agent: Agent, timeouts: Timeouts): NodeHttpHandler {
  return new NodeHttpHandler({
    httpAgent: agent,
    // Its type wants an https.Agent, but what counts is that the agent can do it.
    httpsAgent: agent as never,
    connectionTimeout: timeouts.connect,
    requestTimeout: timeouts.read,
  });
}
