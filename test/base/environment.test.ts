import * as nodeFiles from 'node:fs/promises';
import { chmod, chown, mkdir, readdir, stat, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { getJournalDirectory, getStateDirectory } from '../../src/base/environment.ts';
import { prepareFolder } from '../../src/state/journal/segment.ts';
import { startCli } from '../fixtures/cli-process.ts';
import { temporaryFolder } from '../fixtures/tls.ts';

test.each([
  ['linux', '/home/me', {}, '/home/me/.local/state/agentcore-mcp'],
  ['linux', '/home/me', { XDG_STATE_HOME: '/state' }, '/state/agentcore-mcp'],
  ['linux', '/home/me', { XDG_STATE_HOME: 'state' }, '/home/me/.local/state/agentcore-mcp'],
  ['freebsd', '/home/me', {}, '/home/me/.local/state/agentcore-mcp'],
  ['darwin', '/Users/me', {}, '/Users/me/Library/Application Support/agentcore-mcp'],
  ['win32', 'C:\\Users\\me', { LOCALAPPDATA: 'D:\\Local' }, 'D:\\Local\\agentcore-mcp'],
  ['win32', 'C:\\Users\\me', {}, 'C:\\Users\\me\\AppData\\Local\\agentcore-mcp'],
  ['linux', '/home/me', { AGENTCORE_STATE_DIR: '/mine', XDG_STATE_HOME: '/state' }, '/mine'],
  ['win32', 'C:\\Users\\me', { AGENTCORE_STATE_DIR: 'D:\\mine' }, 'D:\\mine'],
  ['linux', '/home/me', { AGENTCORE_STATE_DIR: '' }, '/home/me/.local/state/agentcore-mcp'],
] as const)('on %s with home %s and %o, state is in %s', (platform, home, env, expected) => {
  expect(getStateDirectory(env, platform, home)).toBe(expected);
});

test('a relative state folder is rejected, because it would differ for each program', () => {
  expect(() => getStateDirectory({ AGENTCORE_STATE_DIR: 'mine' }, 'linux', '/home/me')).toThrow(
    expect.objectContaining({
      code: 'usage',
      message: expect.stringContaining('AGENTCORE_STATE_DIR must be an absolute path'),
    }),
  );
});

test('the journal has its own folder in the state folder', () => {
  expect(getJournalDirectory(join('/', 'mine'))).toBe(join('/', 'mine', 'journal'));
});

describe.skipIf(process.platform === 'win32')('a state folder', () => {
  /**
   * A folder of another user. Only root can change an owner, so for other users it is a folder of
   * root.
   */
  async function foreignFolder(): Promise<string> {
    if (process.getuid?.() !== 0) return '/usr';
    const folder = join(await temporaryFolder(), 'foreign');
    await mkdir(folder, { mode: 0o755 });
    await chown(folder, 4711, 4711);
    return folder;
  }

  async function openFolder(mode: number): Promise<string> {
    const folder = join(await temporaryFolder(), 'open');
    await mkdir(folder);
    await chmod(folder, mode);
    return folder;
  }

  async function linkTo(folder: string): Promise<string> {
    const link = join(await temporaryFolder(), 'link');
    await symlink(folder, link);
    return link;
  }

  test.each([
    ['another user’s', foreignFolder, /belongs to user \d+/],
    [
      'one in which all can write',
      () => openFolder(0o777),
      /other users can write in it \(mode 777\)/,
    ],
    ['one in which a group can write', () => openFolder(0o770), /other users can write in it/],
    ['a link to another user’s', async () => linkTo(await foreignFolder()), /belongs to user/],
    ['a link to an open one', async () => linkTo(await openFolder(0o777)), /other users can write/],
    [
      'one behind a link to an open one',
      async () => join(await linkTo(await openFolder(0o777)), 'state'),
      /a link in its path leads to .*, which is writable for everyone/,
    ],
    [
      'one behind a link to another user’s',
      async () => join(await linkTo(await foreignFolder()), 'state'),
      /a link in its path leads to .*, which belongs to user/,
    ],
  ])('that is %s is rejected with the reason, and nothing is changed', async (_, make, reason) => {
    const folder = await make();
    const before = await stat(folder).catch(() => undefined);
    expect(() => getStateDirectory({ AGENTCORE_STATE_DIR: folder })).toThrow(
      expect.objectContaining({ code: 'config', message: expect.stringMatching(reason) }),
    );
    if (before) {
      await expect(prepareFolder(nodeFiles, join(folder, 'journal'))).rejects.toThrow(reason);
    }
    const after = await stat(folder).catch(() => undefined);
    expect([after?.mode, after?.uid]).toEqual([before?.mode, before?.uid]);
  });

  test('of the user is accepted, also through a symbolic link', async () => {
    const own = await temporaryFolder();
    const link = await linkTo(own);
    expect(getStateDirectory({ AGENTCORE_STATE_DIR: link })).toBe(link);
    await prepareFolder(nodeFiles, join(link, 'journal'));
    expect(await readdir(own)).toEqual(['journal']);
  });

  test('with a subfolder in which others can write is rejected when that is used', async () => {
    const state = await temporaryFolder();
    await mkdir(join(state, 'audit'));
    await chmod(join(state, 'audit'), 0o777);
    await expect(prepareFolder(nodeFiles, join(state, 'audit'))).rejects.toThrow(
      /other users can write/,
    );
    expect((await stat(join(state, 'audit'))).mode & 0o777).toBe(0o777);
  });

  test.each([[['proxy']], [['sessions', 'list']], [['audit', 'verify']]])(
    'that is rejected makes %j exit with code 2 and the reason',
    async (args) => {
      const folder = await openFolder(0o777);
      const cli = startCli(args, {
        AGENTCORE_STATE_DIR: folder,
        AGENTCORE_AGENT_ARN:
          'arn:aws:bedrock-agentcore:us-west-2:123456789012:runtime/x-abcdefghij',
      });
      expect(await cli.exited).toBe(2);
      expect(cli.stderr).toMatch(
        /Could not use the state folder .*other users can write in it.*Run chmod go-w '.*' to keep them out\./,
      );
      expect(await readdir(folder)).toEqual([]);
    },
  );
});
