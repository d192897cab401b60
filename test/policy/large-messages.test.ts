import { PassThrough } from 'node:stream';
import { expect, onTestFinished, test, vi } from 'vitest';
import { runInSlices } from '../../src/base/async.ts';
import { MAX_LENGTH_AT_ONCE } from '../../src/base/json-parser.ts';
import {
  type JsonRpcRequest,
  type JsonRpcResponse,
  readIdAt,
  readMessages,
} from '../../src/mcp/message.ts';
import { Counters } from '../../src/policy/engine/counters.ts';
import { PolicyInterceptor } from '../../src/policy/policy-interceptor.ts';
import { RedactionInterceptor } from '../../src/policy/redaction/redaction-interceptor.ts';
import { applyInterceptors, createContext } from '../../src/relay/peer.ts';
import { ToolCatalog } from '../../src/relay/tool-catalog.ts';
import { MemoryCounterStore } from '../../src/state/counters.ts';
import { StdioConnection } from '../../src/transports/stdio.ts';
import { redactorOf } from './redaction/redaction-fixture.ts';
import { policyOf } from './written-policy.ts';

const ITEMS = 20_000;
const MEMBERS = Array.from({ length: ITEMS }, (_, at) => `"member ${at}":"value ${at}"`);
const OBJECT = `{${MEMBERS.join()},"to":"me@example.com"}`;

const SMALL = '{"jsonrpc":"2.0","id":1,"result":{"content":[]}}';

test.each<[string, string, string]>([
  ['arguments', `{"name":"tool","arguments":${OBJECT}}`, SMALL],
  [
    'a result',
    '{"name":"tool"}',
    `{"jsonrpc":"2.0","result":{"structuredContent":${OBJECT}},"id":1}`,
  ],
  [
    'a result with a key twice',
    '{"name":"tool"}',
    `{"jsonrpc":"2.0","id":1,"result":{"a":[${OBJECT}],"a":${OBJECT}}}`,
  ],
  [
    'an error',
    '{"name":"tool"}',
    `{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"","data":${OBJECT}}}`,
  ],
  [
    'a batch',
    '{"name":"tool"}',
    `[{"jsonrpc":"2.0","method":"notifications/a","params":${OBJECT}},${SMALL}]`,
  ],
])(
  'lets other work run while %s with 20,000 members is processed',
  async (_, params, answer) => {
    const { client, output } = await govern(answer);
    // Each clock reading takes longer than a slice may, so every possible pause occurs.
    let now = 0;
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => (now += 25));
    const parse = JSON.parse;
    let longest = 0;
    const parsing = vi.spyOn(JSON, 'parse').mockImplementation((text, reviver) => {
      longest = Math.max(longest, text.length);
      return parse(text, reviver);
    });
    onTestFinished(() => {
      clock.mockRestore();
      parsing.mockRestore();
    });
    let turns = 0;
    let isOver = false;
    const take = () => {
      turns += 1;
      if (!isOver) setImmediate(take);
    };
    setImmediate(take);
    client.write(`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":${params}}\n`);
    const line = await output;
    isOver = true;
    expect(line.includes('"id":7')).toBe(true);
    expect(line.includes('example')).toBe(false);
    // Once for parsing, and once for redaction.
    expect(turns).toBeGreaterThan((2 * OBJECT.length) / 8_192);
    expect(longest).toBeLessThan(MAX_LENGTH_AT_ONCE);
  },
  120_000,
);

/** A client with a policy and redaction, in front of a server with one answer. */
async function govern(answer: string) {
  const state = {
    policies: [policyOf('version: "1"\ntools: { tool: { rules: [] } }')],
    failure: undefined,
  };
  const policy = new PolicyInterceptor({
    current: () => state,
    counters: new Counters(new MemoryCounterStore(), Date.now),
    runtime: 'arn:runtime',
    catalogs: { tool: new ToolCatalog(), prompt: new ToolCatalog('prompts/list') },
    conversation: { id: 's', elicitation: { form: false, url: false } },
    caller: async () => 'arn:me',
  });
  const redactor = redactorOf({ mode: 'mask', directions: ['arguments', 'results'] });
  const redaction = new RedactionInterceptor(() => redactor);
  const server = applyInterceptors([policy, redaction], {
    request: async (request, { sender, signal }) => {
      let response: JsonRpcResponse | undefined;
      for (const message of await runInSlices(readMessages(Buffer.from(answer), 'server'))) {
        if (message.kind === 'response') response = message;
        if (message.kind === 'notification')
          await sender.notify(message, createContext('to-client', { sender, signal }));
      }
      expect(readIdAt(request as JsonRpcRequest, ['id'])?.key).toBe('7');
      return response as JsonRpcResponse;
    },
    notify: async () => undefined,
  });
  const [client, written] = [new PassThrough(), new PassThrough()];
  const connection = new StdioConnection({
    input: client,
    output: written,
    messageLimit: 100_000_000,
    openLimit: 10,
    otherSide: 'client',
    onOutputClosed: () => undefined,
    onDropped: () => undefined,
  });
  const served = connection.serve(server);
  const output = new Promise<string>((resolve) => {
    const chunks: string[] = [];
    written.setEncoding('utf8').on('data', (chunk: string) => {
      chunks.push(chunk);
      if (chunk.endsWith('\n') && chunks.join('').includes('"id":7')) resolve(chunks.join(''));
    });
  });
  onTestFinished(async () => {
    client.end();
    await served;
  });
  return { client, output };
}
