import { parse } from 'jsonc-parser';
import { describe, expect, it } from 'vitest';
import {
  createServerSnippet,
  formatSnippet,
  hasServer,
  withServer,
} from '../../../src/extension/commands/client-config.ts';
import { readEntry } from '../../../src/extension/settings/runtime-entry.ts';

const ARN = 'arn:aws:bedrock-agentcore:eu-west-1:123456789012:runtime/weather-Ab12Cd34Ef';
const entry = readEntry({ name: 'weather', arn: ARN, profile: 'work' });
const oauth = readEntry({
  name: 'tools',
  arn: ARN,
  authorization: { type: 'oauth', clientId: 'c' },
});

describe('the snippet for another client', () => {
  it('runs the npm package of this version with the entry’s environment', () => {
    expect(createServerSnippet('claude', entry, '1.2.3')).toEqual({
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

  it('is under the key that the client reads', () => {
    const keyOf = (client: Parameters<typeof createServerSnippet>[0]) =>
      Object.keys(
        JSON.parse(formatSnippet(client, 'weather', createServerSnippet(client, entry, '1'))),
      );
    expect(keyOf('vscode')).toEqual(['servers']);
    expect(keyOf('claude')).toEqual(['mcpServers']);
    expect(keyOf('cursor')).toEqual(['mcpServers']);
    expect(keyOf('kiro')).toEqual(['mcpServers']);
  });

  it('contains no secret: VS Code prompts for it, other clients get none', () => {
    const text = formatSnippet('vscode', 'tools', createServerSnippet('vscode', oauth, '1'));
    const { inputs, servers } = JSON.parse(text);
    expect(inputs).toMatchObject([{ type: 'promptString', password: true }]);
    expect(servers.tools.env.AGENTCORE_OAUTH_CLIENT_SECRET).toBe(`\${input:${inputs[0].id}}`);
    expect(
      withServer(text, 'vscode', 'tools', createServerSnippet('vscode', oauth, '2')),
    ).toContain('@2');
    const again = JSON.parse(
      withServer(text, 'vscode', 'more', createServerSnippet('vscode', oauth, '1')),
    );
    expect(again.inputs).toHaveLength(1);
    expect(createServerSnippet('kiro', oauth, '1').env).not.toHaveProperty(
      'AGENTCORE_OAUTH_CLIENT_SECRET',
    );
  });

  it('contains the AWS files of the settings', () => {
    const files = { AWS_CONFIG_FILE: '/home/ada/aws/config' };
    expect(createServerSnippet('claude', entry, '1', files).env).toMatchObject(files);
    expect(createServerSnippet('claude', entry, '1').env).not.toHaveProperty('AWS_CONFIG_FILE');
  });

  it('does not exist for a local AgentCore', () => {
    const local = readEntry({ name: 'Sample', local: {} });
    expect(() => createServerSnippet('cursor', local, '1')).toThrow('pick a runtime on AWS');
  });
});

describe('a client’s configuration', () => {
  const snippet = { command: 'npx', args: [], env: {} };

  it('keeps comments, other servers, indentation and line endings', () => {
    const before =
      '{\r\n\t// mine\r\n\t"mcpServers": {\r\n\t\t"other": { "command": "x" }, // stays\r\n\t},\r\n\t"theme": "dark"\r\n}\r\n';
    const after = withServer(before, 'cursor', 'weather', snippet);
    for (const kept of ['// mine', '// stays', '"theme": "dark"']) expect(after).toContain(kept);
    const { mcpServers } = parse(after, [], { allowTrailingComma: true });
    expect(mcpServers).toEqual({ other: { command: 'x' }, weather: snippet });
    expect(after).toContain('\r\n\t\t"weather": {\r\n\t\t\t"command": "npx"');
    expect(after.replaceAll('\r\n', '')).not.toContain('\n');
  });

  it('contains the server once, with the new values', () => {
    const before = withServer('', 'claude', 'weather', { ...snippet, command: 'old' });
    const after = withServer(before, 'claude', 'weather', snippet);
    expect(JSON.parse(after)).toEqual({ mcpServers: { weather: snippet } });
  });

  it('is not changed if it is invalid JSON or not an object', () => {
    expect(() => withServer('{\n "mcpServers": ', 'kiro', 'w', snippet, 'mcp.json')).toThrow(
      'Could not add the server to mcp.json: it is not valid JSON at line 2. Correct the file',
    );
    expect(() => withServer('[]', 'kiro', 'w', snippet)).toThrow('it is a list, not a JSON object');
    expect(() => withServer('// none', 'kiro', 'w', snippet)).toThrow('it is');
  });

  it.each([
    ['{"mcpServers": [{"name": "a"}]}', '"mcpServers" is a list, not an object'],
    ['{"mcpServers": "none"}', '"mcpServers" is a string, not an object'],
    ['{"mcpServers": {"a": {}}, "mcpServers": {}}', 'it has "mcpServers" 2 times'],
    ['{"mcpServers": {}, "mcp\\u0053ervers": {}}', 'it has "mcpServers" 2 times'],
    ['{"mcpServers": {"w": 1, "x": 2, "w": 3}}', 'it has "w" 2 times'],
  ])('is not changed if a client would not find the server: %s', (text, words) => {
    for (const client of ['claude', 'cursor', 'kiro'] as const) {
      expect(() => withServer(text, client, 'w', snippet)).toThrow(words);
    }
  });

  it('treats null as no servers, and replaces a server that is not an object', () => {
    for (const text of ['{"mcpServers": null}', '{"mcpServers": {"w": null}}']) {
      expect(JSON.parse(withServer(text, 'claude', 'w', snippet))).toEqual({
        mcpServers: { w: snippet },
      });
    }
  });

  it('keeps a duplicate key in another place', () => {
    const after = withServer('{"a": 1, "mcpServers": {}, "a": 2}', 'claude', 'w', snippet);
    expect(after.match(/"a"/g)).toHaveLength(2);
  });

  it('of Claude Desktop is not changed if it has comments, which Claude Desktop cannot read', () => {
    expect(() => withServer('{ /* mine */ }', 'claude', 'w', snippet)).toThrow('without comments');
    expect(() => withServer('{ "a": 1, }', 'claude', 'w', snippet)).toThrow('trailing commas');
    expect(withServer('{ /* mine */ }', 'vscode', 'w', snippet)).toContain('/* mine */');
  });

  it('of VS Code needs an inputs list if the server has a secret', () => {
    const asking = createServerSnippet('vscode', oauth, '1');
    const inputs = (text: string) => JSON.parse(withServer(text, 'vscode', 'w', asking)).inputs;
    expect(inputs('{"inputs": null}')).toHaveLength(1);
    expect(inputs('{"inputs": [null, {"id": "mine"}]}')).toHaveLength(3);
    expect(() => inputs('{"inputs": {}}')).toThrow('"inputs" is an object, not a list');
    expect(() => inputs('{"inputs": [], "inputs": []}')).toThrow('it has "inputs" 2 times');
  });

  it('uses the last of two servers with one name, as clients do', () => {
    const text = (last: object) =>
      `{"mcpServers": {"w": ${JSON.stringify(snippet)}, "w": ${JSON.stringify(last)}}}`;
    expect(hasServer(text({ command: 'other' }), 'claude', 'w', snippet)).toBe(false);
    expect(hasServer(text(snippet), 'claude', 'w', snippet)).toBe(true);
  });
});
