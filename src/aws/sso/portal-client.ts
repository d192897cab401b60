import {
  type AccountInfo,
  GetRoleCredentialsCommand,
  LogoutCommand,
  paginateListAccountRoles,
  paginateListAccounts,
  SSOClient,
} from '@aws-sdk/client-sso';
import type { AwsCredentialIdentity } from '@smithy/types';
import { mapConcurrent } from '../../base/async.ts';
import { AgentCoreError, getErrorMessage } from '../../base/errors.ts';
import { call, connectService, type ServiceConnection } from './service-client.ts';
import {
  formatLoginCommand,
  formatSsoSessionName,
  type SsoContext,
  type SsoSession,
} from './sso-session.ts';
import { readToken, removeToken } from './token-cache.ts';
import { requireToken } from './token-refresh.ts';

/** An AWS account available to the signed-in user. */
export interface Account {
  /** Twelve digits. */
  readonly id: string;
  readonly name: string;
  readonly email: string | undefined;
  /** Sorted role names. Identity Center calls them permission sets. */
  readonly roles: readonly string[];
}

interface AccountListing {
  /** Sorted by name. If the roles of an account could not be listed, it has none. */
  readonly accounts: readonly Account[];
  /** One sentence for each account whose roles could not be listed. */
  readonly problems: readonly string[];
}

/** Concurrent ListAccountRoles calls. Identity Center throttles more. */
const ACCOUNT_CONCURRENCY = 4;

/** Maximum attempts of a throttled call, with increasing delays. */
const MAX_ATTEMPTS = 6;

/**
 * Lists the accounts and roles available with the session's login.
 *
 * @throws {AgentCoreError} `credentials` if no user is signed in or AWS has revoked the login,
 * `connection`, `timeout` or `upstream` if the accounts cannot be listed.
 * @throws the signal's reason if the signal aborts.
 */
export async function listAccounts(
  session: SsoSession,
  context: SsoContext,
  signal: AbortSignal,
): Promise<AccountListing> {
  const { accessToken } = await requireToken(session, context, signal);
  return withPortal(session, context, async (portal) => {
    const infos = await portal.accounts(accessToken, signal);
    const accounts: Account[] = [];
    const problems: string[] = [];
    const describe = async (info: AccountInfo) => {
      const { accountId: id = '', accountName: name = id, emailAddress: email } = info;
      let roles: readonly string[] = [];
      try {
        roles = await portal.roles(accessToken, id, signal);
      } catch (thrown) {
        signal.throwIfAborted();
        if (isRevoked(thrown)) throw thrown;
        problems.push(getErrorMessage(thrown));
      }
      accounts.push({ id, name, email, roles });
    };
    await mapConcurrent(infos, ACCOUNT_CONCURRENCY, describe);
    accounts.sort((one, other) => one.name.localeCompare(other.name));
    return { accounts, problems: problems.sort() };
  });
}

/** Returns the roles of one account, sorted. Throws like {@link listAccounts}. */
export async function listRoles(
  session: SsoSession,
  account: string,
  context: SsoContext,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const { accessToken } = await requireToken(session, context, signal);
  return withPortal(session, context, (portal) => portal.roles(accessToken, account, signal));
}

/**
 * Gets the credentials of a role with a login.
 *
 * @throws {AgentCoreError} `credentials` with `status` in its data if AWS denies access;
 * `connection`, `timeout` or `upstream`.
 * @throws the signal's reason if the signal aborts.
 */
export async function readRoleCredentials(
  session: SsoSession,
  request: { readonly accountId: string; readonly roleName: string; readonly accessToken: string },
  context: SsoContext,
  signal: AbortSignal,
): Promise<AwsCredentialIdentity> {
  return withPortal(session, context, (portal) => portal.roleCredentials(request, signal));
}

interface Logout {
  /** False if there was no login. */
  readonly wasSignedIn: boolean;
  /**
   * The reason if AWS could not be notified. Sessions from this login may then last until they
   * expire.
   */
  readonly problem: string | undefined;
}

/** Ends the session's login at AWS and removes the token, even if the call to AWS fails. */
export async function logout(
  session: SsoSession,
  context: SsoContext,
  signal: AbortSignal,
): Promise<Logout> {
  const token = await readToken(session, context.env);
  let problem: string | undefined;
  try {
    if (token) {
      await withPortal(session, context, (portal) => portal.logout(token.accessToken, signal));
    }
  } catch (thrown) {
    // An expired or revoked login has already ended.
    if (!isRevoked(thrown)) problem = getErrorMessage(thrown);
  }
  return { wasSignedIn: await removeToken(session, context.env), problem };
}

async function withPortal<T>(
  session: SsoSession,
  context: SsoContext,
  work: (portal: Portal) => Promise<T>,
): Promise<T> {
  const { endpointProvider } = new SSOClient({ region: session.region }).config;
  const connection = await connectService('SSO', endpointProvider, session, context);
  try {
    return await work(new Portal(session, connection));
  } finally {
    connection.close();
  }
}

/** Client for the access portal. The token alone authorizes its calls. */
class Portal {
  readonly #session: SsoSession;
  readonly #endpoint: URL;
  readonly #client: SSOClient;

  constructor(session: SsoSession, { endpoint, settings }: ServiceConnection) {
    this.#session = session;
    this.#endpoint = endpoint;
    this.#client = new SSOClient({ ...settings, maxAttempts: MAX_ATTEMPTS });
  }

  async accounts(accessToken: string, signal: AbortSignal): Promise<AccountInfo[]> {
    const abort = { abortSignal: signal };
    const pages = paginateListAccounts(this.#paging, { accessToken }, abort);
    const all = await this.#readAll('Could not list accounts', signal, pages);
    return all.flatMap(({ accountList = [] }) => accountList);
  }

  async roles(accessToken: string, accountId: string, signal: AbortSignal): Promise<string[]> {
    const abort = { abortSignal: signal };
    const pages = paginateListAccountRoles(this.#paging, { accessToken, accountId }, abort);
    const all = await this.#readAll(`Could not list the roles of ${accountId}`, signal, pages);
    return all
      .flatMap(({ roleList = [] }) => roleList)
      .flatMap(({ roleName }) => roleName ?? [])
      .sort();
  }

  async roleCredentials(
    request: {
      readonly accountId: string;
      readonly roleName: string;
      readonly accessToken: string;
    },
    signal: AbortSignal,
  ): Promise<AwsCredentialIdentity> {
    const what = 'Could not get the role credentials';
    const { roleCredentials: found } = await call(what, this.#endpoint, signal, (options) =>
      this.#client.send(new GetRoleCredentialsCommand(request), options),
    );
    if (!found?.accessKeyId || !found.secretAccessKey || !found.sessionToken) {
      throw new AgentCoreError('upstream', `${what}: the answer has no credentials`);
    }
    return {
      accessKeyId: found.accessKeyId,
      secretAccessKey: found.secretAccessKey,
      sessionToken: found.sessionToken,
      ...(found.expiration && { expiration: new Date(found.expiration) }),
      accountId: request.accountId,
    };
  }

  async logout(accessToken: string, signal: AbortSignal): Promise<void> {
    await this.#call('Could not notify AWS of the logout', signal, (options) =>
      this.#client.send(new LogoutCommand({ accessToken }), options),
    );
  }

  /** An unchanged token would cause an endless loop. */
  get #paging() {
    return { client: this.#client, stopOnSameToken: true };
  }

  async #readAll<Page>(
    what: string,
    signal: AbortSignal,
    pages: AsyncGenerator<Page, unknown, undefined>,
  ): Promise<Page[]> {
    const all: Page[] = [];
    for (;;) {
      const { done, value } = await this.#call(what, signal, () => pages.next());
      if (done) return all;
      all.push(value);
    }
  }

  async #call<T>(
    what: string,
    signal: AbortSignal,
    send: (options: { readonly abortSignal: AbortSignal }) => Promise<T>,
  ): Promise<T> {
    try {
      return await call(what, this.#endpoint, signal, send);
    } catch (thrown) {
      if (!isRevoked(thrown)) throw thrown;
      throw new AgentCoreError(
        'credentials',
        `AWS no longer accepts the login to ${formatSsoSessionName(this.#session)}: run "${formatLoginCommand(this.#session)} --force"`,
        { cause: thrown, data: { status: 401 } },
      );
    }
  }
}

function isRevoked(thrown: unknown): boolean {
  return thrown instanceof AgentCoreError && thrown.data?.status === 401;
}
