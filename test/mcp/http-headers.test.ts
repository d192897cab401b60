import { describe, expect, it } from 'vitest';
import {
  createParamHeaders,
  createStandardHeaders,
  parseParamHeaders,
} from '../../src/mcp/http-headers.ts';
import { createRequest, createRequestId, type JsonObject } from '../../src/mcp/message.ts';

const META = { 'io.modelcontextprotocol/protocolVersion': '2026-07-28' };

function call(params: JsonObject) {
  return createRequest(createRequestId(1), 'tools/call', { ...params, _meta: META });
}

describe('the standard headers of the stateless era', () => {
  it.each([
    ['tools/call', { name: 'add' }, 'add'],
    ['prompts/get', { name: 'hello' }, 'hello'],
    ['resources/read', { uri: 'file:///a b' }, 'file:///a b'],
    ['tasks/get', { taskId: 't-1' }, 't-1'],
    ['tools/call', { name: 'añadir' }, '=?base64?YcOxYWRpcg==?='],
    ['tools/call', { name: ' padded ' }, '=?base64?IHBhZGRlZCA=?='],
    ['tools/call', { name: '=?base64?eA==?=' }, '=?base64?PT9iYXNlNjQ/ZUE9PT89?='],
    ['tools/call', { name: '' }, '=?base64??='],
  ])('of %s %o contain %s', (method, params, name) => {
    const request = createRequest(createRequestId(1), method, { ...params, _meta: META });
    expect(createStandardHeaders(request)).toEqual({
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': method,
      'mcp-name': name,
    });
  });

  it('have no name if the method has none', () => {
    const request = createRequest(createRequestId(1), 'tools/list', { name: 'x', _meta: META });
    expect(createStandardHeaders(request)).not.toHaveProperty('mcp-name');
  });

  it('are absent in the handshake era', () => {
    expect(
      createStandardHeaders(createRequest(createRequestId(1), 'tools/call', { name: 'a' })),
    ).toEqual({});
  });
});

describe('arguments as headers', () => {
  const schema = {
    type: 'object',
    properties: {
      region: { type: 'string', 'x-mcp-header': 'Region' },
      count: { type: 'integer', 'x-mcp-header': 'Count' },
      dry: { type: 'boolean', 'x-mcp-header': 'Dry-Run' },
      deep: { type: 'object', properties: { id: { type: 'string', 'x-mcp-header': 'Deep' } } },
      plain: { type: 'string' },
      ratio: { type: 'number', 'x-mcp-header': 'Ratio' },
      list: { type: 'array', items: { type: 'string', 'x-mcp-header': 'Item' } },
      spaced: { type: 'string', 'x-mcp-header': 'not a token' },
      twice: { type: 'string', 'x-mcp-header': 'REGION' },
    },
  };
  const declared = parseParamHeaders(schema);

  it('are those with a valid mark in the schema', () => {
    expect(declared.map(({ name }) => name)).toEqual(['Region', 'Count', 'Dry-Run', 'Deep']);
  });

  it('contain scalars as text, and as Base64 if HTTP would change them', () => {
    const request = call({
      arguments: { region: 'Zürich', count: 3, dry: false, deep: { id: 'x' } },
    });
    expect(createParamHeaders(request, declared)).toEqual({
      'mcp-param-region': '=?base64?WsO8cmljaA==?=',
      'mcp-param-count': '3',
      'mcp-param-dry-run': 'false',
      'mcp-param-deep': 'x',
    });
  });

  it('are left out if no value is safe to repeat', () => {
    const request = call({ arguments: { region: null, count: 2 ** 60, deep: 'no object' } });
    expect(createParamHeaders(request, declared)).toEqual({});
    expect(createParamHeaders(call({}), declared)).toEqual({});
  });
});
