import * as vscode from 'vscode';
import { parseRuntimeArn } from '../../aws/arn.ts';
import { getCallability, getTargetKind } from '../../aws/discovery/callability.ts';
import type { DiscoveredScope } from '../../aws/discovery/discovery.ts';
import type {
  DiscoveredEndpoint,
  DiscoveredGateway,
  DiscoveredRuntime,
  DiscoveryScope,
  Problem,
} from '../../aws/discovery/model.ts';
import { getEnvironmentProfile } from '../../aws/shared-config.ts';
import type { Environment } from '../../base/environment.ts';
import { formatDuration } from '../../base/format.ts';
import { getRegion } from '../models/identities-model.ts';
import { UserCancelledError } from '../servers/preparation.ts';
import { showError } from '../ui/errors.ts';
import {
  askText,
  BACK,
  type Back,
  createSeparator,
  type FlowStep,
  type PickItem,
  type PickList,
  pick,
  type StepPosition,
} from '../ui/wizard.ts';
import { pickProfile } from './identity-steps.ts';
import {
  isAddress,
  isGateway,
  type RuntimeDraft,
  validateArn,
  validateEndpoint,
  validateRegion,
  withFound,
  withTarget,
} from './runtime-draft.ts';
import type { SetupContext } from './setup-context.ts';

// The target steps of the setup: a discovered runtime or gateway, an ARN, and the endpoint.

type Target = DiscoveredRuntime | DiscoveredGateway;

type Answer =
  | { readonly kind: 'target'; readonly target: Target }
  | { readonly kind: 'typed'; readonly arn: string }
  /** `text` is the typed text, if the user presses Enter before the list is updated. */
  | { readonly kind: 'enter'; readonly text: string }
  | { readonly kind: 'elsewhere' }
  | { readonly kind: 'problem'; readonly problem: Problem }
  | { readonly kind: 'unusable'; readonly sentence: string };

/** Creates the target step of the setup: a discovered runtime or gateway, or an ARN. */
export function createTargetStep(setup: SetupContext): FlowStep<RuntimeDraft> {
  return {
    async ask(begin, position) {
      let draft = begin;
      if ((await listLikelyProfiles(draft, setup)).length > 1) {
        // Ask, because the first profile of the file can belong to another account.
        const chosen = await pickScopeProfile(setup, undefined, position);
        if (chosen === BACK) return BACK;
        draft = { ...draft, profile: chosen.profile };
      }
      let place = await getDefaultScope(draft, setup);
      let hint: string | undefined;
      for (;;) {
        const answer = await pickTarget(setup, { draft, place, position, hint });
        hint = undefined;
        if (answer === BACK) return BACK;
        switch (answer.kind) {
          case 'target':
            return withTarget(
              { ...draft, profile: place?.profile },
              answer.target.arn,
              answer.target,
            );
          case 'typed':
            return withTarget(draft, answer.arn);
          case 'enter': {
            if (answer.text && validateArn(answer.text) === undefined) {
              return withTarget(draft, answer.text);
            }
            // Show the typed text again, so the user can correct it.
            const typed = isAddress(answer.text) ? answer.text : draft.arn;
            const arn = await askArn(setup, typed, { ...position, canGoBack: true });
            if (arn !== BACK) return withTarget(draft, arn);
            break;
          }
          case 'elsewhere': {
            const chosen = await chooseScope(setup, place, position);
            if (chosen === BACK) break;
            place = chosen;
            draft = { ...draft, profile: chosen.profile, region: chosen.region };
            break;
          }
          case 'problem':
            hint = await handleProblem(answer.problem, setup);
            break;
          case 'unusable':
            hint = answer.sentence;
        }
      }
    },
  };
}

/** Creates the target step of the setup without discovery: only an ARN. */
export function createArnStep(setup: SetupContext): FlowStep<RuntimeDraft> {
  return {
    async ask(draft, position) {
      const arn = await askArn(setup, draft.arn, position);
      return arn === BACK ? BACK : withTarget(draft, arn);
    },
  };
}

function askArn(
  { title }: SetupContext,
  value: string | undefined,
  position: StepPosition,
): Promise<string | Back> {
  return askText({
    title,
    position,
    prompt: vscode.l10n.t('The ARN of a runtime, of one of its endpoints, or of a gateway'),
    placeholder: 'arn:aws:bedrock-agentcore:REGION:ACCOUNT:runtime/RUNTIME_ID',
    value,
    check: validateArn,
  });
}

function pickTarget(
  setup: SetupContext,
  options: {
    readonly draft: RuntimeDraft;
    readonly place: DiscoveryScope | undefined;
    readonly position: StepPosition;
    readonly hint: string | undefined;
  },
): Promise<Answer | Back> {
  const { draft, place, position, hint } = options;
  const where = place && formatScope(place);
  // The user can press Enter before the list contains the pasted ARN.
  const enter = { kind: 'enter' as const, text: '' };
  const fixed: readonly PickItem<Answer>[] = [
    {
      label: `$(link) ${vscode.l10n.t('Enter an ARN…')}`,
      value: enter,
      alwaysShow: true,
    },
    {
      label: `$(globe) ${where ? vscode.l10n.t('Other Profile or Region…') : vscode.l10n.t('Choose Profile and Region…')}`,
      description: where ?? '',
      value: { kind: 'elsewhere' },
      alwaysShow: true,
    },
  ];
  let wasRead = false;
  const fill = async (list: PickList<Answer>, refresh = false) => {
    if (!place) return;
    list.busy(true);
    const discovery = await setup.discovery();
    const { signal } = list;
    try {
      for await (const found of discovery.discover({ places: [place], refresh, signal })) {
        list.show([...fixed, ...createTargetItems(found, Date.now())]);
      }
    } catch (thrown) {
      if (!signal.aborted) throw thrown;
    }
    wasRead = true;
    list.busy(false);
  };
  return pick<Answer>({
    title: setup.title,
    position,
    placeholder: hint ?? vscode.l10n.t('Pick a runtime or a gateway, or paste an ARN'),
    items: fixed,
    isActive: (answer) => answer.kind === 'target' && answer.target.arn === draft.arn,
    fill,
    typed: (text) => {
      enter.text = text;
      return isAddress(text) ? createTypedItem(text) : undefined;
    },
    buttons: [
      {
        icon: 'refresh',
        tooltip: vscode.l10n.t('Refresh'),
        run: async (list) => {
          if (wasRead) await fill(list, true);
        },
      },
    ],
  });
}

function createTypedItem(arn: string): PickItem<Answer> {
  const verdict = validateArn(arn);
  return verdict === undefined
    ? {
        label: `$(check) ${vscode.l10n.t('Use this ARN')}`,
        detail: arn,
        value: { kind: 'typed', arn },
      }
    : { label: `$(warning) ${verdict}`, value: { kind: 'enter', text: arn } };
}

/** Converts the results of a scope to items: usable targets, problems and other targets. */
export function createTargetItems(
  found: DiscoveredScope,
  now: number,
): readonly PickItem<Answer>[] {
  const { place, runtimes, gateways, problems, isDone } = found;
  const targets: readonly Target[] = [...(runtimes?.items ?? []), ...(gateways?.items ?? [])];
  const isUsable = (target: Target) => getCallability(target).asServer !== 'no';
  const usable = targets.filter(isUsable);
  const others = targets.filter((target) => !isUsable(target));
  const readAt = runtimes?.readAt ?? gateways?.readAt;
  const age = readAt === undefined ? 0 : now - Date.parse(readAt);
  const heading =
    age > 60_000
      ? vscode.l10n.t('{0}, read {1} ago', formatScope(place), formatDuration(age))
      : formatScope(place);
  return [
    createSeparator(heading),
    ...usable.map((target) => createTargetItem(target, isDone)),
    ...(isDone && targets.length === 0 && problems.length === 0 ? [createEmptyItem(place)] : []),
    ...(problems.length > 0 ? [createSeparator(vscode.l10n.t('Problems'))] : []),
    ...problems.map(createProblemItem),
    ...(others.length > 0 ? [createSeparator(vscode.l10n.t('No MCP servers'))] : []),
    ...others.map(createUnusableItem),
  ];
}

function createTargetItem(target: Target, isDone: boolean): PickItem<Answer> {
  const isRead = isDone || getCallability(target).asServer !== 'unknown';
  return {
    label: `$(${target.kind === 'gateway' ? 'plug' : 'server'}) ${target.name}`,
    description: isRead ? getTargetKind(target) : vscode.l10n.t('loading'),
    detail: [target.description, formatEndpoint(target), formatTargetStatus(target)]
      .filter(Boolean)
      .join(' · '),
    value: { kind: 'target', target },
  };
}

function createUnusableItem(target: Target): PickItem<Answer> {
  const { kind, sentence } = getCallability(target);
  return {
    label: `$(circle-slash) ${target.name}`,
    description: kind,
    detail: sentence,
    value: { kind: 'unusable', sentence: `${target.name}: ${sentence}` },
  };
}

function createProblemItem(problem: Problem): PickItem<Answer> {
  const help = {
    denied: vscode.l10n.t('Copy the required IAM statement'),
    credentials: problem.unconfirmed
      ? vscode.l10n.t('Review the command')
      : vscode.l10n.t('Sign in'),
  }[problem.kind as string];
  return {
    label: `$(warning) ${problem.sentence}`,
    ...(help && { detail: help }),
    value: { kind: 'problem', problem },
    alwaysShow: true,
  };
}

function createEmptyItem(place: DiscoveryScope): PickItem<Answer> {
  const sentence = vscode.l10n.t('There are no runtimes and gateways in {0}.', formatScope(place));
  return { label: `$(info) ${sentence}`, value: { kind: 'elsewhere' } };
}

function formatEndpoint(target: Target): string | undefined {
  if (target.kind === 'gateway') return undefined;
  const names = target.endpoints?.map(({ name, liveVersion }) =>
    liveVersion ? vscode.l10n.t('{0} (version {1})', name, liveVersion) : name,
  );
  return names?.join(', ');
}

function formatTargetStatus({ status }: Target): string | undefined {
  return status === 'READY' ? undefined : status.toLowerCase().replaceAll('_', ' ');
}

function formatScope({ profile, region }: DiscoveryScope): string {
  return `${profile ?? vscode.l10n.t('environment')} · ${region}`;
}

/**
 * Helps with the picked problem: copies a statement, signs in or shows a command.
 *
 * @returns the placeholder of the list afterwards.
 */
async function handleProblem(problem: Problem, setup: SetupContext): Promise<string | undefined> {
  const { denial, kind, place, unconfirmed } = problem;
  if (denial) {
    const { createMissingStatements, formatStatement } = await import(
      '../../aws/iam/access-denied.ts'
    );
    const [statement] = createMissingStatements([denial]);
    if (!statement) return problem.sentence;
    await vscode.env.clipboard.writeText(formatStatement(statement));
    return vscode.l10n.t('Copied the statement that is missing in the IAM policy');
  }
  if (kind !== 'credentials') return undefined;
  if (unconfirmed) {
    await setup.review(unconfirmed);
    return undefined;
  }
  try {
    await setup.signIn(place.profile);
  } catch (thrown) {
    if (!(thrown instanceof UserCancelledError)) void showError(thrown);
  }
  return undefined;
}

const DEFAULT_ENDPOINT = 'DEFAULT';

/** Creates the endpoint step of the setup. The list shows the version of each endpoint. */
export function createEndpointStep(setup: SetupContext): FlowStep<RuntimeDraft> {
  return {
    applies: (draft) => !isGateway(draft),
    async ask(draft, position) {
      const arn = draft.arn as string;
      const current = draft.qualifier ?? DEFAULT_ENDPOINT;
      const isKnown = (name: string) =>
        createEndpointItems(known?.endpoints, current).some(({ label }) => label === name);
      let known = draft.found?.kind === 'runtime' ? draft.found : undefined;
      const answer = await pick<string>({
        title: setup.title,
        position,
        placeholder: vscode.l10n.t('Pick the endpoint to call, or type its name'),
        items: createEndpointItems(known?.endpoints, current),
        isActive: (name) => name === current,
        typed: (text) =>
          validateEndpoint(text) === undefined && !isKnown(text)
            ? { label: vscode.l10n.t('Use the endpoint {0}', text), value: text }
            : undefined,
        ...(known?.endpoints === undefined && {
          fill: async (list: PickList<string>) => {
            for await (const found of find(arn, draft, setup, list.signal)) {
              known = found;
              list.show(createEndpointItems(found.endpoints, current));
            }
          },
        }),
      });
      if (answer === BACK) return BACK;
      // AgentCore uses DEFAULT if the request contains no qualifier.
      const qualifier = answer === DEFAULT_ENDPOINT ? undefined : answer;
      return withFound({ ...draft, qualifier }, known);
    },
  };
}

/** Discovers a runtime entered by ARN, to get its endpoints and its authorizer. */
async function* find(
  arn: string,
  { profile }: RuntimeDraft,
  setup: SetupContext,
  signal: AbortSignal,
): AsyncGenerator<DiscoveredRuntime> {
  const place = { profile, region: parseRuntimeArn(arn).region };
  try {
    const discovery = await setup.discovery();
    const request = { places: [place], gateways: false, signal };
    for await (const { runtimes } of discovery.discover(request)) {
      const found = runtimes?.items.find((runtime) => runtime.arn === arn);
      if (found) yield found;
    }
  } catch {
    // Without the permission to list endpoints, the user can still type a name.
  }
}

export function createEndpointItems(
  endpoints: readonly DiscoveredEndpoint[] | undefined,
  current: string,
): readonly PickItem<string>[] {
  const known = endpoints ?? [];
  const names = new Set([...known.map(({ name }) => name), DEFAULT_ENDPOINT, current]);
  return [...names].map((name) => {
    const endpoint = known.find((one) => one.name === name);
    return {
      label: name,
      description: endpoint ? formatEndpointDescription(endpoint) : '',
      value: name,
    };
  });
}

function formatEndpointDescription({
  liveVersion,
  targetVersion,
  status,
}: DiscoveredEndpoint): string {
  return [
    liveVersion && vscode.l10n.t('version {0}', liveVersion),
    targetVersion && vscode.l10n.t('updating to version {0}', targetVersion),
    status !== 'READY' && status.toLowerCase().replaceAll('_', ' '),
  ]
    .filter(Boolean)
    .join(' · ');
}

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
async function getDefaultScope(
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
async function listLikelyProfiles(
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
async function chooseScope(
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
function pickScopeProfile(
  setup: SetupContext,
  profile: string | undefined,
  position: StepPosition,
): ReturnType<typeof pickProfile> {
  const placeholder = vscode.l10n.t('Pick the AWS profile for the search');
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
    placeholder: vscode.l10n.t('Pick the region to search, or type one'),
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
