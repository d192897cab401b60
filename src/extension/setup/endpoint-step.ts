import * as vscode from 'vscode';
import { parseRuntimeArn } from '../../aws/arn.ts';
import type { DiscoveredEndpoint, DiscoveredRuntime } from '../../aws/discovery/model.ts';
import { type PickItem, type PickList, pick } from './quick-steps.ts';
import { isGateway, type RuntimeDraft, withFound } from './runtime-draft.ts';
import type { SetupContext } from './setup-context.ts';
import { BACK, type FlowStep } from './step-flow.ts';
import { validateEndpoint } from './typed-input.ts';

const DEFAULT_ENDPOINT = 'DEFAULT';

/** Prompts for the endpoint of the runtime and shows the version of each. */
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
      // AgentCore uses DEFAULT if no qualifier is sent.
      const qualifier = answer === DEFAULT_ENDPOINT ? undefined : answer;
      return withFound({ ...draft, qualifier }, known);
    },
  };
}

/** Discovers a runtime that the user entered by ARN, for its endpoints and authorizer. */
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
    // Without permission to list endpoints, the user can still type a name.
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
    targetVersion && vscode.l10n.t('version {0} on its way', targetVersion),
    status !== 'READY' && status.toLowerCase().replaceAll('_', ' '),
  ]
    .filter(Boolean)
    .join(' · ');
}
