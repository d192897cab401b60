import { rmSync } from 'node:fs';
import { expect, it, onTestFinished } from 'vitest';
import { getTokenPath, watchLogins } from '../../../src/aws/sso/token-cache.ts';
import { MAX_WAIT_MS } from '../../fixtures/bounds.ts';
import { within } from '../../fixtures/running.ts';
import { CONFIG, HOUR, Home } from './home.ts';

it('reports the first login, a second login and a logout', async () => {
  const home = new Home(CONFIG);
  const ending = new AbortController();
  onTestFinished(() => ending.abort());
  let tell = () => {};
  const told = () =>
    within(MAX_WAIT_MS, 'word of a login', new Promise<void>((resolve) => (tell = resolve)));
  watchLogins(home.env, () => tell(), ending.signal);
  for (const change of [
    () => home.signIn(HOUR),
    () => home.signIn(2 * HOUR),
    async () => rmSync(getTokenPath(await home.session(), home.env)),
  ]) {
    const word = told();
    await change();
    await expect(word).resolves.toBeUndefined();
  }
});
