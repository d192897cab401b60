/**
 * A link that puts the stdio proxy into VS Code's `mcp.json`, for those who do without the
 * extension; the rest is asked for. VS Code takes `vscode:mcp/install?` and JSON, whose `inputs`
 * are the file's own; pages open `vscode:` links only through the redirect.
 */
export function installLink(version: string): string {
  const server = {
    name: 'agentcore',
    command: 'npx',
    args: ['-y', `agentcore-mcp@${version}`, 'proxy'],
    env: { AGENTCORE_AGENT_ARN: asked('agentcore-arn'), AWS_PROFILE: asked('aws-profile') },
    inputs: [
      { id: 'agentcore-arn', type: 'promptString', description: 'ARN of the AgentCore runtime' },
      { id: 'aws-profile', type: 'promptString', description: 'AWS profile', default: 'default' },
    ],
  };
  return redirectTo(`vscode:mcp/install?${encodeURIComponent(JSON.stringify(server))}`);
}

/** The page with these links as they are for a version, whatever stood in their place. */
export function withLinks(page: string, version: string, id: string): string {
  return page
    .replace(/https:\/\/vscode\.dev\/redirect\?url=vscode%3Amcp[^)\s]*/g, installLink(version))
    .replace(/https:\/\/vscode\.dev\/redirect\?url=vscode%3Aextension[^)\s]*/g, extensionLink(id));
}

/** A link that opens the extension's page in VS Code. */
function extensionLink(id: string): string {
  return redirectTo(`vscode:extension/${id}`);
}

/** What VS Code asks the person for. */
function asked(id: string): string {
  return `\${input:${id}}`;
}

function redirectTo(link: string): string {
  return `https://vscode.dev/redirect?url=${encodeURIComponent(link)}`;
}
