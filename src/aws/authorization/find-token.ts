import type { Environment } from '../../environment.ts';
import type { Network } from '../network.ts';
import type { AuthorizationSettings } from './authorization-settings.ts';
import { KeptToken } from './kept-token.ts';
import type { OAuthTokens } from './oauth-token.ts';

/**
 * Creates the bearer token source for these settings. Returns `undefined` if they need no token.
 * The token and its module are loaded on first use.
 *
 * @param resource The URL of the MCP server that receives the token.
 */
export function createTokenProvider(
  settings: AuthorizationSettings,
  resource: URL,
  {
    network,
    env,
  }: {
    readonly network: Network;
    readonly env: Environment;
  },
): KeptToken | undefined {
  switch (settings.method) {
    case 'oauth': {
      let tokens: Promise<OAuthTokens> | undefined;
      return new KeptToken(async (signal) => {
        tokens ??= import('./oauth-token.ts').then(
          ({ OAuthTokens: Tokens }) => new Tokens({ settings, resource, network }),
        );
        return (await tokens).get(signal);
      });
    }
    case 'token-command':
      return new KeptToken(async (signal) => {
        const { runTokenCommand: commandToken } = await import('./token-command.ts');
        return commandToken({ command: settings.command, env, signal });
      });
    default:
      return undefined;
  }
}
