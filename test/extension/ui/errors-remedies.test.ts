import { expect, it } from 'vitest';
import { AgentCoreError } from '../../../src/base/errors.ts';
import { readEntry } from '../../../src/extension/settings/runtime-entry.ts';
import { getRemedies } from '../../../src/extension/ui/errors.ts';

const ARN = 'arn:aws:bedrock-agentcore:eu-west-1:123456789012:runtime/weather-Ab12Cd34Ef';
const ENTRY = readEntry({ name: 'weather', arn: ARN, qualifier: 'prod' });

const kinds = (thrown: unknown, entry?: typeof ENTRY) =>
  getRemedies(thrown, entry).map(({ kind }) => kind);

it('offers to sign in if the login is missing', () => {
  const thrown = new AgentCoreError('credentials', 'expired', { data: { login: 'work' } });
  expect(getRemedies(thrown, ENTRY)).toEqual([
    { kind: 'signIn', profile: 'work' },
    { kind: 'showLogs' },
  ]);
});

it('offers another profile and the profile file if a profile is missing', () => {
  const data = { missingProfile: 'gone' };
  const thrown = new AgentCoreError('credentials', 'not there', { data });
  expect(kinds(thrown, ENTRY)).toEqual(['pickProfile', 'openAwsConfig', 'showLogs']);
});

it('prompts for the secret of an OAuth client if it is not stored', () => {
  const thrown = new AgentCoreError('credentials', 'not here', { data: { lacksSecret: true } });
  expect(kinds(thrown, ENTRY)).toEqual(['enterSecret', 'showLogs']);
});

it('offers the missing IAM statement with the called endpoint if AWS names the denied action', () => {
  const sentence = `User: arn:aws:iam::123456789012:user/me is not authorized to perform: bedrock-agentcore:InvokeAgentRuntime on resource: ${ARN} because no identity-based policy allows the action`;
  const [remedy] = getRemedies(new AgentCoreError('upstream', sentence), ENTRY);
  expect(remedy).toMatchObject({ kind: 'copyStatement' });
  expect(remedy?.kind === 'copyStatement' && JSON.parse(remedy.text)).toMatchObject({
    Effect: 'Allow',
    Action: 'bedrock-agentcore:InvokeAgentRuntime',
    Resource: [ARN, `${ARN}/runtime-endpoint/prod`],
  });
});

it('offers to stop a session again after a failed stop, and to sign in first if that is necessary', () => {
  const unstopped = [{ id: 'a' }, { id: 'b' }];
  const again = { kind: 'stopAgain', sessions: unstopped };
  const failed = new AgentCoreError('upstream', 'no answer', { data: { unstopped } });
  expect(getRemedies(failed)).toEqual([again, { kind: 'showLogs' }]);
  const data = { unstopped, login: 'work' };
  expect(getRemedies(new AgentCoreError('upstream', 'expired', { data }))).toEqual([
    { kind: 'signIn', profile: 'work', next: again },
    again,
    { kind: 'showLogs' },
  ]);
  const denied =
    'User: arn:aws:iam::123456789012:user/me is not authorized to perform: bedrock-agentcore:StopRuntimeSession';
  expect(kinds(new AgentCoreError('upstream', denied, { data: { unstopped } }))).toEqual([
    'copyStatement',
    'stopAgain',
    'showLogs',
  ]);
});

it('offers the IAM statements for a role that could not be assumed', () => {
  const statement = { Effect: 'Allow', Action: 'sts:AssumeRole', Resource: '*' };
  const data = { statements: [{ of: 'caller', statement }] };
  const [remedy] = getRemedies(new AgentCoreError('credentials', 'denied', { data }), ENTRY);
  expect(remedy?.kind === 'copyStatement' && JSON.parse(remedy.text)).toEqual(statement);
});

it('opens the network settings if the network caused the failure', () => {
  const cause = Object.assign(new Error('connect'), { code: 'ECONNREFUSED' });
  const thrown = new AgentCoreError('upstream', 'no answer', { cause: new Error('x', { cause }) });
  expect(kinds(thrown)).toEqual(['networkSettings', 'showLogs']);
});

it('opens the output of a server that exited, and the settings if they are wrong', () => {
  const ended = new AgentCoreError('upstream', 'ended', { data: { server: 'weather' } });
  expect(kinds(ended)).toEqual(['showOutput', 'showLogs']);
  expect(kinds(new AgentCoreError('config', 'wrong'))).toEqual(['openSettings', 'showLogs']);
  const data = { setting: 'chat.mcp.access' };
  expect(getRemedies(new AgentCoreError('config', 'off', { data }))[0]).toEqual({
    kind: 'openSetting',
    ...data,
  });
  expect(kinds(new Error('unknown'))).toEqual(['showLogs']);
});
