import { once } from 'node:events';
import { expect, it } from 'vitest';
import { RunningPrograms } from '../../../src/state/journal/reader.ts';
import { accessKey, CredentialHome } from '../../aws/credentials/credential-fixtures.ts';
import { start, statelessMcp } from '../../local/harness.ts';
import { journalOfServers } from '../servers/journal-of-servers.ts';

it('distinguishes servers of this window from those of others', async () => {
  const { running, begin } = await journalOfServers();
  await begin('weather');
  await begin('tools', 'tools', 1);
  await running.refresh();
  expect(running.getRunningPlace('weather')).toBe('here');
  expect(running.getPids('weather')).toEqual([process.pid]);
  expect(running.getRunningPlace('tools')).toBe('elsewhere');
  expect(running.getPids('tools')).toEqual([]);
  expect(running.getRunningPlace('other')).toBeUndefined();
});

it('prefers a server in this window to the same server in another', async () => {
  const { running, begin } = await journalOfServers();
  await begin('weather', 'a', 1);
  await begin('weather', 'b');
  await running.refresh();
  expect(running.getRunningPlace('weather')).toBe('here');
});

it('checks again after each record, and reports only started and stopped servers', async () => {
  const { running, recorded, begin, end } = await journalOfServers();
  let changes = 0;
  running.onDidChange(() => {
    changes += 1;
  });
  const path = await begin('weather');
  const emitter = new (await import('node:events')).EventEmitter();
  const subscription = running.onDidChange(() => emitter.emit('change'));
  const changed = once(emitter, 'change');
  recorded.fire(undefined);
  await changed;
  expect(running.getRunningPlace('weather')).toBe('here');
  await running.refresh();
  expect(changes).toBe(1);
  await end(path);
  await running.refresh();
  expect(changes).toBe(2);
  expect(running.getRunningPlace('weather')).toBeUndefined();
  subscription.dispose();
});

it('identifies the proxy by the name of its entry and by its parent process', async () => {
  const user = accessKey('user');
  const local = await start({ server: statelessMcp() }, { accessKeys: [user.config] });
  const home = await CredentialHome.make();
  const programs = new RunningPrograms(home.file('state/journal'));
  const proxy = home.proxy(local, {
    AWS_ACCESS_KEY_ID: user.accessKeyId,
    AWS_SECRET_ACCESS_KEY: user.secretAccessKey,
    AGENTCORE_SERVER_NAME: 'weather',
  });
  await proxy.initialize();
  expect(await programs.list()).toMatchObject([
    { program: 'proxy', name: 'weather', parentPid: process.pid },
  ]);
  await proxy.close();
  expect(await programs.list()).toEqual([]);
});
