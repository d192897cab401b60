import { execFileSync } from 'node:child_process';
import {
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  hasServer,
  readConfig,
  withServer,
  writeConfig,
} from '../../../src/extension/commands/client-config.ts';
import { endWithTest } from '../../fixtures/running.ts';

const SERVER = { command: 'npx', args: ['-y'], env: {} };

let folder: string;
let file: string;

beforeEach(async () => {
  const path = await mkdtemp(join(tmpdir(), 'agentcore-client-'));
  endWithTest(path, () => rm(path, { recursive: true, force: true }));
  folder = path;
  file = join(folder, 'mcp.json');
});

async function add(): Promise<void> {
  const before = await readConfig(file);
  await writeConfig(file, before, withServer(before, 'claude', 'w', SERVER, file));
}

describe('adding a server to a client’s file', () => {
  it.each([
    ['a byte order mark', '\ufeff{\n  "mcpServers": {}\n}\n', undefined],
    ['null', '{"mcpServers": null}\n', undefined],
    ['a list', '{"mcpServers": [{"name":"a","command":"x"}]}\n', '"mcpServers" is a list'],
    [
      'servers twice',
      '{"mcpServers": {"a": {"command": "1"}}, "mcpServers": {"b": {"command": "2"}}}\n',
      '"mcpServers" 2 times',
    ],
    [
      'the name twice',
      '{"mcpServers": {"w": {"command": "1"}, "w": {"command": "2"}}}\n',
      '"w" 2 times',
    ],
  ])('works with or rejects a file that has %s', async (_, text, refusal) => {
    const bytes = Buffer.from(text);
    await writeFile(file, bytes);
    if (refusal === undefined) {
      await add();
      // The strictest parser accepts no byte order mark.
      expect(JSON.parse(await readFile(file, 'utf8'))).toEqual({ mcpServers: { w: SERVER } });
      expect(hasServer(await readConfig(file), 'claude', 'w', SERVER)).toBe(true);
    } else {
      await expect(add()).rejects.toThrow(`Could not add the server to ${file}: `);
      await expect(add()).rejects.toThrow(refusal);
      expect(await readFile(file)).toEqual(bytes);
    }
    expect(await readdir(folder)).toEqual(['mcp.json']);
  });

  it('creates the file and its folder if they do not exist', async () => {
    file = join(folder, 'new', 'deep', 'mcp.json');
    await add();
    expect(hasServer(await readConfig(file), 'claude', 'w', SERVER)).toBe(true);
  });

  it.each([
    ['UTF-16', Buffer.from('\ufeff{}', 'utf16le'), 'encoded in UTF-16'],
    ['bytes that are not text', Buffer.from([0x7b, 0xff, 0x7d]), 'not encoded in UTF-8'],
  ])('rejects %s', async (_, bytes, words) => {
    await writeFile(file, bytes);
    await expect(add()).rejects.toThrow(words);
    expect(await readFile(file)).toEqual(bytes);
  });

  it.skipIf(process.platform === 'win32')('rejects a path that is not a regular file', async () => {
    await mkdir(file);
    await expect(add()).rejects.toThrow('not a regular file');
    await rm(file, { recursive: true });
    execFileSync('sh', ['-c', 'mkfifo "$0"', file]);
    await expect(add()).rejects.toThrow('not a regular file');
    await rm(file);
    await symlink(join(folder, 'gone'), file);
    await expect(add()).rejects.toThrow('a link to a file that does not exist');
    expect((await lstat(file)).isSymbolicLink()).toBe(true);
  });

  it.skipIf(process.platform === 'win32')('keeps the file mode and a symbolic link', async () => {
    const real = join(folder, 'real.json');
    await writeFile(real, '{}', { mode: 0o640 });
    await symlink(real, file);
    await add();
    expect((await lstat(file)).isSymbolicLink()).toBe(true);
    expect((await stat(real)).mode & 0o777).toBe(0o640);
    expect(hasServer(await readConfig(real), 'claude', 'w', SERVER)).toBe(true);
  });

  it('does not overwrite a change of another program', async () => {
    await writeFile(file, '{"a": 1}');
    const before = await readConfig(file);
    await writeFile(file, '{"a": 2}');
    await expect(writeConfig(file, before, '{}')).rejects.toThrow('has changed it meanwhile');
    expect(await readFile(file, 'utf8')).toBe('{"a": 2}');
  });
});
