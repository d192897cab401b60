import { describe, expect, it } from 'vitest';
import {
  createErrorResponse,
  getUntypedId,
  type InvalidMessage,
  type JsonRpcMessage,
  type JsonRpcRequest,
  type JsonRpcResponse,
  parseMessages,
  parseResult,
  readIdAt,
  replaceValueAt,
  type Sender,
  withId,
} from '../../src/mcp/message.ts';

function parse(
  text: string | Buffer,
  sender: Sender = 'client',
): (JsonRpcMessage | InvalidMessage)[] {
  return parseMessages(Buffer.from(text), sender);
}

function parseOne(text: string | Buffer, sender?: Sender): JsonRpcMessage | InvalidMessage {
  const [message, ...more] = parse(text, sender);
  expect(more).toEqual([]);
  return message as JsonRpcMessage;
}

function parseRequest(text: string): JsonRpcRequest {
  const message = parseOne(text);
  expect(message.kind).toBe('request');
  return message as JsonRpcRequest;
}

describe('classifying messages', () => {
  it.each([
    ['request', '{"jsonrpc":"2.0","id":1,"method":"ping"}'],
    ['request', '{"jsonrpc":"2.0","id":0,"method":"ping","params":{}}'],
    ['notification', '{"jsonrpc":"2.0","method":"notifications/initialized"}'],
    ['response', '{"jsonrpc":"2.0","id":"a","result":{}}'],
    ['response', '{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"no"}}'],
    ['response', '{"jsonrpc":"2.0","id":null,"error":{"code":-1,"message":"no"}}'],
    ['response', '{"jsonrpc":"2.0","error":{"code":-1,"message":"no"}}'],
  ])('%s: %s', (kind, text) => {
    expect(parseOne(text).kind).toBe(kind);
  });

  it.each([
    '42',
    'null',
    '"text"',
    'true',
    '{}',
    '{"jsonrpc":"2.0","id":1}',
    '{"jsonrpc":"2.0","id":1,"result":1,"error":{}}',
    '{"jsonrpc":"2.0","id":1,"error":"text"}',
    '{"jsonrpc":"2.0","result":{}}',
    '{"jsonrpc":"2.0","id":null,"result":{}}',
    '{"id":1,"method":"ping"}',
    '{"jsonrpc":"1.0","id":1,"method":"ping"}',
    '{"jsonrpc":"2.0","id":1,"method":5}',
    '{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}',
    '{"jsonrpc":"2.0","id":1,"method":"ping","params":[1]}',
    '{"jsonrpc":"2.0","id":{},"method":"ping"}',
    '{"jsonrpc":"2.0","id":true,"method":"ping"}',
    '{"jsonrpc":"2.0","id":null,"method":"ping"}',
    '[]',
  ])('rejects %s as an invalid request', (text) => {
    expect(parseOne(text)).toMatchObject({ kind: 'fault', code: -32600 });
  });

  it.each(['', '{', '{"a":1}}', '{"a":1,}', "{'a':1}", 'NaN', '\ufeff\ufeff{}'])(
    'rejects %j as invalid JSON',
    (text) => {
      expect(parseOne(text)).toMatchObject({ kind: 'fault', code: -32700, id: undefined });
    },
  );

  it('rejects bytes that are not UTF-8', () => {
    const bytes = Buffer.from('{"jsonrpc":"2.0","method":"x\xff"}', 'latin1');
    expect(parseOne(bytes)).toMatchObject({ kind: 'fault', code: -32700 });
  });

  it('returns the id of a request that is invalid in another way', () => {
    expect(parseOne('{"id":7,"method":"ping"}')).toMatchObject({ id: { token: '7' } });
    expect(parseOne('{"jsonrpc":"2.0","id":7,"method":"a","params":3}')).toMatchObject({
      id: { token: '7' },
    });
  });

  it('returns no id if the message may be a response, whose id belongs to the other side', () => {
    expect(parseOne('{"jsonrpc":"2.0","id":7}')).toMatchObject({ kind: 'fault', id: undefined });
  });

  it('splits a batch, and each message keeps its own bytes', () => {
    const messages = parse(
      '[ {"jsonrpc":"2.0","id":1,"method":"a"} , 5,{"jsonrpc":"2.0","method":"b"}]',
    );
    expect(messages.map(({ kind }) => kind)).toEqual(['request', 'fault', 'notification']);
    expect((messages[0] as JsonRpcRequest).bytes.toString()).toBe(
      '{"jsonrpc":"2.0","id":1,"method":"a"}',
    );
  });
});

describe('members with similar names', () => {
  it.each([
    '{"jsonrpc":"2.0","id":1,"method":"ping","Method":"tools/call"}',
    '{"jsonrpc":"2.0","id":1,"method":"ping","PARAMS":{}}',
    '{"jsonrpc":"2.0","id":1,"method":"ping","paramſ":{}}',
    '{"jsonrpc":"2.0","id":1,"result":{},"ｍethod":"tools/call"}',
    '{"jsonrpc":"2.0","Id":2,"id":1,"result":{}}',
  ])('are rejected, because some parsers use the last of them: %s', (text) => {
    const [fault] = parse(text);
    expect(fault).toMatchObject({ kind: 'fault', code: -32600 });
    expect((fault as InvalidMessage).reason).toContain('take for another member');
  });

  it('are accepted as different if they are not confusable', () => {
    const message = parseOne('{"jsonrpc":"2.0","id":1,"method":"x","methods":1}');
    expect(message).toMatchObject({ kind: 'request' });
  });
});

describe('duplicate keys in an object', () => {
  it.each([
    '{"jsonrpc":"2.0","id":1,"method":"a","method":"b"}',
    '{"jsonrpc":"2.0","id":1,"method":"a","params":{"x":{"y":1,"z":[{"y":1},2],"y":2}}}',
    '{"jsonrpc":"2.0","id":1,"method":"a","params":{"name":"x","n\\u0061me":"y"}}',
    '{"jsonrpc":"2.0","id":1,"method":"a","params":{"":1,"":2}}',
    '{"jsonrpc":"2.0","id":1,"method":"a","params":null,"params":{}}',
    '{"jsonrpc":"2.0","id":1,"method":"a","params":{},"params":null}',
    '{"jsonrpc":"2.0","id":1,"result":{"x":1,"x":2}}',
  ])('are rejected from a client: %s', (text) => {
    const fault = parseOne(text);
    expect(fault).toMatchObject({ kind: 'fault', code: -32600 });
    expect((fault as InvalidMessage).reason).toContain('twice');
  });

  it('affect one message of a batch', () => {
    const messages = parse(
      '[{"jsonrpc":"2.0","id":1,"method":"a"},{"jsonrpc":"2.0","id":2,"id":3,"method":"a"}]',
    );
    expect(messages.map(({ kind }) => kind)).toEqual(['request', 'fault']);
  });

  it('are reported with the request’s id, unless the id is ambiguous', () => {
    const text = '{"jsonrpc":"2.0","id":1,"method":"a","params":{"x":1,"x":2}}';
    expect(parseOne(text)).toMatchObject({ id: { token: '1' } });
    expect(parseOne(`{"id":0,${text.slice(1)}`)).toMatchObject({ id: undefined });
  });

  it.each([
    ['{"a":1,"a":2}', '{"a":2}'],
    ['{"a":1, "\\u0061" : 2 }', '{"\\u0061" : 2 }'],
    [
      '{"a":1,"b":2,"a":3,"b":4,"c":12345678901234567890}',
      '{"a":3,"b":4,"c":12345678901234567890}',
    ],
    ['{"a":{"b":1,"b":2,"c":3},"a":{"b":4,"b":5}}', '{"a":{"b":5}}'],
    ['[{"x":"\\"","x":"}"},{"x":[{"y":1,"y":2}]}]', '[{"x":"}"},{"x":[{"y":2}]}]'],
    ['{"a":1,"b":0,"a":2,"c":0,"a":3}', '{"b":0,"c":0,"a":3}'],
  ])('are reduced to the last one in a result, and nothing else changes: %s', (given, right) => {
    const response = parseOne(
      `{"jsonrpc":"2.0","id":1,"result":${given}}`,
      'server',
    ) as JsonRpcResponse;
    expect(response.bytes.toString()).toBe(`{"jsonrpc":"2.0","id":1,"result":${right}}`);
    expect(parseResult(response)).toEqual(JSON.parse(given));
  });

  it.each([
    '{"jsonrpc":"2.0","id":1,"id":2,"result":{}}',
    '{"jsonrpc":"2.0","id":1,"result":{},"result":{}}',
    '{"jsonrpc":"2.0","id":1,"method":"sampling/createMessage","params":{"x":1,"x":2}}',
    '{"jsonrpc":"2.0","method":"a","method":"b"}',
  ])('are also rejected from a server, in a request or at the top level: %s', (text) => {
    expect(parseOne(text, 'server')).toMatchObject({ kind: 'fault', code: -32600 });
  });

  it.each([
    '{"jsonrpc":"2.0","id":1,"method":"a","params":{"a":{"k":1},"b":{"k":1},"k":["k","k"]}}',
    '{"jsonrpc":"2.0","id":1,"method":"method","params":{"method":"id","id":"id"}}',
    '{"jsonrpc":"2.0","id":1,"method":"a","params":{"text":"\\"a\\":1,\\"a\\":2"}}',
    '{"jsonrpc":"2.0","id":1,"method":"a","params":{"a\\\\":1,"a\\"":2,"a":"\\\\"}}',
    '{"jsonrpc":"2.0","id":1,"method":"a","params":{"__proto__":1,"constructor":2}}',
    '{"jsonrpc":"2.0","id":1,"method":"a","params":{"é":1,"e":2,"É":3}}',
  ])('are not reported if there are none: %s', (text) => {
    expect(parseOne(text).kind).toBe('request');
  });
});

describe('normalizing messages', () => {
  const NULL = '{"jsonrpc":"2.0","id":1,"method":"tools/list","params":null}';

  it.each<Sender>(['client', 'server'])('removes the byte order mark of a %s', (sender) => {
    const message = parseOne(
      '\ufeff{"jsonrpc":"2.0","id":1,"result":{}}',
      sender,
    ) as JsonRpcResponse;
    expect(message.bytes.toString()).toBe('{"jsonrpc":"2.0","id":1,"result":{}}');
  });

  it.each([
    [NULL, '{"jsonrpc":"2.0","id":1,"method":"tools/list"}'],
    ['{"params" : null , "jsonrpc":"2.0","method":"a"}', '{ "jsonrpc":"2.0","method":"a"}'],
    ['{"jsonrpc":"2.0", "params":null, "method":"a"}', '{"jsonrpc":"2.0",  "method":"a"}'],
  ])('removes null params of a client: %s', (given, right) => {
    const message = parseOne(given) as JsonRpcRequest;
    expect(message.params).toBeUndefined();
    expect(message.bytes.toString()).toBe(right);
  });

  it('rejects null params of a server, because they are ambiguous', () => {
    expect(parseOne(NULL, 'server')).toMatchObject({ kind: 'fault', id: { token: '1' } });
  });

  it('replaces invalid UTF-8 in the answer of a server with U+FFFD', () => {
    const bytes = Buffer.from('{"jsonrpc":"2.0","id":1,"result":{"t":"caf\xe9"}}', 'latin1');
    const response = parseOne(bytes, 'server') as JsonRpcResponse;
    expect(response.bytes.toString()).toBe('{"jsonrpc":"2.0","id":1,"result":{"t":"caf\ufffd"}}');
  });
});

describe('unchanged bytes', () => {
  const text =
    '{ "params": {"big":12345678901234567890, "f":1.0, "s":"\\u00e9\u2028é", "o":{}}, "id" : 7 ,"x":[1,{"id":9}],"method":"a","jsonrpc":"2.0"}';

  it('are kept when the id is replaced', () => {
    const request = parseRequest(text);
    const moved = withId(request, { token: '"other"', key: '"other"' });
    expect(moved.bytes.toString()).toBe(text.replace('"id" : 7', '"id" : "other"'));
    expect(withId(moved, request.id).bytes.toString()).toBe(text);
  });

  it('are kept when a nested value is replaced', () => {
    const request = parseRequest(text);
    const changed = replaceValueAt(request, ['params', 'big'], '1');
    expect(changed.bytes.toString()).toBe(text.replace('12345678901234567890', '1'));
    expect(changed.params).toMatchObject({ big: 1 });
    expect(replaceValueAt(request, ['params', 'nothing'], '1')).toBe(request);
    // Other members may be large, so they are neither parsed again nor copied.
    expect(changed.params?.o).toBe(request.params?.o);
  });

  it.each(['0', '-1', '"0"', '""', '"\\u0061"', '12345678901234567890', '1.0', '1e2', '"é\\n"'])(
    'return an id %s as it was written',
    (token) => {
      const request = parseRequest(`{"jsonrpc":"2.0","id":${token},"method":"a"}`);
      const answer = createErrorResponse(request.id, { code: 1, message: 'x' });
      expect(answer.bytes.toString()).toContain(`"id":${token},`);
    },
  );

  it('give an error without an id the id of its request', () => {
    for (const text of [
      '{"jsonrpc":"2.0","error":{"code":1,"message":"x"}}',
      '{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"x"}}',
    ]) {
      const answer = withId(parseOne(text) as JsonRpcResponse, { token: '5', key: '5' });
      expect(JSON.parse(answer.bytes.toString())).toEqual({
        jsonrpc: '2.0',
        id: 5,
        error: { code: 1, message: 'x' },
      });
    }
  });

  it('fit on one line, whatever whitespace was between the tokens', () => {
    const pretty = JSON.stringify({ jsonrpc: '2.0', id: 1, result: { a: ['\n'] } }, null, 2);
    const response = parseOne(pretty.replaceAll('\n', '\r\n')) as JsonRpcResponse;
    expect(response.bytes.toString()).not.toMatch(/[\r\n]/);
    expect(parseResult(response)).toEqual({ a: ['\n'] });
  });
});

describe('ids', () => {
  it('are equal regardless of their spelling', () => {
    const cancel = (token: string) =>
      readIdAt(
        parseOne(
          `{"jsonrpc":"2.0","method":"n","params":{"requestId":${token}}}`,
        ) as JsonRpcMessage,
        ['params', 'requestId'],
      )?.key;
    expect(cancel('"\\u0061"')).toBe(
      parseRequest('{"jsonrpc":"2.0","id":"a","method":"x"}').id.key,
    );
    expect(cancel('1e1')).toBe(parseRequest('{"jsonrpc":"2.0","id":10,"method":"x"}').id.key);
    expect(cancel('"1"')).not.toBe(cancel('1'));
    expect(cancel('12345678901234567890')).not.toBe(cancel('12345678901234567891'));
    expect(cancel('null')).toBeUndefined();
  });

  it('can be compared without their type', () => {
    const ids = ['2', '"2"', '2.0', '"\\u0032"', '"2.0"', '3'].map(
      (token) => parseRequest(`{"jsonrpc":"2.0","id":${token},"method":"x"}`).id,
    );
    expect(ids.map(getUntypedId)).toEqual(['2', '2', '2', '2', '2.0', '3']);
  });
});
