/**
 * The smallest relay between stdio and AgentCore: it reads lines, signs, posts and writes lines.
 * No relay in Node can do less, so our figures are compared with it. It parses no message, repeats
 * nothing, and records nothing.
 */
import type { IncomingMessage } from 'node:http';
import { createSigV4Signer } from '../src/aws/sigv4.ts';
import { protocolVersion } from './mcp-caller.ts';

// An import of `node:http` loads a second HTTP client, which a minimal program would not do.
const { Agent, request } = process.getBuiltinModule('node:http');
const { randomUUID } = process.getBuiltinModule('node:crypto');

const { env, stdin, stdout } = process;
const { AGENTCORE_AGENT_ARN: arn = '', AWS_ENDPOINT_URL: endpoint, AWS_REGION: region = '' } = env;
const url = new URL(`/runtimes/${encodeURIComponent(arn)}/invocations`, endpoint);
const { protocol, host, hostname, port, pathname: path } = url;
const target = { protocol, host, hostname, port, path, query: {}, search: '' };
const { AWS_ACCESS_KEY_ID: accessKeyId = '', AWS_SECRET_ACCESS_KEY: secretAccessKey = '' } = env;
const sign = createSigV4Signer(
  async () => ({ accessKeyId, secretAccessKey }),
  region,
  'bedrock-agentcore',
);

// Without a limit, a burst opens a thousand connections and takes half as long again.
const agent = new Agent({ keepAlive: true, maxSockets: 64 });
const headers: Record<string, string> = {
  'content-type': 'application/json',
  accept: 'application/json, text/event-stream',
  'mcp-protocol-version': protocolVersion,
  'x-amzn-bedrock-agentcore-runtime-session-id': randomUUID(),
};

async function post(body: Buffer): Promise<void> {
  const signed = await sign({ target, headers, body });
  request({ agent, method: 'POST', hostname, port, path, headers: signed })
    .on('response', answer)
    .end(body);
}

function answer(response: IncomingMessage): void {
  const session = response.headers['mcp-session-id'];
  if (typeof session === 'string') headers['mcp-session-id'] = session;
  if (response.headers['content-type']?.startsWith('text/event-stream')) {
    stream(response);
    return;
  }
  const chunks: Buffer[] = [];
  response.on('data', (chunk: Buffer) => chunks.push(chunk));
  response.on('end', () => {
    // A notification has an empty answer.
    if (chunks.length > 0) stdout.write(Buffer.concat([...chunks, Buffer.from('\n')]));
  });
}

/** The container of the benchmark writes one `data:` line in each event. */
function stream(response: IncomingMessage): void {
  let rest = '';
  response.setEncoding('utf8');
  response.on('data', (text: string) => {
    const events = (rest + text).split('\n\n');
    rest = events.pop() ?? '';
    for (const event of events) stdout.write(`${event.slice(event.indexOf('data: ') + 6)}\n`);
  });
}

let partial: Buffer[] = [];
stdin.on('data', (chunk: Buffer) => {
  let start = 0;
  for (let end = chunk.indexOf('\n'); end >= 0; end = chunk.indexOf('\n', start)) {
    partial.push(chunk.subarray(start, end));
    void post(Buffer.concat(partial));
    partial = [];
    start = end + 1;
  }
  if (start < chunk.length) partial.push(chunk.subarray(start));
});
stdin.on('end', () => process.exit());
