import { openNetwork } from '../aws/shared-config.ts';
import { type Account, listAccounts, listRoles } from '../aws/sso/portal.ts';
import { checkProfile, writeProfile } from '../aws/sso/profile-writer.ts';
import type { SsoContext } from '../aws/sso/sso-context.ts';
import { findSsoSession, type SsoChoice, type SsoSession } from '../aws/sso/sso-session.ts';
import type { Environment } from '../environment.ts';
import { AgentCoreError } from '../error.ts';
import { sanitizeForTerminal } from '../sessions/session-words.ts';
import { INTERRUPTED } from './ending.ts';
import { formatTable } from './text-table.ts';

interface Streams {
  readonly stdout: NodeJS.WritableStream & { readonly columns?: number };
  readonly stderr: NodeJS.WritableStream;
}

export interface AccountsArguments extends SsoChoice {
  /** Name of a profile to write, with `account`, `role` and `region`. */
  readonly write?: string | undefined;
  readonly account?: string | undefined;
  readonly role?: string | undefined;
  readonly region?: string | undefined;
  /** Whether an existing profile may be changed. */
  readonly replace?: boolean | undefined;
  readonly json?: boolean | undefined;
}

/**
 * Lists the accounts and roles of an SSO session's login, or writes a profile for one of them.
 *
 * @returns 0; 1 if the roles of an account could not be listed; 130 if cancelled.
 * @throws {AgentCoreError} `usage` or `config` if no session is configured or the profile is
 * invalid; otherwise like {@link listAccounts}.
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
    streams.stdout.write('This login gives access to no account. Ask who manages it for one.\n');
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
    const choice = roles.length > 0 ? `it has ${roles.join(', ')}` : 'it has none for you';
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
