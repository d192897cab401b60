import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  type ClientId,
  findClientFiles,
  findOwnFile,
  type Machine,
} from '../../../src/extension/commands/client-config.ts';
import { endWithTest } from '../../fixtures/running.ts';

let root: string;

beforeEach(async () => {
  const path = await mkdtemp(join(tmpdir(), 'agentcore-clients-'));
  endWithTest(path, () => rm(path, { recursive: true, force: true }));
  root = path;
});

const filesOf = async (client: ClientId, machine: Machine) =>
  (await findClientFiles(machine)).filter((one) => one.client === client).map(({ file }) => file);

/** A `User` folder of VS Code with these profiles. */
async function userFolder(path: string, state: object = {}): Promise<string> {
  const file = join(path, 'globalStorage', 'storage.json');
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, JSON.stringify(state));
  return path;
}

describe('the configuration file of another client', () => {
  it('is at the path of each operating system', async () => {
    const linux: Machine = { platform: 'linux', home: '/home/ada', env: {} };
    const mac: Machine = { platform: 'darwin', home: '/Users/ada', env: {} };
    const env = { APPDATA: 'C:\\Users\\ada\\AppData\\Roaming' };
    const windows: Machine = { platform: 'win32', home: 'C:\\Users\\ada', env };
    expect(await filesOf('claude', mac)).toEqual([
      '/Users/ada/Library/Application Support/Claude/claude_desktop_config.json',
    ]);
    expect(await filesOf('claude', windows)).toEqual([
      'C:\\Users\\ada\\AppData\\Roaming\\Claude\\claude_desktop_config.json',
    ]);
    expect(await filesOf('claude', { ...linux, env: { XDG_CONFIG_HOME: '/data' } })).toEqual([
      '/data/Claude/claude_desktop_config.json',
    ]);
    expect(await filesOf('cursor', windows)).toEqual(['C:\\Users\\ada\\.cursor\\mcp.json']);
    expect(await filesOf('kiro', linux)).toEqual(['/home/ada/.kiro/settings/mcp.json']);
  });

  it('is listed for each VS Code installation, with its profiles', async () => {
    const machine: Machine = { platform: 'linux', home: root, env: {} };
    expect(await filesOf('vscode', machine)).toEqual([]);
    const code = await userFolder(join(root, '.config', 'Code', 'User'), {
      userDataProfiles: [
        { name: 'Work', location: '-5b2f' },
        { name: 'Shared', location: '6c3a', useDefaultFlags: { mcp: true } },
        { name: 'Odd', location: '../../elsewhere' },
        { location: 7 },
      ],
    });
    const insiders = await userFolder(join(root, '.config', 'Code - Insiders', 'User'));
    const codium = join(root, '.config', 'VSCodium', 'User');
    await mkdir(codium, { recursive: true });
    const found = (await findClientFiles(machine)).filter(({ client }) => client === 'vscode');
    expect(found.map(({ application, profile, file }) => [application, profile, file])).toEqual([
      ['VS Code', undefined, join(code, 'mcp.json')],
      ['VS Code', 'Work', join(code, 'profiles', '-5b2f', 'mcp.json')],
      ['VS Code Insiders', undefined, join(insiders, 'mcp.json')],
      ['VSCodium', undefined, join(codium, 'mcp.json')],
    ]);
  });

  it('is in the package folder for Claude Desktop from the Microsoft Store', async () => {
    const data = 'C:\\Users\\ada\\AppData';
    const names = async (folders: Readonly<Record<string, readonly string[]>>) =>
      filesOf('claude', {
        platform: 'win32',
        home: 'C:\\Users\\ada',
        env: { APPDATA: `${data}\\Roaming`, LOCALAPPDATA: `${data}\\Local` },
        listFolder: async (path) => folders[path] ?? Promise.reject(new Error(path)),
      });
    const usual = `${data}\\Roaming\\Claude`;
    const packages = `${data}\\Local\\Packages`;
    const own = `${packages}\\Claude_pzs8sxrjxfjjc\\LocalCache\\Roaming\\Claude`;
    const file = (folder: string) => `${folder}\\claude_desktop_config.json`;
    const installed = { [packages]: ['Other_1', 'Claude_pzs8sxrjxfjjc', 'Claudette_2'] };
    expect(await names({})).toEqual([file(usual)]);
    expect(await names(installed)).toEqual([file(own)]);
    expect(await names({ ...installed, [usual]: [] })).toEqual([file(own), file(usual)]);
  });
});

describe('the configuration file of this VS Code', () => {
  const machine: Machine = { platform: 'linux', home: '/home/ada', env: {} };
  const own = (user: string, storage: string, workspace?: string) =>
    findOwnFile(
      {
        application: 'VSCodium',
        globalStorage: join(user, storage, 'agentcore-mcp.agentcore-mcp'),
        workspace,
      },
      machine,
    );

  it('is in the folder of its profile, wherever that is', async () => {
    const user = await userFolder(join(root, 'data', 'User'), {
      userDataProfiles: [
        { name: 'Work', location: 'a1' },
        { name: 'Shared', location: 'b2', useDefaultFlags: { mcp: true } },
        { name: 'Bare', location: 'c3', useDefaultFlags: { globalState: true } },
      ],
      profileAssociations: { workspaces: { 'file:///home/ada/bare': 'c3' } },
    });
    expect(await own(user, 'globalStorage')).toMatchObject({
      application: 'VSCodium',
      profile: undefined,
      file: join(user, 'mcp.json'),
    });
    expect(await own(user, 'profiles/a1/globalStorage')).toMatchObject({
      profile: 'Work',
      file: join(user, 'profiles', 'a1', 'mcp.json'),
    });
    // This profile uses the servers of the default profile.
    expect(await own(user, 'profiles/b2/globalStorage')).toMatchObject({
      profile: 'Shared',
      file: join(user, 'mcp.json'),
    });
    // This profile shares the storage of the default profile, but not its servers.
    expect(await own(user, 'globalStorage', 'file:///home/ada/bare')).toMatchObject({
      profile: 'Bare',
      file: join(user, 'profiles', 'c3', 'mcp.json'),
    });
    expect(await own(user, 'profiles/unknown/globalStorage')).toMatchObject({
      file: join(user, 'profiles', 'unknown', 'mcp.json'),
    });
  });

  it('is at the default path if the stored VS Code state cannot be parsed', async () => {
    const user = join(root, 'User');
    await mkdir(join(user, 'globalStorage'), { recursive: true });
    await writeFile(join(user, 'globalStorage', 'storage.json'), 'no JSON');
    expect(await own(user, 'globalStorage')).toMatchObject({ file: join(user, 'mcp.json') });
  });
});
