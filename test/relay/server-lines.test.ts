import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { expect, it } from 'vitest';
import {
  createRequest,
  createRequestId,
  type JsonRpcResponse,
  parseResult,
} from '../../src/mcp/message.ts';
import { createContext, type Peer, type RequestContext } from '../../src/relay/peer.ts';
import { StdioConnection } from '../../src/transports/stdio.ts';

const NOBODY: Peer = {
  request: () => Promise.reject(new Error('Nothing is asked')),
  notify: () => Promise.resolve(),
};

/** A connection with one open request to a server that prints lines of the test. */
async function startServer(): Promise<{
  readonly print: (line: string | Buffer) => void;
  readonly read: () => Promise<string>;
  readonly answer: Promise<JsonRpcResponse>;
  readonly dropped: string[];
  readonly call: RequestContext['call'];
}> {
  const input = new PassThrough();
  const output = new PassThrough();
  const dropped: string[] = [];
  const connection = new StdioConnection({
    input,
    output,
    messageLimit: 1_000,
    openLimit: 10,
    otherSide: 'server',
    onOutputClosed: () => undefined,
    onDropped: (what) => dropped.push(what),
  });
  void connection.serve(NOBODY);
  const context = createContext('to-server', { sender: NOBODY });
  const answer = connection.request(createRequest(createRequestId(9), 'tools/call'), context);
  answer.catch(() => undefined);
  const read = async () => String((await once(output, 'data'))[0]);
  expect(await read()).toContain('"id":1,');
  const print = (line: string | Buffer) => {
    input.write(line);
    input.write('\n');
  };
  return { print, read, answer, dropped, call: context.call };
}

it('continues when a server prints a line that is not a message', async () => {
  const { print, answer, dropped, call } = await startServer();
  print('{"type":"heartbeat","id":1}');
  print('{"jsonrpc":"2.0","method":"n","params":null}');
  print('{"jsonrpc":"2.0","id":null,"error":{"code":-1,"message":"odd"}}');
  print(Buffer.from('{"jsonrpc":"2.0","id":"1","result":{"a":1,"a":"caf\xe9"}}', 'latin1'));
  expect(parseResult(await answer)).toEqual({ a: 'caf\ufffd' });
  expect(dropped).toHaveLength(3);
  expect(dropped[2]).toContain('odd');
  expect(call).toMatchObject({ mayHaveRun: true });
});

it('answers a malformed request of a server with an error', async () => {
  const { print, read } = await startServer();
  const refusal = read();
  print('{"jsonrpc":"2.0","id":5,"method":"roots/list","params":null}');
  expect(JSON.parse(await refusal)).toMatchObject({ id: 5, error: { code: -32600 } });
});

it('fails a request whose answer is too large, instead of waiting forever', async () => {
  const { print, answer } = await startServer();
  print(`{"jsonrpc":"2.0","id":1,"result":{"text":"${'x'.repeat(2_000)}"}}`);
  await expect(answer).rejects.toThrow(/more than the 1000 that fit/);
});

it('fails a request whose answer is malformed', async () => {
  const { print, answer } = await startServer();
  print('{"id":1,"error":"quota exceeded"}');
  await expect(answer).rejects.toMatchObject({ code: 'protocol' });
});
