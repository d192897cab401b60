import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { AgentCoreError } from '../../src/base/errors.ts';
import { SessionStore } from '../../src/sessions/session-store.ts';
import type { GetExternalId, StopResult } from '../../src/sessions/stop-session.ts';
import { accessKey, CredentialHome, keys } from '../aws/credentials/credential-fixtures.ts';
import { MAX_WAIT_MS } from '../fixtures/bounds.ts';
import { start, statelessMcp } from '../local/harness.ts';
import { deadHead, writePart } from '../state/journal/fixture.ts';

const USER = accessKey('user');
const ROLE = 'arn:aws:iam::123456789012:role/Caller';
const EXTERNAL_ID = 'agreed-with-the-partner';

/** Stops a session whose role requires an external ID. */
async function stopped(externalIdOf?: GetExternalId): Promise<StopResult> {
  const roles = [{ arn: ROLE, externalId: EXTERNAL_ID }];
  const local = await start({ server: statelessMcp() }, { accessKeys: [USER.config], roles });
  const home = await CredentialHome.make({ credentials: keys('work', USER) });
  vi.stubEnv('AWS_ENDPOINT_URL', local.url);
  onTestFinished(() => void vi.unstubAllEnvs());
  const at = new Date().toISOString();
  const session = { at, session: 'ours' };
  const records = [
    {
      ...session,
      type: 'session.started' as const,
      runtimeSessionId: 'a-runtime-session-id-of-33-characters',
      runtime: local.runtime('server').arn,
      mode: 'session' as const,
      endpoint: local.url,
      profile: 'work',
      assumeRole: { arn: ROLE, sessionName: 'me' },
    },
    {
      ...session,
      type: 'session.identified' as const,
      returnedId: 'another-id-of-the-session-that-is-long',
    },
  ];
  await writePart(join(home.file('state'), 'journal'), 'run', deadHead(), records);
  const sessions = new SessionStore(
    { ...home.env, AWS_ENDPOINT_URL: local.url },
    'extension',
    externalIdOf,
  );
  const { entries } = await sessions.read();
  expect(entries).toHaveLength(1);
  const results: StopResult[] = [];
  await sessions.stop(entries, {
    signal: AbortSignal.timeout(MAX_WAIT_MS),
    onResult: (_, result) => results.push(result),
    onFailure: (sentence) => expect.fail(sentence),
  });
  return results[0] as StopResult;
}

it('a session is stopped with the role that used it, and with a known external ID', async () => {
  const asked: unknown[] = [];
  const outcome = await stopped((role) => {
    asked.push(role);
    return EXTERNAL_ID;
  });
  expect(outcome).toEqual({ how: 'gone' });
  expect(asked).toContainEqual(expect.objectContaining({ arn: ROLE }));
});

it('a session with an unknown external ID stays, with the original error', async () => {
  const outcome = await stopped();
  expect(outcome).toMatchObject({ how: 'failed', reason: expect.stringContaining(ROLE) });
  expect(outcome.how === 'failed' && outcome.cause).toBeInstanceOf(AgentCoreError);
});
