import * as vscode from 'vscode';
import { Settings } from '../contributions.ts';

/** The settings `agentcore.discovery.*`. */
export interface DiscoverySettings {
  readonly profiles: readonly string[];
  readonly regions: readonly string[];
  /** One message per invalid setting. An invalid setting counts as empty. */
  readonly problems: readonly string[];
}

/** Reads and validates the settings. */
export function readDiscoverySettings(): DiscoverySettings {
  const problems: string[] = [];
  const list = (setting: string, example: string): readonly string[] => {
    const value = vscode.workspace.getConfiguration('agentcore').get<unknown>(setting) ?? [];
    if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value;
    problems.push(
      vscode.l10n.t('{0} must be a list of texts, as in ["{1}"]', `agentcore.${setting}`, example),
    );
    return [];
  };
  const profiles = list(Settings.discoveryProfiles, 'default');
  const regions = list(Settings.discoveryRegions, 'us-east-1');
  return { profiles, regions, problems };
}
