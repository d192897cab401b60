import { createHash } from 'node:crypto';
import type { PlatformErrorKind, SSO_OPERATIONS } from '../../config/faults.ts';
import type { SsoAccount, SsoConfig, SsoRole } from '../../config/identity-schema.ts';
import type { ResolvedConfig } from '../../config/schema.ts';
import type { FaultTarget } from '../../core/fault-injector.ts';
import { type Answer, createRestErrorResponse, createStatusResponse } from '../../http/errors.ts';
import type { Dialect, HttpExchange } from '../../http/exchange.ts';
import { type AwsService, paginate } from '../../http/service.ts';
import { createPrincipalId, type Principal } from '../../identity/access-keys.ts';
import { answerWithFault, isAnswerFault, recordFault } from '../../invocations/fault-effects.ts';
import type { Platform } from '../platform.ts';
import { ACCOUNT_ACCESS, type IdentityCenter } from './sign-ins.ts';

// The SSO portal: its API, its errors, and the principals of its role credentials.

const MAX_BODY_BYTES = 100_000;

const MAX_RESULTS = 100;

const TOKEN_HEADER = 'x-amz-sso_bearer_token';

const BAD_TOKEN = 'Session token not found or invalid';

type Operation = (typeof SSO_OPERATIONS)[number];

const OPERATIONS: Readonly<Record<string, Operation>> = {
  'GET /assignment/accounts': 'ListAccounts',
  'GET /assignment/roles': 'ListAccountRoles',
  'GET /federation/credentials': 'GetRoleCredentials',
  'POST /logout': 'Logout',
};

/** The API of the SSO portal: accounts, roles and role credentials of a signed-in user. */
export class PortalApi implements AwsService {
  readonly #platform: Platform;
  readonly #center: IdentityCenter;

  constructor(platform: Platform, center: IdentityCenter) {
    this.#platform = platform;
    this.#center = center;
  }

  claims(exchange: HttpExchange): boolean {
    return findOperation(exchange) !== undefined;
  }

  async handle(exchange: HttpExchange): Promise<void> {
    const operation = findOperation(exchange);
    if (!operation) return;
    exchange.record.operation = 'sso';
    exchange.record.rpcMethod = operation;
    // Read the body of Logout, which is empty.
    if ((await exchange.readBody(MAX_BODY_BYTES)) === 'disconnected') return;
    const token = exchange.header(TOKEN_HEADER) ?? '';
    const user = this.#center.signIns.findUser(token, ACCOUNT_ACCESS);
    const accounts = user === undefined ? undefined : this.#center.config.users[user]?.accounts;
    if (user === undefined || !accounts) {
      exchange.answer(createRestErrorResponse(401, 'UnauthorizedException', BAD_TOKEN));
      return;
    }
    const target = { operation: 'sso', method: operation } as const;
    answerUnlessFaulty(this.#platform, exchange, target, PORTAL_DIALECT, () => {
      switch (operation) {
        case 'ListAccounts':
          return listAccounts(exchange, user, accounts);
        case 'ListAccountRoles':
          return this.#listAccountRoles(exchange, user, accounts);
        case 'GetRoleCredentials':
          return this.#getRoleCredentials(exchange, user, accounts);
        case 'Logout':
          this.#center.signIns.end(token);
          return { status: 200, headers: {}, body: '' };
      }
    });
  }

  #listAccountRoles(exchange: HttpExchange, user: string, accounts: Accounts): Answer {
    const accountId = exchange.parameter('account_id');
    if (!accountId) return createInvalidRequestResponse('The parameter account_id is missing');
    const account = getOwn(accounts, accountId);
    if (!account) return this.#noAccess('account');
    const roles = Object.keys(account.roles).map((roleName) => ({ roleName, accountId }));
    return createListResponse(exchange, 'roleList', `ListAccountRoles ${user} ${accountId}`, roles);
  }

  #getRoleCredentials(exchange: HttpExchange, user: string, accounts: Accounts): Answer {
    const { config, keys } = this.#platform;
    const accountId = exchange.parameter('account_id');
    const roleName = exchange.parameter('role_name');
    if (!accountId || !roleName)
      return createInvalidRequestResponse('The parameter account_id or role_name is missing');
    const role = getOwn(getOwn(accounts, accountId)?.roles ?? {}, roleName);
    if (!role) return this.#noAccess('role');
    const key = keys.issue(
      createReservedRolePrincipal(config, this.#center.config, accountId, roleName, role, user),
      role.sessionDuration * 1000,
    );
    const roleCredentials = {
      accessKeyId: key.id,
      secretAccessKey: key.secret,
      sessionToken: key.sessionToken,
      expiration: key.expiresAt,
    };
    return createSuccessResponse({ roleCredentials });
  }

  /**
   * Creates the error for a missing account or role. The message of AWS does not reveal whether it
   * exists.
   */
  #noAccess(what: 'account' | 'role'): Answer {
    return this.#platform.config.switches.ssoNoAccess === 'forbidden'
      ? createRestErrorResponse(403, 'ForbiddenException', 'No access')
      : createRestErrorResponse(404, 'ResourceNotFoundException', `The ${what} was not found`);
  }
}

type Accounts = Readonly<Record<string, SsoAccount>>;

function findOperation({ request: { method }, path }: HttpExchange): Operation | undefined {
  return getOwn(OPERATIONS, `${method} ${path}`);
}

/** Returns an own property. Ignores inherited ones, such as `constructor`. */
function getOwn<T>(entries: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(entries, key) ? entries[key] : undefined;
}

function listAccounts(exchange: HttpExchange, user: string, accounts: Accounts): Answer {
  const list = Object.entries(accounts).map(([accountId, { name, email }]) => ({
    accountId,
    accountName: name ?? accountId,
    emailAddress: email,
  }));
  return createListResponse(exchange, 'accountList', `ListAccounts ${user}`, list);
}

function createListResponse(
  exchange: HttpExchange,
  field: string,
  list: string,
  all: readonly object[],
): Answer {
  const size = exchange.parameter('max_result');
  const page = paginate(all, list, {
    maxResults: size,
    nextToken: exchange.parameter('next_token'),
    limit: MAX_RESULTS,
  });
  if (!page.ok) return createInvalidRequestResponse(page.error.message);
  return createSuccessResponse({ nextToken: page.nextToken, [field]: page.items });
}

function createSuccessResponse(result: object): Answer {
  return {
    status: 200,
    headers: { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' },
    body: JSON.stringify(result),
  };
}

function createInvalidRequestResponse(message: string): Answer {
  return createRestErrorResponse(400, 'InvalidRequestException', message);
}

/**
 * Errors with another format than in other services. Source: the service model; `Forbidden` is [W].
 */
const ERRORS: Readonly<Partial<Record<PlatformErrorKind, readonly [number, string, string]>>> = {
  unauthorized: [401, 'UnauthorizedException', BAD_TOKEN],
  'access-denied': [403, 'ForbiddenException', 'No access'],
  throttled: [429, 'TooManyRequestsException', 'Too many requests'],
  validation: [400, 'InvalidRequestException', 'Invalid request'],
};

const PORTAL_DIALECT: Dialect = {
  id: null,
  error(error) {
    const [status, type, usual] = ERRORS[error.kind] ?? [];
    if (!status || !type || !usual) return createStatusResponse(error);
    return createRestErrorResponse(status, type, error.message || usual);
  },
  signature: () => createRestErrorResponse(401, 'UnauthorizedException', BAD_TOKEN),
};

/**
 * Creates the principal of SSO role credentials. IAM Identity Center creates a role in the account.
 * Its name consists of the permission set and 16 hex digits. The session name is the name of the
 * user.
 */
function createReservedRolePrincipal(
  { partition, region: home }: ResolvedConfig,
  { region = home }: SsoConfig,
  account: string,
  roleName: string,
  { allowed, denied }: SsoRole,
  user: string,
): Principal {
  const digits = createHash('sha256').update(`${account}/${roleName}`).digest('hex').slice(0, 16);
  const name = `AWSReservedSSO_${roleName}_${digits}`;
  // The path omits the region if it is us-east-1.
  const path = `aws-reserved/sso.amazonaws.com/${region === 'us-east-1' ? '' : `${region}/`}`;
  const roleId = createPrincipalId('AROA', `arn:${partition}:iam::${account}:role/${path}${name}`);
  return {
    arn: `arn:${partition}:sts::${account}:assumed-role/${name}/${user}`,
    account,
    userId: `${roleId}:${user}`,
    allowed,
    denied,
  };
}

/**
 * Sends the result of `work`, or an injected fault. For a fault with phase `after`, also calls
 * `work`, to simulate a lost response.
 */
export function answerUnlessFaulty(
  platform: Platform,
  exchange: HttpExchange,
  target: FaultTarget,
  dialect: Dialect,
  work: () => Answer,
): void {
  const fault = platform.faults.take(target);
  recordFault(platform, exchange.record, fault);
  if (!fault || !isAnswerFault(fault)) {
    exchange.answer(work());
    return;
  }
  if (fault.phase === 'after') work();
  answerWithFault(exchange, fault, dialect);
}
