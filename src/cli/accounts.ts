import { isGatewayArn, parseGatewayArn, parseRuntimeArn } from '../aws/arn.ts';
import {
  describeMismatches,
  getCallerIdentity,
  type Identity,
} from '../aws/credentials/caller-identity.ts';
import type { AssumeRole } from '../aws/credentials/options.ts';
import { checkProfile, writeProfile } from '../aws/credentials/profile-writer.ts';
import { requireRegion } from '../aws/discovery/scopes.ts';
import { openNetwork, readServiceSettings } from '../aws/endpoints.ts';
import { parseRoleArn } from '../aws/iam/policies.ts';
import { getEnvironmentProfile } from '../aws/shared-config.ts';
import { type Account, listAccounts, listRoles } from '../aws/sso/portal-client.ts';
import {
  findSsoSession,
  type SsoChoice,
  type SsoContext,
  type SsoSession,
} from '../aws/sso/sso-session.ts';
import type { Environment } from '../base/environment.ts';
import { AgentCoreError } from '../base/errors.ts';
import { formatDuration, formatTable, formatTime, sanitizeForTerminal } from '../base/format.ts';
import { Network } from '../http/network.ts';
import { INTERRUPTED } from '../programs/main.ts';

// The verbs `accounts` and `whoami`.

interface Streams {
  readonly stdout: NodeJS.WritableStream & { readonly columns?: number };
  readonly stderr: NodeJS.WritableStream;
}

export interface AccountsArguments extends SsoChoice {
  /** Name of the profile to write. Requires `account` and `role`. */
  readonly write?: string | undefined;
  readonly account?: string | undefined;
  readonly role?: string | undefined;
  readonly region?: string | undefined;
  /** Whether to replace an existing profile. */
  readonly replace?: boolean | undefined;
  readonly json?: boolean | undefined;
}

/**
 * Runs the verb `accounts`: lists the accounts and roles of an SSO session, or writes a profile for
 * one of them.
 *
 * @returns 0; 1 if the roles of an account could not be listed; 130 if cancelled.
 * @throws {AgentCoreError} `usage` or `config` if no session is configured or the profile is
 *   invalid; otherwise like {@link listAccounts}.
 */
export async function runAccounts(
  options: AccountsArguments,
  env: Environment,
  streams: Streams,
  signal: AbortSignal,
): Promise<number> {
  checkOptions(options);
  const session = await findSsoSession(options, env);
  const context = { env, network: await openNetwork(session.profile, env) };
  try {
    return options.write === undefined
      ? await list(session, context, options, streams, signal)
      : await write(options.write, session, context, options, streams, signal);
  } catch (thrown) {
    if (signal.aborted) return INTERRUPTED;
    throw thrown;
  }
}

function checkOptions({ write, account, role, region, replace }: AccountsArguments): void {
  if (write !== undefined && (account === undefined || role === undefined)) {
    throw new AgentCoreError(
      'usage',
      'Name the account and the role too: --account ID --role NAME',
    );
  }
  if (write === undefined && (account ?? role ?? region ?? replace) !== undefined) {
    throw new AgentCoreError('usage', 'Name the profile to write too: --write NAME');
  }
}

async function list(
  session: SsoSession,
  context: SsoContext,
  { json }: AccountsArguments,
  streams: Streams,
  signal: AbortSignal,
): Promise<number> {
  const { accounts, problems } = await listAccounts(session, context, signal);
  if (json) {
    streams.stdout.write(`${JSON.stringify({ accounts, problems }, null, 2)}\n`);
  } else if (accounts.length === 0) {
    streams.stdout.write(
      'This login has access to no account. Ask your AWS administrator for one.\n',
    );
  } else {
    const { columns = Infinity } = streams.stdout;
    const rows = [['ACCOUNT', 'NAME', 'ROLE'], ...accounts.flatMap(createRows)];
    streams.stdout.write(formatTable(rows, columns));
  }
  for (const problem of problems) streams.stderr.write(`${sanitizeForTerminal(problem)}\n`);
  return problems.length > 0 ? 1 : 0;
}

function createRows({ id, name, roles }: Account): string[][] {
  const shown = roles.length > 0 ? roles : ['-'];
  return shown.map((role) => [id, name, role].map(sanitizeForTerminal));
}

async function write(
  name: string,
  session: SsoSession,
  context: SsoContext,
  options: AccountsArguments,
  { stdout }: Streams,
  signal: AbortSignal,
): Promise<number> {
  const { account: accountId = '', role: roleName = '', region, replace, json } = options;
  const profile = { name, session, accountId, roleName, region };
  await checkProfile(profile, context.env);
  const roles = await listRoles(session, accountId, context, signal);
  if (!roles.includes(roleName)) {
    const choice = roles.length > 0 ? `it has ${roles.join(', ')}` : 'it has no role for you';
    throw new AgentCoreError('usage', `Account ${accountId} has no role "${roleName}": ${choice}`);
  }
  const { env } = context;
  const path = await writeProfile(profile, { env, replace, signal });
  stdout.write(
    json
      ? `${JSON.stringify({ profile: name, path })}\n`
      : `Wrote profile "${name}" to ${path}. Use it with AWS_PROFILE=${name}\n`,
  );
  return 0;
}

interface WhoAmIStreams {
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream;
}

export interface WhoAmIArguments {
  readonly profile?: string | undefined;
  readonly region?: string | undefined;
  /** Role to assume first. */
  readonly role?: string | undefined;
  /** ARN of a runtime or gateway. Warns if its account or region differs from the caller's. */
  readonly runtime?: string | undefined;
  readonly json?: boolean | undefined;
}

const SESSION_NAME = 'agentcore-mcp';

/**
 * Runs the verb `whoami`: prints the caller identity of the credentials in use.
 *
 * @returns 0.
 * @throws {AgentCoreError} `usage` for an invalid ARN or region, `credentials` if there are no
 *   valid ones, `connection` if STS was unreachable.
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
 * Creates the role to assume, with the session name of this program.
 *
 * @throws {AgentCoreError} `usage` if the text is not a role ARN.
 */
export function parseAssumeRole(arn: string): AssumeRole {
  return { arn: parseRoleArn(arn), sessionName: SESSION_NAME };
}

/** Formats an identity. Example: `role Reader (alice)`. */
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
