import { parseRuntimeArn } from '../aws/arn.ts';
import type { AssumeRole } from '../aws/credentials/credentials-options.ts';
import { requireRegion } from '../aws/discovery/place.ts';
import { describeMismatches, getCallerIdentity, type Identity } from '../aws/discovery/who-am-i.ts';
import { getEnvironmentProfile } from '../aws/environment-profile.ts';
import { isGatewayArn, parseGatewayArn } from '../aws/iam/gateway-arn.ts';
import { parseRoleArn } from '../aws/iam/trust-policy.ts';
import { Network } from '../aws/network.ts';
import { readServiceSettings } from '../aws/shared-config.ts';
import type { Environment } from '../environment.ts';
import { formatDuration, formatTime, sanitizeForTerminal } from '../sessions/session-words.ts';
import { formatTable } from './text-table.ts';

interface WhoAmIStreams {
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream;
}

export interface WhoAmIArguments {
  readonly profile?: string | undefined;
  readonly region?: string | undefined;
  /** Role to assume first. */
  readonly role?: string | undefined;
  /** Runtime or gateway to check these credentials against. */
  readonly runtime?: string | undefined;
  readonly json?: boolean | undefined;
}

const SESSION_NAME = 'agentcore-mcp';

/**
 * Prints the identity of the programs' credentials, and warns if it does not match the runtime.
 *
 * @throws {AgentCoreError} `usage` for an invalid ARN or region, `credentials` if there are no
 * valid ones, `connection` if STS was unreachable.
 */
export async function runWhoAmI(
  options: WhoAmIArguments,
  env: Environment,
  streams: WhoAmIStreams,
): Promise<number> {
  if (options.region !== undefined) requireRegion(options.region);
  const target = options.runtime && parseTargetArn(options.runtime);
  const assumeRole = options.role ? parseAssumeRole(options.role) : undefined;
  const profile = options.profile ?? getEnvironmentProfile(env);
  const settings = await readServiceSettings('Bedrock AgentCore', profile, env);
  const region = options.region ?? settings.region;
  const network = new Network(env, settings.caBundle);
  const identity = await getCallerIdentity({ profile, region, assumeRole, env, network });
  const { regionProblem } = settings;
  const warnings = [
    ...(settings.warnings ?? []),
    ...(regionProblem && options.region === undefined ? [regionProblem] : []),
    ...(target ? describeMismatches(identity, target) : []),
  ];
  if (options.json) {
    streams.stdout.write(`${JSON.stringify({ ...identity, warnings }, null, 2)}\n`);
    return 0;
  }
  streams.stdout.write(formatIdentityReport(identity, Date.now()));
  for (const warning of warnings) streams.stderr.write(`${sanitizeForTerminal(warning)}.\n`);
  return 0;
}

/**
 * @throws {AgentCoreError} `usage`
 */
export function parseAssumeRole(arn: string): AssumeRole {
  return { arn: parseRoleArn(arn), sessionName: SESSION_NAME };
}

/** Short form of an identity: `role Reader (alice)`. */
export function formatIdentity({ kind, name, sessionName, arn }: Identity): string {
  if (kind === 'unknown') return arn;
  if (kind === 'root') return 'the root user';
  const session = sessionName ? ` (${sessionName})` : '';
  return `${kind.replace('-', ' ')} ${name}${session}`;
}

function formatIdentityReport(identity: Identity, now: number): string {
  const { expiresAt } = identity;
  const facts: readonly (readonly [string, string])[] = [
    ['Account', identity.account],
    ['Identity', formatIdentity(identity)],
    ['ARN', identity.arn],
    ['Region', identity.region ?? 'none: set AWS_REGION, or add "region = …" to the profile'],
    ['Credentials', identity.source],
    ['Expiry', expiresAt === undefined ? 'none' : formatExpiry(expiresAt, now)],
  ];
  return formatTable(facts.map(([name, value]) => [name, sanitizeForTerminal(value)]));
}

function formatExpiry(expiresAt: string, now: number): string {
  const left = Date.parse(expiresAt) - now;
  return left > 0 ? `${formatTime(expiresAt)}, in ${formatDuration(left)}` : 'expired';
}

function parseTargetArn(arn: string): string {
  return isGatewayArn(arn) ? parseGatewayArn(arn).arn : parseRuntimeArn(arn).arn;
}
