import type { Dialect } from '../../answers/dialect.ts';
import type { HttpExchange } from '../../answers/http-exchange.ts';
import {
  type Answer,
  createRestErrorResponse,
  createStatusResponse,
  type PlatformErrorKind,
} from '../../answers/platform-error.ts';
import type { SSO_OPERATIONS } from '../../fault.ts';
import type { Platform } from '../../platform.ts';
import { paginate } from '../pages.ts';
import type { AwsService } from '../service.ts';
import { ACCOUNT_ACCESS } from './client-registrations.ts';
import type { IdentityCenter } from './identity-center.ts';
import { createReservedRolePrincipal } from './reserved-role.ts';
import type { SsoAccount } from './sso-config.ts';
import { answerUnlessFaulty } from './sso-faults.ts';

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

/** The SSO portal: accounts, roles and role credentials of a signed-in user. */
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
    // Consume the (empty) body of Logout.
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

  /** AWS's message does not reveal whether the account or role exists. */
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

/** Ignores inherited properties such as `constructor`. */
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
 * Errors that differ from those of other services. Source: the service model; `Forbidden` is [W].
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
