import { describe, expect, it } from 'vitest';
import {
  createErrorResponse,
  createNotification,
  createRequest,
  createRequestId,
  type JsonObject,
  type JsonRpcRequest,
  type JsonRpcResponse,
} from '../../src/mcp/message.ts';
import type { PolicyState } from '../../src/policy/documents/document-set.ts';
import { Counters } from '../../src/policy/engine/counters.ts';
import { PolicyInterceptor } from '../../src/policy/policy-interceptor.ts';
import { createResultResponse } from '../../src/policy/result-filter.ts';
import {
  applyInterceptors,
  createContext,
  type Peer,
  type RequestContext,
} from '../../src/relay/peer.ts';
import { ToolCatalog } from '../../src/relay/tool-catalog.ts';
import { MemoryCounterStore } from '../../src/state/counters.ts';
import { policyOf } from './written-policy.ts';

const ACT = { name: 'act', description: 'Acts', inputSchema: { type: 'object' } };

type Answer = (request: JsonRpcRequest, context: RequestContext) => unknown;

/** A policy between a server and a client that approves everything for the session. */
async function govern(text: string, answer: Answer, caller?: () => Promise<string>) {
  let state: PolicyState = { policies: [policyOf(text)], failure: undefined };
  const sent: string[] = [];
  const questions: string[] = [];
  const tools = new ToolCatalog();
  const prompts = new ToolCatalog('prompts/list');
  const interceptor = new PolicyInterceptor({
    current: () => state,
    counters: new Counters(new MemoryCounterStore(), Date.now),
    runtime: 'arn:runtime',
    catalogs: { tool: tools, prompt: prompts },
    conversation: { id: 's', elicitation: { form: true, url: false } },
    caller: caller ?? (async () => 'arn:me'),
  });
  const server: Peer = {
    request: async (request, context) => {
      const result = await answer(request, context);
      context.beforeSend?.();
      sent.push(request.method);
      return createResultResponse(request.id, result as object);
    },
    notify: async () => undefined,
  };
  const whileAsked: (() => void)[] = [];
  const client: Peer = {
    request: async (request) => {
      questions.push(String(request.params?.message));
      whileAsked.shift()?.();
      return createResultResponse(request.id, { action: 'accept', content: { allow: 'session' } });
    },
    notify: async () => undefined,
  };
  const peer = applyInterceptors([interceptor, prompts, tools], server);
  const exchange = createContext('to-server', { sender: client });
  const send = (method: string, params: JsonObject = {}) =>
    peer.request(createRequest(createRequestId(1), method, params), exchange);
  await send('initialize', { capabilities: { elicitation: {} } });
  sent.length = 0;
  return {
    sent,
    questions,
    whileAsked,
    send,
    call: (name = 'act') => send('tools/call', { name, arguments: {} }),
    replace: (other: string) => {
      state = { policies: [policyOf(other)], failure: undefined };
    },
    /** Sends a notification from the server. */
    notify: (method: string) =>
      applyInterceptors([interceptor, prompts, tools], {
        request: (_, { sender, ...more }) =>
          sender
            .notify(createNotification(method), createContext('to-client', { sender, ...more }))
            .then(() => createErrorResponse(undefined, { code: 0, message: '' })),
        notify: async () => undefined,
      }).request(createRequest(createRequestId(9), 'ping'), exchange),
  };
}

const textOf = (response: JsonRpcResponse) => response.bytes.toString();

const DENY = 'version: "1"\ntools: { act: { rules: [{ name: no, action: deny }] } }';
const DONE = { content: [] };

describe('a document that becomes stricter while a call waits', () => {
  it.each([
    ['who calls', 'callers: [{ match: ["*"], tools: {} }]'],
    ['tools/list', 'tools: { act: { rules: [{ validate: schema }] } }'],
    ['a person', 'tools: { act: { rules: [{ action: require_approval }] } }'],
    ['what stands before the end', 'default: allow'],
  ])('is applied after waiting for %s', async (what, text) => {
    let isReady = false;
    const governed = await govern(
      `version: "1"\n${text}`,
      ({ method }) => {
        if (method === 'tools/list') {
          if (what === 'tools/list') governed.replace(DENY);
          return { tools: [ACT] };
        }
        if (isReady && what.startsWith('what')) governed.replace(DENY);
        return DONE;
      },
      async () => {
        if (isReady) governed.replace(DENY);
        if (!isReady) throw new Error('not yet');
        return 'arn:me';
      },
    );
    if (what === 'a person') governed.whileAsked.push(() => governed.replace(DENY));
    isReady = true;
    expect(textOf(await governed.call())).toMatch(/Refused by policy: .*is refused by rule/);
    expect(governed.sent).not.toContain('tools/call');
  });

  it('allows a call that it permits as well, without another prompt', async () => {
    const ASK = 'version: "1"\ntools: { act: { rules: [{ action: require_approval }] } }';
    const governed = await govern(ASK, ({ method }) =>
      method === 'tools/list' ? { tools: [ACT] } : DONE,
    );
    governed.whileAsked.push(() => governed.replace(`${ASK}\nhide: [other]`));
    expect(textOf(await governed.call())).toContain('"content":[]');
    expect(governed.questions).toHaveLength(1);
    expect(governed.sent.filter((method) => method === 'tools/call')).toHaveLength(1);
  });

  it('counts a call once, even if it was evaluated twice', async () => {
    const LIMIT = 'version: "1"\ntools: { act: { rules: [{ rate_limit: 1/month }] } }';
    let times = 0;
    const governed = await govern(LIMIT, () => {
      if (times++ === 1) governed.replace(`${LIMIT}\nhide: [other]`);
      return DONE;
    });
    expect(textOf(await governed.call())).toContain('"content":[]');
    expect(textOf(await governed.call())).toContain('Rate limit of 1');
  });

  it('denies a call if documents keep changing', async () => {
    let isChanging = false;
    const governed = await govern('version: "1"', () => {
      if (isChanging) governed.replace('version: "1"');
      return DONE;
    });
    isChanging = true;
    expect(textOf(await governed.call())).toContain('changed again and again');
    expect(governed.sent).toEqual([]);
  });

  it('filters a list that was requested before', async () => {
    const governed = await govern('version: "1"', () => DONE);
    const hiding = await govern('version: "1"', ({ method }) => {
      if (method === 'tools/list')
        queueMicrotask(() => hiding.replace('version: "1"\nhide: [act]'));
      return { tools: [ACT, { ...ACT, name: 'ok' }] };
    });
    expect(textOf(await governed.call())).toContain('"content":[]');
    expect(textOf(await hiding.send('tools/list'))).not.toContain('"act"');
  });
});

describe('an answer of the server', () => {
  const HIDE = `version: "1"
hide: [secret_tool]
hide_prompts: [secret]
methods: { sampling/createMessage: { rules: [{ name: no, action: deny }] } }
`;
  const SECRET = { name: 'secret_tool', inputSchema: { type: 'object' } };

  it.each([
    { tools: [], Tools: [SECRET] },
    { tools: [], too_ls: [SECRET] },
    { tools: [{ ...SECRET, name: 'ok', Name: 'secret_tool' }] },
    { tools: [{ ...SECRET, name: 'ok', 'n\u0430me': 'secret_tool' }] },
  ])('cannot show a hidden tool with another spelling: %j', async (result) => {
    const { send } = await govern(HIDE, () => result);
    expect(textOf(await send('tools/list'))).not.toContain('secret_tool');
  });

  const QUESTION = { method: 'sampling/createMessage', params: {} };
  it.each([
    { inputRequests: { a: QUESTION } },
    { resultType: 'complete', inputRequests: { a: QUESTION }, content: [] },
    { ResultType: 'input_required', inputRequests: { a: QUESTION } },
    { resultType: 'input_required', InputRequests: { a: QUESTION } },
    { resultType: 'input_required', input_requests: { a: QUESTION } },
    { resultType: 'input_required', inputRequests: [QUESTION] },
    { resultType: 'input_required', inputRequests: [[QUESTION]] },
    { resultType: 'input_required', inputRequests: { a: { Method: QUESTION.method } } },
    {
      resultType: 'input_required',
      inputRequests: { a: { method: 'x/y', Method: QUESTION.method } },
    },
    { resultType: 'input_required', inputRequests: { a: QUESTION.method } },
    { resultType: 'input_required', inputRequests: QUESTION.method },
  ])('cannot request a denied method: %j', async (result) => {
    const { call } = await govern(HIDE, () => result);
    const answer = textOf(await call());
    expect(answer).toContain('Refused by policy');
    expect(answer).not.toContain('params');
  });

  it('is forwarded unchanged if its requests are allowed', async () => {
    const asks = { resultType: 'input_required', inputRequests: { a: { method: 'roots/list' } } };
    const { call } = await govern(HIDE, () => asks);
    expect(textOf(await call())).toContain(JSON.stringify(asks));
  });
});

describe('tool annotations', () => {
  const DESTRUCTIVE = 'version: "1"\napprove: [destructive]';
  const listed = (annotations: object, more: object = {}) => ({ ...ACT, annotations, ...more });
  const WORSE = listed({ destructiveHint: true });
  const HARMLESS = listed({ readOnlyHint: true });

  /** Whether a call requires approval after the client has read these lists of one page each. */
  async function isAskedAfter(...lists: object[][]): Promise<boolean> {
    let tools: object[] = [];
    const { send, call, questions } = await govern(DESTRUCTIVE, ({ method }) =>
      method === 'tools/list' ? { tools } : DONE,
    );
    for (tools of lists) await send('tools/list');
    await call();
    return questions.length > 0;
  }

  it('count with the strictest hints that the server ever sent', async () => {
    expect(await isAskedAfter([HARMLESS])).toBe(false);
    expect(await isAskedAfter([listed({ destructiveHint: false })])).toBe(false);
    expect(await isAskedAfter([WORSE], [HARMLESS])).toBe(true);
    expect(await isAskedAfter([HARMLESS], [WORSE])).toBe(true);
    expect(await isAskedAfter([WORSE, HARMLESS])).toBe(true);
    expect(await isAskedAfter([HARMLESS], [listed({ destructiveHint: false })])).toBe(false);
  });

  it('keep the strictest hints across pages and after the list has changed', async () => {
    const pages: Record<string, object> = {
      '': { tools: [WORSE], nextCursor: '2' },
      '2': { tools: [HARMLESS], nextCursor: '2' },
    };
    const { call, notify, questions, sent } = await govern(DESTRUCTIVE, ({ method, params }) =>
      method === 'tools/list' ? (pages[String(params?.cursor ?? '')] as object) : DONE,
    );
    await call();
    expect(questions).toHaveLength(1);
    // A repeated cursor ends the list.
    expect(sent.filter((method) => method === 'tools/list')).toHaveLength(2);
    pages[''] = { tools: [{ ...HARMLESS, description: 'Acts otherwise' }] };
    await notify('notifications/tools/list_changed');
    await call();
    expect(questions).toHaveLength(2);
  });

  it.each([
    ['approve: [destructive]', { description: 'Acts otherwise' }],
    ['approve: [destructive]', { inputSchema: { type: 'object', required: ['x'] } }],
    ['approve: [destructive]', { annotations: { title: 'Act' } }],
    ['tools: { act: { rules: [{ action: require_approval }] } }', { description: 'Otherwise' }],
  ])('end the approval for the session if they change: %s, %j', async (text, more) => {
    let tool: object = ACT;
    const { send, call, notify, questions } = await govern(`version: "1"\n${text}`, ({ method }) =>
      method === 'tools/list' ? { tools: [tool] } : DONE,
    );
    await call();
    await call();
    await send('tools/list');
    await call();
    expect(questions).toHaveLength(1);
    tool = { ...ACT, ...more };
    await send('tools/list');
    await call();
    expect(questions).toHaveLength(2);
    tool = ACT;
    await notify('notifications/tools/list_changed');
    await call();
    expect(questions).toHaveLength(2);
  });
});

describe('confusable names', () => {
  const HIDING = `version: "1"
hide: [wipe]
hide_prompts: ["private*"]
hide_resources: ["file:///private*"]
`;
  it.each([
    ['tools/call', { name: 'wip\u0435', arguments: {} }],
    ['prompts/get', { name: 'priv\u0430te1' }],
    ['prompts/get', { name: 'PRIVATE1' }],
    ['prompts/get', { name: 'unkn\u043ewn' }],
    ['resources/read', { uri: 'file:///priv\u0430te1' }],
    ['resources/read', { uri: 'file:///priv%D0%B0te1' }],
    ['resources/subscribe', { uri: 'file:///pr\u200bivate1' }],
    ['completion/complete', { ref: { type: 'ref/prompt', name: 'priv\u0430te1' } }],
  ])('are denied: %s %j', async (method, params) => {
    const { send, sent } = await govern(HIDING, ({ method: asked }) =>
      asked === 'prompts/list' ? { prompts: [{ name: 'gr\u00fc\u00dfe' }] } : { tools: [ACT] },
    );
    expect(textOf(await send(method, params))).toContain('Refused by policy');
    expect(sent).not.toContain(method);
  });

  it.each([
    ['prompts/get', { name: 'gr\u00fc\u00dfe' }],
    ['prompts/get', { name: 'hello' }],
    ['resources/read', { uri: 'file:///gr\u00fc\u00dfe.md' }],
  ])('are allowed: %s %j', async (method, params) => {
    const { send, sent } = await govern(HIDING, ({ method: asked }) =>
      asked === 'prompts/list' ? { prompts: [{ name: 'gr\u00fc\u00dfe' }] } : {},
    );
    await send(method, params);
    expect(sent).toContain(method);
  });

  it('are removed from lists', async () => {
    const { send } = await govern(HIDING, () => ({
      prompts: [{ name: 'priv\u0430te1' }, { name: 'hello' }],
    }));
    expect(textOf(await send('prompts/list'))).toContain('{"prompts":[{"name":"hello"}]}');
  });
});
