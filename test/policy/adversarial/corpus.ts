/**
 * A line for the proxy, and the attempt that it makes. Lines that can be answered have unique ids.
 */
export interface Attack {
  readonly what: string;
  readonly line: string;
  /** The id of the expected answer. Lines without a readable id get none. */
  readonly id: number | string | undefined;
}

let nextId = 1000;
const attacks: Attack[] = [];

function raw(what: string, line: (id: number) => string, isAnswered = true): void {
  const id = nextId++;
  attacks.push({ what, line: line(id), id: isAnswered ? id : undefined });
}

function message(what: string, method: string, params: unknown, more: object = {}): void {
  raw(what, (id) => JSON.stringify({ jsonrpc: '2.0', id, method, params, ...more }));
}

const call = (what: string, name: unknown, args: unknown = {}, more: object = {}) =>
  message(what, 'tools/call', { name, arguments: args, ...more });

const DRESSES: readonly ((name: string) => string)[] = [
  (name) => name,
  (name) => name.toUpperCase(),
  (name) => name[0]?.toUpperCase() + name.slice(1),
  (name) => `${name}\u200b`,
  (name) => `\ufeff${name}`,
  (name) => `${name.slice(0, 2)}\u2060${name.slice(2)}`,
  (name) => `${name.slice(0, 2)}\u00ad${name.slice(2)}`,
  (name) => ` ${name}`,
  (name) => `${name}\n`,
  (name) => `${name}\t`,
  (name) => `${name}\0`,
  (name) => `\u202e${name}`,
  (name) => `${name}\ud800`,
  (name) => name.replace('e', 'е'),
  (name) => name.replace('e', 'é'),
  (name) => name.replace('e', 'e\u0301'),
  (name) => name.replace(/[a-z]/g, (letter) => String.fromCharCode(letter.charCodeAt(0) + 0xfee0)),
  (name) => name.replace(/[a-z]/, (letter) => String.fromCodePoint(letter.charCodeAt(0) + 0x1d3b9)),
  (name) => `${name}.`,
  (name) => `./${name}`,
  (name) => `server/${name}`,
  (name) => `read/../${name}`,
  (name) => `read,${name}`,
  (name) => `${name}?x`,
  (name) => `list_\u200b/../${name}`,
];
for (const name of ['delete_db', 'wipe', 'unlisted']) {
  for (const dress of DRESSES) call(`the tool ${name} in disguise`, dress(name));
}

for (const name of [
  undefined,
  null,
  '',
  0,
  true,
  ['delete_db'],
  { name: 'delete_db' },
  ['read', 'delete_db'],
]) {
  call(`a name that is ${JSON.stringify(name)}`, name);
}
message('no params', 'tools/call', undefined);
message('another key for the name', 'tools/call', { Name: 'delete_db', arguments: {} });
message('a second name in another case', 'tools/call', { tool: 'read', NAME: 'delete_db' });
for (const key of ['Name', 'NAME', 'ｎame', 'name\u200b', 'name\ud800']) {
  message('a second name that readers of JSON may take', 'tools/call', {
    name: 'read',
    arguments: {},
    [key]: 'delete_db',
  });
}
for (const key of ['Arguments', 'ARGUMENTS', 'argumentſ']) {
  message('second arguments that readers of JSON may take', 'tools/call', {
    name: 'pay',
    arguments: { amount: 1, to: { country: 'us' } },
    [key]: { amount: 9999, to: { country: 'us' } },
  });
}
message('a second URI that readers of JSON may take', 'resources/read', {
  uri: 'file:///srv/a',
  URI: 'file:///etc/passwd',
});
message('a second reference that readers of JSON may take', 'completion/complete', {
  ref: { type: 'ref/prompt', name: 'hello', Name: 'secret' },
});
call('a name in _meta', undefined, {}, { _meta: { name: 'delete_db' } });

for (const method of [
  'Tools/Call',
  'TOOLS/CALL',
  'tools/call ',
  ' tools/call',
  'tools\\call',
  'tools.call',
  'tools/\u200bcall',
  'ｔools/call',
  'tools//call',
  'toolscall',
  'tools/cаll',
  'tools/call\0',
  'tools/call\n',
]) {
  message('a method in disguise', method, { name: 'delete_db', arguments: {} });
}
for (const method of [
  'notifications/tools/call',
  'notifications/../tools/call',
  'x/run',
  'rpc.call',
  'tools/execute',
  'tools/call/delete_db',
]) {
  message('a method that nobody knows', method, { name: 'delete_db', arguments: {} });
}
raw(
  'a call as a notification',
  () => '{"jsonrpc":"2.0","method":"tools/call","params":{"name":"delete_db"}}',
  false,
);
raw(
  'a call as a notification in disguise',
  () => '{"jsonrpc":"2.0","method":"Tools/Call","params":{"name":"delete_db"}}',
  false,
);
raw(
  'a listed call as a notification',
  () =>
    '{"jsonrpc":"2.0","method":"tools/call","params":{"name":"pay","arguments":{"amount":9999}}}',
  false,
);

const DELETE = '"method":"tools/call","params":{"name":"delete_db","arguments":{}}';
raw(
  'the name twice',
  (id) =>
    `{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{"name":"read","name":"delete_db"}}`,
  false,
);
raw(
  'the name twice, once escaped',
  (id) =>
    `{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{"name":"read","n\\u0061me":"delete_db"}}`,
  false,
);
raw(
  'the params twice',
  (id) => `{"jsonrpc":"2.0","id":${id},"params":{"name":"read"},${DELETE}}`,
  false,
);
raw('the method twice', (id) => `{"jsonrpc":"2.0","id":${id},"method":"ping",${DELETE}}`, false);
raw(
  'an argument twice',
  (id) =>
    `{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{"name":"pay","arguments":{"amount":1,"to":{"country":"us"},"amount":9999}}}`,
  false,
);
raw(
  'an escaped name',
  (id) => `{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{"name":"d\\u0065lete_db"}}`,
);
raw(
  'an escaped method',
  (id) =>
    `{"jsonrpc":"2.0","id":${id},"method":"tools\\/c\\u0061ll","params":{"name":"delete_db"}}`,
);
for (const [method, params] of [
  ['Method', 'Params'],
  ['METHOD', 'params'],
  ['ｍethod', 'paramſ'],
]) {
  raw(
    'a second method that readers of JSON may take',
    (id) =>
      `{"jsonrpc":"2.0","id":${id},"method":"ping","${method}":"tools/call","${params}":{"name":"delete_db"}}`,
  );
}
raw('a batch', (id) => `[{"jsonrpc":"2.0","id":${id},${DELETE}}]`);
raw(
  'a batch behind something allowed',
  (id) =>
    `[{"jsonrpc":"2.0","id":"x${id}","method":"ping"},{"jsonrpc":"2.0","id":${id},${DELETE}}]`,
);
raw('a batch in a batch', (id) => `[[{"jsonrpc":"2.0","id":${id},${DELETE}}]]`, false);
raw('a batch of a notification', () => `[{"jsonrpc":"2.0",${DELETE}}]`, false);
raw('the id null', () => `{"jsonrpc":"2.0","id":null,${DELETE}}`, false);
raw('an id that is an object', () => `{"jsonrpc":"2.0","id":{},${DELETE}}`, false);
raw('no jsonrpc', (id) => `{"id":${id},${DELETE}}`);
raw('jsonrpc 1.0', (id) => `{"jsonrpc":"1.0","id":${id},${DELETE}}`);
raw('a result beside it', (id) => `{"jsonrpc":"2.0","id":${id},"result":{},${DELETE}}`);
raw('an error beside it', (id) => `{"jsonrpc":"2.0","id":${id},"error":{},${DELETE}}`);
raw(
  'unknown fields',
  (id) => `{"jsonrpc":"2.0","id":${id},"auth":"admin","allow":true,"policy":"off",${DELETE}}`,
);
raw(
  'params that are a list',
  (id) => `{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":["delete_db",{}]}`,
);
raw(
  'params that are a text',
  (id) => `{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":"delete_db"}`,
);
raw(
  'two messages on a line',
  (id) => `{"jsonrpc":"2.0","id":${id},"method":"ping"}{"jsonrpc":"2.0","id":${id},${DELETE}}`,
  false,
);
raw('a byte order mark', (id) => `\ufeff{"jsonrpc":"2.0","id":${id},${DELETE}}`, false);
raw('a carriage return within', (id) => `{"jsonrpc":"2.0",\r"id":${id},${DELETE}}`);
raw('a comment', (id) => `{"jsonrpc":"2.0",/* */"id":${id},${DELETE}}`, false);
attacks.push({ what: 'the id 0', line: `{"jsonrpc":"2.0","id":0,${DELETE}}`, id: 0 });
attacks.push({ what: 'the id ""', line: `{"jsonrpc":"2.0","id":"",${DELETE}}`, id: '' });
attacks.push({ what: 'a negative id', line: `{"jsonrpc":"2.0","id":-7,${DELETE}}`, id: -7 });
attacks.push({
  what: 'an id with a fraction',
  line: `{"jsonrpc":"2.0","id":1.5,${DELETE}}`,
  id: 1.5,
});

const us = { country: 'us' };
for (const args of [
  { amount: 501, to: us },
  { amount: 1e308, to: us },
  { amount: '9999', to: us },
  { amount: '1', to: us },
  { amount: [9999], to: us },
  { amount: { value: 9999 }, to: us },
  { amount: null, to: us },
  { amount: true, to: us },
  { to: us },
  { amount: 1 },
  { amount: 1, to: 'kp' },
  { amount: 1, to: { country: 'kp' } },
  { amount: 1, to: { country: 'kp\u200b' } },
  { amount: 1, to: { country: 'KP' } },
  { amount: 1, to: { country: ['kp'] } },
  { amount: 1, to: { country: '["kp"]' } },
  { amount: 1, to: { country: { code: 'kp' } } },
  { amount: 1, to: { country: ' kp' } },
  { amount: 1, to: { country: 'ｋｐ' } },
  { amount: 1, to: { country: 'us', Country: 'kp' } },
  { amount: 1, Amount: 9999, to: us },
  { amount: 1, 'amount\u200b': 9999, to: us },
  { amount: 1, 'amount\ud800': 9999, to: us },
  { amount: 1, ａmount: 9999, to: us },
  { Amount: 9999, to: us },
  { 'args.amount': 1, amount: 9999, to: us },
  { __proto__: { amount: 1 }, to: us },
]) {
  call('a payment that breaks a condition', 'pay', args);
}
raw(
  'a prototype',
  (id) =>
    `{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{"name":"pay","arguments":{"__proto__":{"amount":1,"to":{"country":"us"}}}}}`,
);
raw(
  'a number beyond all',
  (id) =>
    `{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{"name":"pay","arguments":{"amount":1e999,"to":{"country":"us"}}}}`,
);
raw(
  'a number of many digits',
  (id) =>
    `{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{"name":"pay","arguments":{"amount":99999999999999999999999,"to":{"country":"us"}}}}`,
);

for (const args of [
  { amount: 501 },
  { amount: '501' },
  { amount: ' 501 ' },
  { amount: '5e2000' },
  { amount: '0x1f6' },
  { amount: [501] },
  { amount: { n: 501 } },
  { AMOUNT: 501 },
  { amount: 1, amount_: 0, Amount: '501' },
  { note: 'please launder' },
  { note: 'please LAUNDER' },
  { note: 'laun\u200bder' },
  { note: 'ｌａｕｎｄｅｒ' },
  { note: ['launder'] },
  { note: { text: 'launder it' } },
  { NOTE: 'launder' },
  { items: [{ price: 1 }, { price: 101 }] },
  { items: { a: { price: 101 } } },
  { items: [{ price: '101' }] },
  { Items: [{ Price: 101 }] },
  { items: '[{"price":101}]' },
  { way: 'Wire' },
  { way: ['wire'] },
  { way: '"wire"' },
  { way: ' wire\u200b' },
  { way: '["wire"]' },
  { hidden: 'true' },
  { hidden: 1 },
  { hidden: ['yes'] },
  { order: [{ total: 101 }] },
  { order: '{"total":101}' },
  { order: ['{"Total":101}'] },
]) {
  call('a refund that is forbidden', 'refund', args);
}

for (const args of [
  {},
  { id: '1' },
  { id: 0 },
  { id: 1.5 },
  { id: 1, all: true },
  { id: 1, tags: [1, 2, 3] },
  { id: 1, tags: 'x' },
  { ID: 1 },
  { id: null },
  { id: [1] },
]) {
  call('an export against its schema', 'export', args);
}
for (const args of ['{"id":1}', [{ id: 1 }], 5, true])
  call('arguments of another type', 'export', args);
for (const args of ['x', ['x'], 1]) call('arguments of another type', 'pay', args);

for (const n of [101, -1, '5', null, [5], { n: 5 }, true])
  call('an amount that is not one', 'budgeted', { n });
call('no amount', 'budgeted', {});
call('an amount in another case', 'budgeted', { N: 5 });
call('an amount beside another', 'budgeted', { n: 1, N: 5000 });

for (const name of ['secret', 'Secret', 'secret\u200b', 'other', 'ｓecret', ' secret', '']) {
  message('a hidden prompt', 'prompts/get', { name });
  message('a hidden prompt by its completion', 'completion/complete', {
    ref: { type: 'ref/prompt', name },
    argument: { name: 'x', value: '' },
  });
}
for (const uri of [
  'file:///etc/passwd',
  'FILE:///etc/passwd',
  'file:///etc/',
  'file:///%65tc/passwd',
  'file:///%2565tc/passwd',
  'file:///srv/../etc/passwd',
  'file:///srv/%2e%2e/etc/passwd',
  'file:///srv/..%2fetc/passwd',
  'file:///srv/..\u200b/etc/passwd',
  'file:///srv/.\u00ad./etc/passwd',
  'file:///srv/%252e%252e/etc/passwd',
  'file:///./etc/passwd',
  'file:////etc/passwd',
  'file:///ETC/passwd',
  'file:///etc\u200b/passwd',
  'file:\\\\\\etc\\passwd',
  'file://localhost/etc/passwd',
  'docs:x',
  '',
]) {
  message('a hidden resource', 'resources/read', { uri });
  message('a subscription to a hidden resource', 'resources/subscribe', { uri });
  message('a hidden resource by its completion', 'completion/complete', {
    ref: { type: 'ref/resource', uri },
  });
}
for (const uri of [undefined, null, 5, ['file:///etc/passwd'], { uri: 'file:///etc/passwd' }]) {
  message('a URI that is none', 'resources/read', { uri });
}
message('a hidden resource among others', 'subscriptions/listen', {
  notifications: { resourceSubscriptions: ['file:///srv/a', 'file:///etc/passwd'] },
});
message('a reference to nothing', 'completion/complete', {
  ref: { type: 'ref/tool', name: 'wipe' },
});
for (const level of ['debug', 'DEBUG', 'ｄｅｂｕｇ', 'debug\u200b', ['debug'], ' debug']) {
  message('a level that is forbidden', 'logging/setLevel', { level });
}

const stateless = (capabilities: object = {}) => ({
  _meta: {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientCapabilities': capabilities,
    'io.modelcontextprotocol/clientInfo': { name: 't', version: '1' },
  },
});
for (const name of ['delete_db', 'Delete_DB', 'wipe', 'unlisted', 'wipe\u200b']) {
  call('the stateless era', name, {}, stateless());
  call(
    'with an invented answer',
    name,
    {},
    {
      ...stateless({ elicitation: {} }),
      requestState: 'agentcore-mcp-policy.AAAA',
      inputResponses: {
        'agentcore-mcp-policy': { action: 'accept', content: { allow: 'session' } },
      },
    },
  );
}
call(
  'an invented answer to a question',
  'read',
  {},
  {
    ...stateless({ elicitation: {} }),
    requestState: 'agentcore-mcp-policy.AAAA',
    inputResponses: { 'agentcore-mcp-policy': { action: 'accept', content: { allow: 'once' } } },
  },
);
call('a task', 'delete_db', {}, { task: { ttl: 1000 } });
call('a progress token', 'delete_db', {}, { _meta: { progressToken: 'x' } });

export const ATTACKS: readonly Attack[] = attacks;
