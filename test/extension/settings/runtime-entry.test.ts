import { describe, expect, it } from 'vitest';
import { readEntries } from '../../../src/extension/settings/runtime-entry.ts';

const ARN = 'arn:aws:bedrock-agentcore:eu-west-1:123456789012:runtime/weather-Ab12Cd34Ef';
const GATEWAY = 'arn:aws:bedrock-agentcore:eu-west-1:123456789012:gateway/tools-ab12cd34ef';
const ROLE = 'arn:aws:iam::210987654321:role/Caller';

/** The error message for a list with this single entry. */
function problemWith(entry: unknown): string | undefined {
  const { entries, problems } = readEntries([entry]);
  expect(entries.length + problems.length).toBe(1);
  return problems[0]?.sentence;
}

describe('agentcore.runtimes', () => {
  it('accepts a name and an ARN, and has defaults for all other fields', () => {
    const { entries, problems } = readEntries([{ name: 'weather', arn: ARN }]);
    expect(problems).toEqual([]);
    expect(entries).toMatchObject([
      {
        name: 'weather',
        target: { kind: 'runtime', runtime: { region: 'eu-west-1', account: '123456789012' } },
        sessionMode: 'session',
        authorization: { kind: 'iam' },
        profile: undefined,
      },
    ]);
  });

  it('accepts all fields of an entry', () => {
    const { entries, problems } = readEntries([
      {
        name: 'tools',
        arn: GATEWAY,
        profile: 'work',
        assumeRole: { arn: [ROLE, `${ROLE}2`], sessionName: 'me', externalId: 'x1' },
        authorization: {
          type: 'oauth',
          clientId: 'c',
          tokenUrl: 'https://id.example/t',
          scopes: ['a'],
        },
        sessionMode: 'request',
        stopOnExit: true,
        readTimeout: 60,
        connectTimeout: 5,
        keepAlive: 20,
        retries: 0,
        policy: '/policies/mine.yaml',
        endpointUrl: 'http://127.0.0.1:8787',
      },
      { name: 'sample', local: {} },
      { name: 'mine', local: { config: './agentcore-local.yaml', runtime: 'agent' } },
    ]);
    expect(problems).toEqual([]);
    expect(entries[0]).toMatchObject({
      target: { kind: 'gateway', gateway: { gatewayId: 'tools-ab12cd34ef' } },
      role: { arns: [ROLE, `${ROLE}2`], externalId: 'x1' },
      authorization: { kind: 'oauth', clientId: 'c', scopes: ['a'] },
      retries: 0,
    });
    expect(entries[1]?.target).toEqual({ kind: 'local', config: undefined, runtime: 'sample' });
    expect(entries[2]?.target).toEqual({
      kind: 'local',
      config: './agentcore-local.yaml',
      runtime: 'agent',
    });
  });

  it('reports the entry and the field of a mistake, and accepts the other entries', () => {
    const { entries, problems } = readEntries([
      { name: 'bad', arn: 'arn:aws:s3:::bucket' },
      { name: 'good', arn: ARN },
      { arn: ARN },
      'nonsense',
    ]);
    expect(entries.map(({ name }) => name)).toEqual(['good']);
    expect(problems).toMatchObject([
      {
        index: 0,
        name: 'bad',
        field: 'arn',
        sentence: expect.stringMatching(/^Runtime "bad" in agentcore.runtimes: arn /),
        reason: expect.stringMatching(/^arn /),
      },
      { index: 2, name: undefined, field: 'name', sentence: expect.stringContaining('number 3') },
      { index: 3, sentence: expect.stringContaining('number 4') },
    ]);
  });

  it.each([
    [{ name: 'a' }, 'arn is missing'],
    [{ name: 'a', arn: ARN, local: {} }, 'arn or local, not both'],
    [{ name: 'a', arn: ARN, sessionMode: 'forever' }, 'sessionMode is "forever", expected one of'],
    [{ name: 'a', arn: ARN, readTimeout: '60' }, 'readTimeout is "60", expected a number from 1'],
    [{ name: 'a', arn: ARN, retries: 11 }, 'retries is 11'],
    [{ name: 'a', arn: ARN, assumeRole: { arn: 'me' } }, 'assumeRole.arn is "me"'],
    [{ name: 'a', arn: ARN, assumeRole: {} }, 'assumeRole.arn is missing'],
    [
      { name: 'a', arn: ARN, authorization: { type: 'oauth' } },
      'authorization.clientId is missing',
    ],
    [
      { name: 'a', arn: ARN, authorization: { type: 'oauth', clientId: 'c', clientSecret: 's' } },
      'authorization.clientSecret is not a known field',
    ],
    [{ name: 'a', arn: ARN, proflie: 'work' }, 'proflie is not a known field'],
    [{ name: 'a', arn: ARN, endpointUrl: 'ftp://x' }, 'endpointUrl is "ftp://x"'],
    [{ name: 'a', local: { config: 'x.yaml' } }, 'local.runtime is missing'],
    [{ name: 'a', arn: ARN, stopOnExit: 'yes' }, 'stopOnExit is "yes", expected true or false'],
    [{ name: 'a\nb', arn: ARN }, 'name is'],
  ])('reports how to correct %j', (entry, words) => {
    expect(problemWith(entry)).toContain(words);
  });

  it.each([
    { assumeRole: { arn: ROLE, externalId: 'what only we know' } },
    { authorization: { type: 'tokenCommand', command: ['what only we know'] } },
    { authorization: { type: 'oauth', clientId: 'c', tokenUrl: 'what only we know' } },
    { authorization: { type: 'oauth', clientId: 'c', tokenUrl: 'http://what-only-we-know@x.io' } },
  ])('never quotes a possible secret: %j', (fields) => {
    const sentence = problemWith({ name: 'a', arn: ARN, ...fields });
    expect(sentence).toMatch(/(externalId|command|tokenUrl) is not valid, expected/);
    expect(sentence).not.toMatch(/only.we.know/);
  });

  it('rejects a duplicate name, because VS Code finds a server by its name', () => {
    const { entries, problems } = readEntries([
      { name: 'weather', arn: ARN },
      { name: 'Weather', arn: GATEWAY },
    ]);
    expect(entries).toHaveLength(1);
    expect(problems[0]?.sentence).toContain('the name of another runtime');
  });

  it.each([undefined, null, []])('is empty for the setting %j', (value) => {
    expect(readEntries(value)).toEqual({ entries: [], problems: [] });
  });

  it('reports the expected type if it is not a list', () => {
    expect(readEntries({ weather: ARN }).problems).toMatchObject([
      {
        name: 'agentcore.runtimes',
        sentence: expect.stringMatching(/^agentcore.runtimes must be a list/),
      },
    ]);
  });
});
