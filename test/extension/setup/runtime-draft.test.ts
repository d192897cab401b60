import { describe, expect, it } from 'vitest';
import { readEntry } from '../../../src/extension/settings/runtime-entry.ts';
import {
  EMPTY_DRAFT,
  suggestName,
  toDraft,
  toWrittenEntry,
  withFound,
  withTarget,
} from '../../../src/extension/setup/runtime-draft.ts';

const ARN = 'arn:aws:bedrock-agentcore:eu-west-1:123456789012:runtime/weather-Ab12Cd34Ef';
const GATEWAY = 'arn:aws:bedrock-agentcore:eu-west-1:123456789012:gateway/tools-ab12cd34ef';
const ROLE = 'arn:aws:iam::210987654321:role/Caller';

const runtime = {
  kind: 'runtime' as const,
  account: '123456789012',
  region: 'eu-west-1',
  arn: ARN,
  id: 'weather-Ab12Cd34Ef',
  name: 'weather',
  version: '1',
  status: 'READY',
  protocol: 'MCP',
};

describe('a draft', () => {
  it('is written without default values', () => {
    const draft = { ...withTarget(EMPTY_DRAFT, ARN), name: 'weather' };
    expect(toWrittenEntry(draft)).toEqual({ name: 'weather', arn: ARN });
  });

  it('is written with all choices, and can be read back', () => {
    const written = toWrittenEntry({
      ...withTarget(EMPTY_DRAFT, GATEWAY),
      name: 'tools',
      profile: 'work',
      sessionMode: 'request',
      clientSecret: 'not to be written',
      role: {
        arns: [ROLE, `${ROLE}2`],
        externalId: 'x1',
        sessionName: undefined,
        mfaSerial: undefined,
        sourceIdentity: undefined,
      },
      authorization: {
        kind: 'oauth',
        clientId: 'c',
        tokenUrl: undefined,
        scopes: [],
        audience: undefined,
      },
    });
    expect(written).toEqual({
      name: 'tools',
      arn: GATEWAY,
      profile: 'work',
      assumeRole: { arn: [ROLE, `${ROLE}2`], externalId: 'x1' },
      authorization: { type: 'oauth', clientId: 'c' },
      sessionMode: 'request',
    });
    expect(readEntry(written)).toMatchObject({ name: 'tools', role: { arns: [ROLE, `${ROLE}2`] } });
  });

  it('of a gateway, which has no sessions, has no session mode', () => {
    const draft = { ...EMPTY_DRAFT, sessionMode: 'identity' as const };
    expect(withTarget(draft, GATEWAY).sessionMode).toBe('session');
    expect(withTarget(draft, ARN).sessionMode).toBe('identity');
  });

  it('of an entry is written unchanged, with fields that the wizard does not show', () => {
    const before = {
      name: 'weather',
      arn: ARN,
      qualifier: 'prod',
      readTimeout: 60,
      sessionMode: 'session',
    };
    expect(toWrittenEntry(toDraft(readEntry(before)), before)).toEqual(before);
    const changed = { ...toDraft(readEntry(before)), qualifier: undefined, profile: 'work' };
    expect(toWrittenEntry(changed, before)).toEqual({
      name: 'weather',
      arn: ARN,
      profile: 'work',
      readTimeout: 60,
      sessionMode: 'session',
    });
  });

  it('of a local entry stays local, and becomes remote when it gets an ARN', () => {
    const before = { name: 'Sample', local: { config: '/a.yaml', runtime: 'r' } };
    const draft = toDraft(readEntry(before));
    expect(toWrittenEntry({ ...draft, sessionMode: 'request' }, before)).toEqual({
      ...before,
      sessionMode: 'request',
    });
    expect(toWrittenEntry(withTarget(draft, ARN), before)).toEqual({ name: 'Sample', arn: ARN });
  });

  it('takes the endpoint from an ARN, and drops it for another target', () => {
    const first = withTarget(EMPTY_DRAFT, `${ARN}/runtime-endpoint/prod`);
    expect(first).toMatchObject({ arn: ARN, qualifier: 'prod' });
    expect(withTarget(first, ARN)).toMatchObject({ qualifier: 'prod' });
    expect(withTarget(first, GATEWAY)).toMatchObject({ arn: GATEWAY, qualifier: undefined });
  });

  it('of a JWT runtime starts with the OAuth client that its authorizer allows', () => {
    const jwt = {
      discoveryUrl: 'https://id.example',
      allowedClients: ['c1'],
      allowedScopes: ['tools'],
      allowedAudience: [],
    };
    const found = { ...runtime, authorizer: 'JWT' as const, jwt };
    const expected = { kind: 'oauth', clientId: 'c1', scopes: ['tools'] };
    expect(withTarget(EMPTY_DRAFT, ARN, found).authorization).toMatchObject(expected);
    expect(withFound(withTarget(EMPTY_DRAFT, ARN), found).authorization).toMatchObject(expected);
  });

  it('keeps the selected token source if the authorizer accepts it', () => {
    const authorization = { kind: 'tokenCommand', command: 'token' } as const;
    const found = { ...runtime, authorizer: 'JWT' as const };
    expect(withFound({ ...EMPTY_DRAFT, authorization }, found)).toMatchObject({ authorization });
    const iam = { ...runtime, authorizer: 'IAM' as const };
    expect(withFound({ ...EMPTY_DRAFT, authorization }, iam)).toMatchObject({
      authorization: { kind: 'iam' },
    });
  });
});

describe('the suggested name', () => {
  it('is the runtime’s name without the ten characters of its id', () => {
    expect(suggestName(withTarget(EMPTY_DRAFT, ARN), [])).toBe('weather');
    expect(suggestName(withTarget(EMPTY_DRAFT, ARN, { ...runtime, name: 'Met' }), [])).toBe('Met');
  });

  it('is different from existing names: with the endpoint, then with a number', () => {
    const draft = { ...withTarget(EMPTY_DRAFT, ARN), qualifier: 'prod' };
    expect(suggestName(draft, ['Weather'])).toBe('weather prod');
    expect(suggestName(draft, ['weather', 'weather prod'])).toBe('weather prod 2');
    expect(suggestName({ ...draft, qualifier: undefined }, ['weather', 'weather 2'])).toBe(
      'weather 3',
    );
  });
});
