import { join } from 'node:path';
import { expect, test } from 'vitest';
import { journalFolder, stateFolder } from '../../src/journal/state-folder.ts';

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
  expect(stateFolder(env, platform, home)).toBe(expected);
});

test('a relative state folder is refused, for it would be another one for each program', () => {
  expect(() => stateFolder({ AGENTCORE_STATE_DIR: 'mine' }, 'linux', '/home/me')).toThrow(
    expect.objectContaining({
      code: 'usage',
      message: expect.stringContaining('AGENTCORE_STATE_DIR must be an absolute path'),
    }),
  );
});

test('the journal has a folder of its own in it', () => {
  expect(journalFolder(join('/', 'mine'))).toBe(join('/', 'mine', 'journal'));
});
