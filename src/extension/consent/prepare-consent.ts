import { Settings } from '../contributions.ts';
import type { PreparationStep } from '../servers/server-preparation.ts';
import { isWorkspaceSetting } from '../workspace-settings.ts';
import type { CommandConsent } from './command-consent.ts';

/**
 * Allows a token command only if the user wrote or confirmed it.
 *
 * @returns a step that throws {@link AgentCoreError} `credentials` if it is not confirmed.
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
