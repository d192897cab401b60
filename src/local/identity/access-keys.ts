import { createHash, randomBytes } from 'node:crypto';
import type { AccessKeyConfig } from '../config/identity-schema.ts';
import type { ResolvedConfig } from '../config/schema.ts';
import type { Clock } from '../core/clock.ts';
import type { PlatformError } from '../http/errors.ts';

// Access keys, the principals behind them, and the evaluation of IAM policies.

/** Maximum number of issued keys. A dropped key counts as unknown, not as expired. */
const MAX_ISSUED = 10_000;

/** Access keys from the configuration, and temporary keys from the local services. */
export class AccessKeys {
  readonly #permanent = new Map<string, AccessKey>();
  readonly #issued = new Map<string, AccessKey>();
  readonly #clock: Clock;

  constructor(config: ResolvedConfig, clock: Clock) {
    this.#clock = clock;
    for (const key of config.accessKeys) {
      this.#permanent.set(key.id, createPermanentKey(key, config));
    }
  }

  find(id: string): AccessKey | undefined {
    return this.#permanent.get(id) ?? this.#issued.get(id);
  }

  /** Issues a temporary key. */
  issue(principal: Principal, lifetimeMs: number): AccessKey & { readonly expiresAt: number } {
    const key = {
      id: `ASIA${createRandomLetters(16)}`,
      secret: randomBytes(30).toString('base64'),
      sessionToken: randomBytes(96).toString('base64'),
      principal,
      expiresAt: this.#clock.now() + lifetimeMs,
    };
    this.#issued.set(key.id, key);
    if (this.#issued.size > MAX_ISSUED) {
      const [oldest] = this.#issued.keys();
      if (oldest !== undefined) this.#issued.delete(oldest);
    }
    return key;
  }
}

/** Creates an id in the format of IAM principal ids. The same ARN always results in the same id. */
export function createPrincipalId(prefix: 'AIDA' | 'AROA', arn: string): string {
  const digest = createHash('sha256').update(arn).digest();
  return prefix + [...digest.subarray(0, 17)].map(toBase32Letter).join('');
}

function createPermanentKey(key: AccessKeyConfig, config: ResolvedConfig): AccessKey {
  const arn = key.principal ?? `arn:${config.partition}:iam::${config.account}:user/developer`;
  return {
    id: key.id,
    secret: key.secret,
    sessionToken: key.sessionToken,
    principal: {
      arn,
      account: arn.split(':')[4] ?? config.account,
      userId: createPrincipalId('AIDA', arn),
      allowed: key.allowed,
      denied: key.denied,
    },
    expiresAt: undefined,
  };
}

function createRandomLetters(count: number): string {
  return [...randomBytes(count)].map(toBase32Letter).join('');
}

/** Ids of AWS use the base32 alphabet. */
function toBase32Letter(byte: number): string {
  return 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.charAt(byte % 32);
}

/** The caller that signed a request. */
export interface Principal {
  /** As returned by GetCallerIdentity. */
  readonly arn: string;
  readonly account: string;
  /** `AIDA…` for a user, `AROA…:session` for an assumed role. */
  readonly userId: string;
  /** IAM actions that its policies allow. Absent: all actions. */
  readonly allowed?: readonly string[] | undefined;
  /** IAM actions that its policies explicitly deny. */
  readonly denied: readonly string[];
  /** ARN of the role, if this is a role session. Policies contain this ARN. */
  readonly roleArn?: string | undefined;
  /**
   * Source identity of a role session, if a caller set one. It remains the same in a role chain.
   */
  readonly sourceIdentity?: string | undefined;
}

export interface AccessKey {
  readonly id: string;
  readonly secret: string;
  readonly sessionToken: string | undefined;
  readonly principal: Principal;
  /** Milliseconds since the epoch; `undefined` if it never expires. */
  readonly expiresAt: number | undefined;
}

/** The resource of an action. */
interface Resource {
  readonly arn: string;
  readonly account: string;
  /** Principals of other accounts, allowed by the resource-based policy. */
  readonly trustedPrincipals?: readonly string[];
}

/**
 * Returns the error for the first action that is not allowed. `undefined` if all are allowed. As in
 * IAM, a deny overrides an allow. A principal of another account also requires a resource-based
 * policy.
 */
export function findDenial(
  principal: Principal,
  actions: readonly string[],
  resource: Resource,
): PlatformError | undefined {
  for (const action of actions) {
    const cause = findDenialCause(principal, action, resource);
    if (!cause) continue;
    const message = `User: ${principal.arn} is not authorized to perform: ${action} on resource: ${resource.arn} ${cause}`;
    return { kind: 'access-denied', message };
  }
  return undefined;
}

function findDenialCause(
  principal: Principal,
  action: string,
  resource: Resource,
): string | undefined {
  switch (evaluateIdentityPolicy(principal, action)) {
    case 'denies':
      return 'with an explicit deny in an identity-based policy';
    case 'silent':
      return `because no identity-based policy allows the ${action} action`;
    case 'allows':
      break;
  }
  const { account, trustedPrincipals = [] } = resource;
  if (principal.account === account || isTrusted(trustedPrincipals, principal)) return undefined;
  return `because no resource-based policy allows the ${action} action`;
}

/** Evaluates the policies of a principal for an action. */
export function evaluateIdentityPolicy(
  { allowed, denied }: Pick<Principal, 'allowed' | 'denied'>,
  action: string,
): 'denies' | 'silent' | 'allows' {
  if (denied.some((pattern) => matchesAction(pattern, action))) return 'denies';
  if (allowed && !allowed.some((pattern) => matchesAction(pattern, action))) return 'silent';
  return 'allows';
}

/** Matches IAM wildcards. Actions are case-insensitive. */
function matchesAction(pattern: string, action: string): boolean {
  const escaped = pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&');
  const source = escaped.replaceAll('*', '.*').replaceAll('?', '.');
  return new RegExp(`^${source}$`, 'i').test(action);
}

/**
 * Whether `trusted` contains the principal: its ARN, the ARN of its role, its account number, the
 * root ARN of its account, or `*`.
 */
export function isTrusted(
  trusted: readonly string[],
  { arn, roleArn, account }: Principal,
): boolean {
  return trusted.some(
    (name) =>
      name === '*' ||
      name === account ||
      name === arn ||
      name === roleArn ||
      name.endsWith(`:iam::${account}:root`),
  );
}
