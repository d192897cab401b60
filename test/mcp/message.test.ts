import { describe, expect, it } from 'vitest';
import {
  idAt,
  type Message,
  type MessageFault,
  makeError,
  parseMessages,
  type Request,
  type Response,
  resultOf,
  withId,
  withTokenAt,
} from '../../src/mcp/message.ts';

function parse(text: string | Buffer): (Message | MessageFault)[] {
  return parseMessages(Buffer.from(text));
}

function parseOne(text: string | Buffer): Message | MessageFault {
  const [message, ...more] = parse(text);
  expect(more).toEqual([]);
  return message as Message;
}

function parseRequest(text: string): Request {
  const message = parseOne(text);
  expect(message.kind).toBe('request');
  return message as Request;
}

describe('telling messages apart', () => {
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
    '{"jsonrpc":"2.0","id":1,"method":"ping","params":null}',
    '{"jsonrpc":"2.0","id":{},"method":"ping"}',
    '{"jsonrpc":"2.0","id":true,"method":"ping"}',
    '{"jsonrpc":"2.0","id":null,"method":"ping"}',
    '[]',
  ])('refuses %s as an invalid request', (text) => {
    expect(parseOne(text)).toMatchObject({ kind: 'fault', code: -32600 });
  });

  it.each(['', '{', '{"a":1}}', '{"a":1,}', "{'a':1}", 'NaN', '\ufeff{}'])(
    'refuses %j as no JSON',
    (text) => {
      expect(parseOne(text)).toMatchObject({ kind: 'fault', code: -32700, id: undefined });
    },
  );

  it('refuses bytes that are not UTF-8', () => {
    const bytes = Buffer.from('{"jsonrpc":"2.0","method":"x\xff"}', 'latin1');
    expect(parseOne(bytes)).toMatchObject({ kind: 'fault', code: -32700 });
  });

  it('names the id of a request that is wrong in another way', () => {
    expect(parseOne('{"id":7,"method":"ping"}')).toMatchObject({ id: { token: '7' } });
    expect(parseOne('{"jsonrpc":"2.0","id":7,"method":"a","params":3}')).toMatchObject({
      id: { token: '7' },
    });
  });

  it('names no id where a response may be meant, whose id is not the sender’s', () => {
    expect(parseOne('{"jsonrpc":"2.0","id":7}')).toMatchObject({ kind: 'fault', id: undefined });
  });

  it('takes a batch apart, each message with its own bytes', () => {
    const messages = parse(
      '[ {"jsonrpc":"2.0","id":1,"method":"a"} , 5,{"jsonrpc":"2.0","method":"b"}]',
    );
    expect(messages.map(({ kind }) => kind)).toEqual(['request', 'fault', 'notification']);
    expect((messages[0] as Request).bytes.toString()).toBe('{"jsonrpc":"2.0","id":1,"method":"a"}');
  });
});

describe('members that only look like one', () => {
  it.each([
    '{"jsonrpc":"2.0","id":1,"method":"ping","Method":"tools/call"}',
    '{"jsonrpc":"2.0","id":1,"method":"ping","PARAMS":{}}',
    '{"jsonrpc":"2.0","id":1,"method":"ping","paramſ":{}}',
    '{"jsonrpc":"2.0","id":1,"result":{},"ｍethod":"tools/call"}',
    '{"jsonrpc":"2.0","Id":2,"id":1,"result":{}}',
  ])('are refused, for some readers take the last of them: %s', (text) => {
    const [fault] = parseMessages(Buffer.from(text));
    expect(fault).toMatchObject({ kind: 'fault', code: -32600 });
    expect((fault as MessageFault).reason).toContain('take for another member');
  });

  it('are others where they are no such', () => {
    const [message] = parseMessages(
      Buffer.from('{"jsonrpc":"2.0","id":1,"method":"x","methods":1}'),
    );
    expect(message).toMatchObject({ kind: 'request' });
  });
});

describe('objects with a key twice', () => {
  it.each([
    '{"jsonrpc":"2.0","id":1,"method":"a","method":"b"}',
    '{"jsonrpc":"2.0","id":1,"method":"a","params":{"x":{"y":1,"z":[{"y":1},2],"y":2}}}',
    '{"jsonrpc":"2.0","id":1,"method":"a","params":{"name":"x","n\\u0061me":"y"}}',
    '{"jsonrpc":"2.0","id":1,"method":"a","params":{"":1,"":2}}',
    '[{"jsonrpc":"2.0","id":1,"method":"a"},{"jsonrpc":"2.0","id":2,"id":3,"method":"a"}]',
  ])('are refused: %s', (text) => {
    const [fault] = parse(text);
    expect(fault).toMatchObject({ kind: 'fault', code: -32600 });
    expect((fault as MessageFault).reason).toContain('twice');
  });

  it.each([
    '{"jsonrpc":"2.0","id":1,"method":"a","params":{"a":{"k":1},"b":{"k":1},"k":["k","k"]}}',
    '{"jsonrpc":"2.0","id":1,"method":"method","params":{"method":"id","id":"id"}}',
    '{"jsonrpc":"2.0","id":1,"method":"a","params":{"text":"\\"a\\":1,\\"a\\":2"}}',
    '{"jsonrpc":"2.0","id":1,"method":"a","params":{"a\\\\":1,"a\\"":2,"a":"\\\\"}}',
    '{"jsonrpc":"2.0","id":1,"method":"a","params":{"__proto__":1,"constructor":2}}',
    '{"jsonrpc":"2.0","id":1,"method":"a","params":{"é":1,"e":2,"É":3}}',
  ])('are not seen where there are none: %s', (text) => {
    expect(parseOne(text).kind).toBe('request');
  });
});

describe('bytes that nobody changes', () => {
  const text =
    '{ "params": {"big":12345678901234567890, "f":1.0, "s":"\\u00e9\u2028é"}, "id" : 7 ,"x":[1,{"id":9}],"method":"a","jsonrpc":"2.0"}';

  it('stay as they came when the id is replaced', () => {
    const request = parseRequest(text);
    const moved = withId(request, { token: '"other"', key: '"other"' });
    expect(moved.bytes.toString()).toBe(text.replace('"id" : 7', '"id" : "other"'));
    expect(withId(moved, request.id).bytes.toString()).toBe(text);
  });

  it('stay as they came when a nested value is replaced', () => {
    const request = parseRequest(text);
    const changed = withTokenAt(request, ['params', 'big'], '1');
    expect(changed.bytes.toString()).toBe(text.replace('12345678901234567890', '1'));
    expect(changed.params).toMatchObject({ big: 1 });
    expect(withTokenAt(request, ['params', 'nothing'], '1')).toBe(request);
  });

  it.each(['0', '-1', '"0"', '""', '"\\u0061"', '12345678901234567890', '1.0', '1e2', '"é\\n"'])(
    'an id %s comes back as it was written',
    (token) => {
      const request = parseRequest(`{"jsonrpc":"2.0","id":${token},"method":"a"}`);
      const answer = makeError(request.id, { code: 1, message: 'x' });
      expect(answer.bytes.toString()).toContain(`"id":${token},`);
    },
  );

  it('gives an error without an id the one of its request', () => {
    for (const text of [
      '{"jsonrpc":"2.0","error":{"code":1,"message":"x"}}',
      '{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"x"}}',
    ]) {
      const answer = withId(parseOne(text) as Response, { token: '5', key: '5' });
      expect(JSON.parse(answer.bytes.toString())).toEqual({
        jsonrpc: '2.0',
        id: 5,
        error: { code: 1, message: 'x' },
      });
    }
  });

  it('go onto one line, whatever stood between the tokens', () => {
    const pretty = JSON.stringify({ jsonrpc: '2.0', id: 1, result: { a: ['\n'] } }, null, 2);
    const response = parseOne(pretty.replaceAll('\n', '\r\n')) as Response;
    expect(response.bytes.toString()).not.toMatch(/[\r\n]/);
    expect(resultOf(response)).toEqual({ a: ['\n'] });
  });
});

describe('ids', () => {
  it('are equal however they are written', () => {
    const cancel = (token: string) =>
      idAt(parseOne(`{"jsonrpc":"2.0","method":"n","params":{"requestId":${token}}}`) as Message, [
        'params',
        'requestId',
      ])?.key;
    expect(cancel('"\\u0061"')).toBe(
      parseRequest('{"jsonrpc":"2.0","id":"a","method":"x"}').id.key,
    );
    expect(cancel('1e1')).toBe(parseRequest('{"jsonrpc":"2.0","id":10,"method":"x"}').id.key);
    expect(cancel('"1"')).not.toBe(cancel('1'));
    expect(cancel('12345678901234567890')).not.toBe(cancel('12345678901234567891'));
    expect(cancel('null')).toBeUndefined();
  });
});
