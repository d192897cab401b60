import * as vscode from 'vscode';
import type { DiscoveryScope } from '../../aws/discovery/model.ts';
import { getEnvironmentProfile } from '../../aws/shared-config.ts';
import type { Environment } from '../../base/environment.ts';
import { getRegion } from '../models/identities-model.ts';
import {
  BACK,
  type Back,
  createSeparator,
  type PickItem,
  pick,
  type StepPosition,
} from '../ui/wizard.ts';
import { pickProfile } from './identity-steps.ts';
import { type RuntimeDraft, validateRegion } from './runtime-draft.ts';
import type { SetupContext } from './setup-context.ts';

/** Regions with AgentCore Runtime, most used first (source: AWS's list of endpoints). */
const REGIONS = [
  'us-east-1',
  'us-east-2',
  'us-west-2',
  'eu-central-1',
  'eu-west-1',
  'eu-west-2',
  'eu-west-3',
  'eu-north-1',
  'ap-south-1',
  'ap-southeast-1',
  'ap-southeast-2',
  'ap-northeast-1',
  'ap-northeast-2',
  'ca-central-1',
];

/** The scope to discover at first. `undefined` if no region is known. */
export async function getDefaultScope(
  draft: RuntimeDraft,
  setup: SetupContext,
): Promise<DiscoveryScope | undefined> {
  const { env, places } = setup;
  const likely = await listLikelyProfiles(draft, setup);
  const profile = likely.length === 1 ? likely[0] : undefined;
  const ofArn = draft.arn?.split(':')[3];
  const region =
    draft.region ?? ofArn ?? places().regions[0] ?? (await readProfileRegion(profile, env()));
  return region ? { profile, region } : undefined;
}

/**
 * Returns the most likely profiles: the configured one, else `default`, else all usable ones. If
 * none is configured and the environment has an access key, returns an empty list.
 */
export async function listLikelyProfiles(
  draft: RuntimeDraft,
  { env, places }: SetupContext,
): Promise<readonly string[]> {
  const named = draft.profile ?? getEnvironmentProfile(env()) ?? places().profiles[0];
  if (named !== undefined) return [named];
  if (env().AWS_ACCESS_KEY_ID) return [];
  const { listProfiles } = await import('../../aws/credentials/profiles.ts');
  const usable = (await listProfiles(env())).filter(({ problem }) => problem === undefined);
  const names = usable.map(({ name }) => name);
  return names.includes('default') ? ['default'] : names;
}

/** Prompts for the profile and the region of another scope. */
export async function chooseScope(
  setup: SetupContext,
  now: DiscoveryScope | undefined,
  position: StepPosition,
): Promise<DiscoveryScope | Back> {
  const inner = { ...position, canGoBack: true };
  for (;;) {
    const chosen = await pickScopeProfile(setup, now?.profile, inner);
    if (chosen === BACK) return BACK;
    const region = await pickRegion(setup, { profile: chosen.profile, now, position: inner });
    if (region !== BACK) return { profile: chosen.profile, region };
  }
}

/** Prompts for the profile of a discovery. */
export function pickScopeProfile(
  setup: SetupContext,
  profile: string | undefined,
  position: StepPosition,
): ReturnType<typeof pickProfile> {
  const placeholder = vscode.l10n.t('Pick the AWS profile to look with');
  return pickProfile(setup, { profile, position, placeholder });
}

async function pickRegion(
  { title, env, store, places }: SetupContext,
  options: {
    readonly profile: string | undefined;
    readonly now: DiscoveryScope | undefined;
    readonly position: StepPosition;
  },
): Promise<string | Back> {
  const { profile, now, position } = options;
  const ofProfile = await readProfileRegion(profile, env());
  const used = store.entries.flatMap((entry) => getRegion(entry) ?? []);
  const near = [...new Set([...(ofProfile ? [ofProfile] : []), ...places().regions, ...used])];
  const item = (region: string): PickItem<string> => ({
    label: region,
    ...(region === ofProfile && { description: vscode.l10n.t('of the profile') }),
    value: region,
  });
  return pick<string>({
    title,
    position,
    placeholder: vscode.l10n.t('Pick the region to look in, or type one'),
    items: [
      ...near.map(item),
      createSeparator(vscode.l10n.t('All regions')),
      ...REGIONS.filter((region) => !near.includes(region)).map(item),
    ],
    isActive: (region) => region === (now?.region ?? ofProfile),
    typed: (text) =>
      validateRegion(text) === undefined && !near.includes(text) && !REGIONS.includes(text)
        ? item(text)
        : undefined,
  });
}

async function readProfileRegion(
  profile: string | undefined,
  env: Environment,
): Promise<string | undefined> {
  const { readServiceSettings } = await import('../../aws/endpoints.ts');
  return (await readServiceSettings('Bedrock AgentCore Control', profile, env)).region;
}
