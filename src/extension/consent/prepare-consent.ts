import { Settings } from '../contributions.ts';
import type { PreparationStep } from '../servers/server-preparation.ts';
import { isWorkspaceSetting } from '../workspace-settings.ts';
import type { CommandConsent } from './command-consent.ts';

/**
 * Lets a server start only with a token command that the user wrote or has confirmed.
 *
 * @returns a step that throws {@link AgentCoreError} `credentials` for one that is not confirmed.
 */
export function prepareTokenCommand(consent: Pick<CommandConsent, 'require'>): PreparationStep {
  return async ({ name, authorization }) => {
    if (authorization.kind !== 'tokenCommand') return undefined;
    if (isWorkspaceSetting(Settings.runtimes)) {
      consent.require({ kind: 'tokenCommand', text: authorization.command }, name);
    }
    return undefined;
  };
}
