import { readFile } from 'node:fs/promises';
import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import { readEntries, readEntry } from '../../../src/extension/settings/runtime-entry.ts';
import { createServerEnvironment } from '../../../src/extension/settings/server-environment.ts';
import { readProxySettings } from '../../../src/programs/proxy-settings.ts';

const manifest = JSON.parse(await readFile('package.json', 'utf8'));
const schema = manifest.contributes.configuration.properties['agentcore.runtimes'];
/** Validates like the VS Code settings editor, which ignores unknown schema keywords. */
const isRight = new Ajv({ strict: false }).addFormat('uri', URL.canParse).compile(schema);

const ARN = 'arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/my_server-AbCdEf1234';
const GATEWAY = 'arn:aws:bedrock-agentcore:us-east-1:123456789012:gateway/tools-ab12cd34ef';
const ROLE = 'arn:aws:iam::123456789012:role/team/Caller';
const OAUTH = { type: 'oauth', clientId: 'client' };

const named = (fields: object) => ({ name: 'weather', ...fields });
const runtime = (fields: object = {}) => named({ arn: ARN, ...fields });
const authorized = (authorization: object) => runtime({ authorization });
const assuming = (assumeRole: object) => runtime({ assumeRole });

const RIGHT: readonly object[] = [
  runtime(),
  runtime({ arn: `${ARN}/runtime-endpoint/production` }),
  runtime({ arn: ARN.replace('aws:', 'aws-cn:').replace('us-east-1', 'cn-north-1') }),
  runtime({ name: 'Weather in Zürich ☂' }),
  runtime({ name: 'w' }),
  runtime({ qualifier: 'production', profile: 'work', policy: '/etc/policy.yaml' }),
  ...['session', 'identity', 'request'].map((sessionMode) => runtime({ sessionMode })),
  runtime({ stopOnExit: false, readTimeout: 86_400, connectTimeout: 0.5 + 0.5, keepAlive: 1.5 }),
  runtime({ retries: 0 }),
  runtime({ retries: 10 }),
  runtime({ endpointUrl: 'https://vpce-1.example.com' }),
  assuming({ arn: ROLE }),
  assuming({
    arn: [ROLE, `${ROLE}2`],
    sessionName: 'someone@example.com',
    externalId: 'a:b/c',
    mfaSerial: 'arn:aws:iam::123456789012:mfa/me',
    sourceIdentity: 'me',
  }),
  authorized({}),
  authorized({ type: 'iam' }),
  authorized(OAUTH),
  authorized({
    ...OAUTH,
    tokenUrl: 'https://login.example.com/oauth2/token',
    scopes: ['a', 'b/c'],
    audience: 'd',
  }),
  authorized({ type: 'tokenCommand', command: 'print-token --quiet' }),
  named({ arn: GATEWAY }),
  named({ arn: GATEWAY, authorization: { type: 'none' } }),
  named({ arn: GATEWAY, sessionMode: 'request' }),
  named({ local: {} }),
  named({ local: { runtime: 'sample' } }),
  named({ local: { config: './agentcore-local.yaml', runtime: 'agent' } }),
];

const WRONG: readonly unknown[] = [
  'nonsense',
  {},
  named({}),
  { arn: ARN },
  runtime({ name: '' }),
  runtime({ name: ' weather' }),
  runtime({ name: 'weather ' }),
  runtime({ name: 'two\nlines' }),
  runtime({ name: 'w'.repeat(65) }),
  runtime({ name: 7 }),
  runtime({ local: {} }),
  runtime({ proflie: 'work' }),
  named({ arn: 'arn:aws:s3:::bucket' }),
  named({ arn: ARN.replace('us-east-1', 'everywhere') }),
  named({ arn: `${GATEWAY}-` }),
  runtime({ qualifier: 'not-one' }),
  runtime({ profile: 7 }),
  runtime({ sessionMode: 'forever' }),
  runtime({ stopOnExit: 'yes' }),
  runtime({ readTimeout: 0 }),
  runtime({ readTimeout: '60' }),
  runtime({ connectTimeout: 601 }),
  runtime({ keepAlive: 0 }),
  runtime({ retries: 1.5 }),
  runtime({ retries: 11 }),
  runtime({ policy: 7 }),
  runtime({ endpointUrl: 'ftp://example.com' }),
  runtime({ endpointUrl: 'example.com' }),
  runtime({ assumeRole: ROLE }),
  assuming({}),
  assuming({ arn: [] }),
  assuming({ arn: 'Caller' }),
  assuming({ arn: [ROLE, 'Caller'] }),
  assuming({ arn: ROLE, sessionName: 'some one' }),
  assuming({ arn: ROLE, externalId: 'x' }),
  assuming({ arn: ROLE, mfaSerial: 'short' }),
  assuming({ arn: ROLE, sourceIdentity: 'not you?' }),
  assuming({ arn: ROLE, duration: 900 }),
  authorized({ type: 'magic' }),
  authorized({ type: 'oauth' }),
  authorized({ type: 'tokenCommand' }),
  authorized({ clientId: 'client' }),
  authorized({ ...OAUTH, command: 'print-token' }),
  authorized({ ...OAUTH, clientSecret: 'must not stand here' }),
  authorized({ ...OAUTH, tokenUrl: 'http://login.example.com/token' }),
  authorized({ ...OAUTH, tokenUrl: 'https://me:secret@login.example.com/token' }),
  authorized({ ...OAUTH, scopes: ['a b'] }),
  authorized({ type: 'tokenCommand', command: 'print-token', audience: 'd' }),
  // Values that the proxy rejects when it starts.
  authorized({ type: 'none' }),
  named({ arn: GATEWAY, sessionMode: 'identity' }),
  named({ local: { config: './agentcore-local.yaml' } }),
  named({ local: { path: 'x' } }),
];

/** A window whose environment configures the proxy for another server. */
const WINDOW = {
  AGENTCORE_AUTH: 'token-command',
  AGENTCORE_TOKEN_COMMAND: 'print-token-of-another',
  AGENTCORE_OAUTH_CLIENT_ID: 'another',
  AGENTCORE_OAUTH_CLIENT_SECRET: 'of the secret storage',
  AGENTCORE_OAUTH_TOKEN_URL: 'https://another.example.com/token',
  AGENTCORE_OAUTH_SCOPES: 'another',
  AGENTCORE_OAUTH_AUDIENCE: 'another',
  AGENTCORE_OAUTH_RESOURCE: 'https://another.example.com',
  AGENTCORE_ASSUME_ROLE_ARN: `${ROLE}-another`,
  AGENTCORE_ASSUME_ROLE_DURATION: '900',
};

/** The proxy settings of an entry in that window. */
function proxySettings(entry: object) {
  const env: Record<string, string | undefined> = { ...WINDOW };
  for (const [name, value] of Object.entries(createServerEnvironment(readEntry(entry)))) {
    if (value === null) delete env[name];
    else env[name] = value;
  }
  return readProxySettings(env);
}

describe('a settings entry', () => {
  it.each(RIGHT)(
    'that is valid is accepted by the editor, the extension and the proxy: %j',
    (entry) => {
      expect(isRight([entry]), JSON.stringify(isRight.errors)).toBe(true);
      expect(readEntries([entry]).problems).toEqual([]);
      if (!('local' in entry)) expect(() => proxySettings(entry)).not.toThrow();
    },
  );

  it.each(WRONG)('that is invalid is rejected by the editor and the extension: %j', (entry) => {
    expect(isRight([entry])).toBe(false);
    expect(readEntries([entry])).toMatchObject({ entries: [], problems: [{ index: 0 }] });
  });

  it('sets the caller, regardless of the environment of the window', () => {
    expect(proxySettings(runtime())).toMatchObject({
      authorization: { method: 'iam' },
      assumeRole: undefined,
    });
    expect(proxySettings(authorized(OAUTH)).authorization).toMatchObject({
      method: 'oauth',
      clientId: 'client',
      tokenUrl: undefined,
      scopes: undefined,
      audience: undefined,
      resource: undefined,
    });
    expect(proxySettings(authorized({ type: 'tokenCommand', command: 'mine' }))).toMatchObject({
      authorization: { method: 'token-command', command: 'mine' },
    });
    expect(proxySettings(assuming({ arn: ROLE }))).toMatchObject({
      assumeRole: { arn: ROLE, duration: undefined },
    });
  });

  it('is completed by valid snippets', () => {
    const snippets: { label: string; body: object }[] = schema.items.defaultSnippets;
    for (const { label, body } of snippets) {
      const filled = JSON.stringify(body)
        .replace('REGION:ACCOUNT', 'us-east-1:123456789012')
        .replace(/\$\{\d+:([^}]+)\}/g, '$1')
        .replace(/_ID\b/g, '-AbCdEf1234');
      const entry = JSON.parse(filled);
      expect(isRight([entry]), `${label}: ${filled}`).toBe(true);
      expect(readEntries([entry]).problems, label).toEqual([]);
    }
    expect(snippets.length).toBeGreaterThan(2);
  });
});
