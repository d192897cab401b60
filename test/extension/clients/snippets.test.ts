import { parse } from 'jsonc-parser';
import { describe, expect, it } from 'vitest';
import { clientFile } from '../../../src/extension/clients/client-paths.ts';
import { serverSnippet, snippetText, withServer } from '../../../src/extension/clients/snippets.ts';
import { readEntry } from '../../../src/extension/runtimes/runtime-entry.ts';

const ARN = 'arn:aws:bedrock-agentcore:eu-west-1:123456789012:runtime/weather-Ab12Cd34Ef';
const entry = readEntry({ name: 'weather', arn: ARN, profile: 'work' });
const oauth = readEntry({
  name: 'tools',
  arn: ARN,
  authorization: { type: 'oauth', clientId: 'c' },
});

describe('the snippet for another client', () => {
  it('runs the npm package of this version with the entry’s environment', () => {
    expect(serverSnippet('claude', entry, '1.2.3')).toEqual({
      command: 'npx',
      args: ['-y', 'agentcore-mcp@1.2.3', 'proxy'],
      env: {
        AGENTCORE_AGENT_ARN: ARN,
        AGENTCORE_SERVER_NAME: 'weather',
        AWS_PROFILE: 'work',
        RUNTIME_SESSION_MODE: 'session',
      },
    });
  });

  it('lies under the key that the client reads', () => {
    const keyOf = (client: Parameters<typeof serverSnippet>[0]) =>
      Object.keys(JSON.parse(snippetText(client, 'weather', serverSnippet(client, entry, '1'))));
    expect(keyOf('vscode')).toEqual(['servers']);
    expect(keyOf('claude')).toEqual(['mcpServers']);
    expect(keyOf('cursor')).toEqual(['mcpServers']);
    expect(keyOf('kiro')).toEqual(['mcpServers']);
  });

  it('holds no secret: VS Code asks for it, the others are told nothing', () => {
    const text = snippetText('vscode', 'tools', serverSnippet('vscode', oauth, '1'));
    const { inputs, servers } = JSON.parse(text);
    expect(inputs).toMatchObject([{ type: 'promptString', password: true }]);
    expect(servers.tools.env.AGENTCORE_OAUTH_CLIENT_SECRET).toBe(`\${input:${inputs[0].id}}`);
    expect(withServer(text, 'vscode', 'tools', serverSnippet('vscode', oauth, '2'))).toContain(
      '@2',
    );
    const again = JSON.parse(
      withServer(text, 'vscode', 'more', serverSnippet('vscode', oauth, '1')),
    );
    expect(again.inputs).toHaveLength(1);
    expect(serverSnippet('kiro', oauth, '1').env).not.toHaveProperty(
      'AGENTCORE_OAUTH_CLIENT_SECRET',
    );
  });

  it('is none for a local AgentCore', () => {
    const local = readEntry({ name: 'Sample', local: {} });
    expect(() => serverSnippet('cursor', local, '1')).toThrow('pick a runtime on AWS');
  });
});

describe('a client’s configuration', () => {
  const snippet = { command: 'npx', args: [], env: {} };

  it('keeps comments, other servers, indentation and line ends', () => {
    const before =
      '{\r\n\t// mine\r\n\t"mcpServers": {\r\n\t\t"other": { "command": "x" }, // stays\r\n\t},\r\n\t"theme": "dark"\r\n}\r\n';
    const after = withServer(before, 'cursor', 'weather', snippet);
    for (const kept of ['// mine', '// stays', '"theme": "dark"']) expect(after).toContain(kept);
    const { mcpServers } = parse(after, [], { allowTrailingComma: true });
    expect(mcpServers).toEqual({ other: { command: 'x' }, weather: snippet });
    expect(after).toContain('\r\n\t\t"weather": {\r\n\t\t\t"command": "npx"');
    expect(after.replaceAll('\r\n', '')).not.toContain('\n');
  });

  it('has one server of the name, the new one', () => {
    const before = withServer('', 'claude', 'weather', { ...snippet, command: 'old' });
    const after = withServer(before, 'claude', 'weather', snippet);
    expect(JSON.parse(after)).toEqual({ mcpServers: { weather: snippet } });
  });

  it('is left alone where it is broken or no object', () => {
    expect(() => withServer('{ "mcpServers": ', 'kiro', 'w', snippet)).toThrow(
      'nothing was written',
    );
    expect(() => withServer('[]', 'kiro', 'w', snippet)).toThrow('nothing was written');
  });
});

describe('the file of a client', () => {
  const linux = { platform: 'linux' as const, home: '/home/ada', env: {} };
  const mac = { platform: 'darwin' as const, home: '/Users/ada', env: {} };
  const windows = {
    platform: 'win32' as const,
    home: 'C:\\Users\\ada',
    env: { APPDATA: 'C:\\Users\\ada\\AppData\\Roaming' },
  };

  it('is where each system keeps it', () => {
    expect(clientFile('vscode', linux)).toBe('/home/ada/.config/Code/User/mcp.json');
    expect(clientFile('vscode', mac)).toBe(
      '/Users/ada/Library/Application Support/Code/User/mcp.json',
    );
    expect(clientFile('vscode', windows)).toBe(
      'C:\\Users\\ada\\AppData\\Roaming\\Code\\User\\mcp.json',
    );
    expect(clientFile('claude', mac)).toBe(
      '/Users/ada/Library/Application Support/Claude/claude_desktop_config.json',
    );
    expect(clientFile('claude', windows)).toBe(
      'C:\\Users\\ada\\AppData\\Roaming\\Claude\\claude_desktop_config.json',
    );
    expect(clientFile('cursor', windows)).toBe('C:\\Users\\ada\\.cursor\\mcp.json');
    expect(clientFile('kiro', linux)).toBe('/home/ada/.kiro/settings/mcp.json');
  });

  it('follows the environment where that says another place', () => {
    const env = { XDG_CONFIG_HOME: '/data/config' };
    expect(clientFile('claude', { ...linux, env })).toBe(
      '/data/config/Claude/claude_desktop_config.json',
    );
    expect(clientFile('vscode', { ...windows, env: {} })).toBe(
      'C:\\Users\\ada\\AppData\\Roaming\\Code\\User\\mcp.json',
    );
  });
});
