import { ANY_LOCAL_TOKEN } from '../authorization/jwt-authorizer.ts';
import type { RuntimeConfig } from '../config.ts';
import type { GatewayConfig } from './gateway.ts';
import type { GatewaySettings, TargetSettings } from './gateway-config.ts';

type CommandSettings = Extract<TargetSettings, { readonly command: unknown }>;

interface Naming {
  /** `arn:PARTITION:bedrock-agentcore:REGION:ACCOUNT:`, before the resource type. */
  readonly arnPrefix: string;
  /** Ten characters derived from a name. */
  suffixOf(name: string): string;
  /** The runtime for a target with its own command. */
  runtimeOf(name: string, settings: CommandSettings): RuntimeConfig;
}

/** Resolves the gateways of a configuration. */
export function resolveGateways(
  gateways: Readonly<Record<string, GatewaySettings>>,
  { arnPrefix, suffixOf, runtimeOf }: Naming,
): GatewayConfig[] {
  return Object.entries(gateways).map(([name, settings]) => {
    const gatewayId = `${name.toLowerCase()}-${suffixOf(name)}`;
    const { authorizer, sessions, sessionTimeout } = settings;
    return {
      name,
      gatewayId,
      arn: `${arnPrefix}gateway/${gatewayId}`,
      authorizer: authorizer === 'CUSTOM_JWT' ? ANY_LOCAL_TOKEN : authorizer,
      targets: Object.entries(settings.targets).map(([target, server]) => ({
        name: target,
        targetId: suffixOf(`${name} ${target}`).toUpperCase(),
        server: 'runtime' in server ? server.runtime : runtimeOf(`${name}-${target}`, server),
      })),
      sessions,
      sessionTimeout,
    };
  });
}
