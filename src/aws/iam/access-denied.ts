import {
  createAllowStatement,
  DEFAULT_ENDPOINT,
  getResourceKind,
  type Statement,
  toPolicyValue,
} from './policies.ts';

/**
 * The IAM statement that allows a caller to invoke a runtime or a gateway. For MCP servers, the
 * access denied response of AgentCore does not name the missing permission.
 *
 * @param arn Of a runtime, a runtime endpoint or a gateway.
 * @param qualifier The endpoint, if the ARN contains none. Absent for `DEFAULT`.
 */
export function createCallStatement(
  arn: string,
  qualifier: string | undefined,
): Statement | undefined {
  const isGateway = arn.includes(':gateway/');
  const isWhole = isGateway || qualifier === undefined || arn.includes('/runtime-endpoint/');
  const [statement] = createMissingStatements([
    {
      principal: '',
      action: `bedrock-agentcore:${isGateway ? 'InvokeGateway' : 'InvokeAgentRuntime'}`,
      resource: isWhole ? arn : `${arn}/runtime-endpoint/${qualifier}`,
      reason: 'unknown',
      policy: undefined,
    },
  ]);
  return statement;
}

/** The parts of AWS's access denied message. */
export interface AccessDenial {
  readonly principal: string;
  /** Such as `bedrock-agentcore:InvokeAgentRuntime`. */
  readonly action: string;
  readonly resource: string | undefined;
  /**
   * `forbidden`: an explicit deny, so an added allow does not help. `unmentioned`: no policy allows
   * it.
   */
  readonly reason: 'unmentioned' | 'forbidden' | 'unknown';
  /** The kind of policy, in AWS's words: `identity-based policy`, `service control policy`. */
  readonly policy: string | undefined;
}

const RESOURCE_BASED = 'resource-based policy';

const DENIAL =
  /User: (\S+) is not authorized to (?:perform|access): ([\w-]+:\w+)(?: on resource: (\S+))?/;

const UNMENTIONED = /because no ([\w -]+?) allows/;

const FORBIDDEN = /with an explicit deny in an? ([\w -]+?(?:policy|boundary))\b/;

/** Parses AWS's message. Returns `undefined` for other messages. */
export function parseDenial(message: string): AccessDenial | undefined {
  const match = DENIAL.exec(message);
  if (!match) return undefined;
  const [, principal, action, resource] = match;
  const forbidden = FORBIDDEN.exec(message)?.[1];
  const unmentioned = UNMENTIONED.exec(message)?.[1];
  return {
    principal: principal as string,
    action: action as string,
    resource: resource?.replace(/[.,;]+$/, ''),
    reason: forbidden ? 'forbidden' : unmentioned ? 'unmentioned' : 'unknown',
    policy: forbidden ?? unmentioned,
  };
}

/**
 * Returns the missing statements for denied calls, one per action. They include both runtime and
 * endpoint, because AWS checks both and reports one at a time.
 *
 * @returns no statement for an explicit deny, which overrides any allow, or for a resource-based
 * policy, which the caller cannot change.
 */
export function createMissingStatements(denials: readonly AccessDenial[]): readonly Statement[] {
  const byAction = new Map<string, Statement>();
  for (const denial of denials) {
    const statement = createMissingStatement(denial);
    if (!statement) continue;
    const before = byAction.get(denial.action)?.Resource ?? [];
    const resources = [before, statement.Resource].flat();
    byAction.set(denial.action, { ...statement, Resource: toPolicyValue(resources) });
  }
  return [...byAction.values()].sort((one, other) => (one.Sid < other.Sid ? -1 : 1));
}

function createMissingStatement(denial: AccessDenial): Statement | undefined {
  const { action, reason, policy } = denial;
  if (reason === 'forbidden' || policy === RESOURCE_BASED) return undefined;
  return createAllowStatement(
    `Allow${action.slice(action.indexOf(':') + 1)}`,
    [action],
    getResourceArns(denial),
  );
}

/** Formats a statement for a policy. */
export function formatStatement(statement: Statement): string {
  return JSON.stringify(statement, null, 2);
}

/** Returns advice for a denial, as a sentence without a full stop. */
export function formatAdvice({ reason, policy, action, principal }: AccessDenial): string {
  if (reason === 'forbidden') {
    return `${getArticle(policy)} ${policy} forbids it, and no other permission overrides this: ask the owner of the policy`;
  }
  const missing = policy ?? 'identity-based policy';
  const where = new Map([
    ['identity-based policy', `add it to a policy of ${getPrincipalRole(principal)}`],
    [
      RESOURCE_BASED,
      action.startsWith('sts:')
        ? "add the caller to the role's trust policy"
        : 'add the caller to the resource policies of the runtime and of its endpoint, or assume a role of that account',
    ],
    [
      'permissions boundary',
      `add it to the permissions boundary of ${getPrincipalRole(principal)}`,
    ],
    ['session policy', 'add it to the policy that the session was made with'],
  ]).get(missing);
  return where ?? `have it added to the ${missing}`;
}

function getArticle(words = ''): string {
  return /^[aeiou]/i.test(words) ? 'an' : 'a';
}

/** Returns the principal for an attached policy. For a session, this is its role. */
function getPrincipalRole(principal: string): string {
  const [, role] = /:assumed-role\/([^/]+)\//.exec(principal) ?? [];
  return role ? `the role ${role}` : principal;
}

function getResourceArns({ action, resource }: AccessDenial): readonly string[] {
  const kind = getResourceKind(action);
  if (kind === 'any' || resource === undefined) return ['*'];
  if (kind !== 'runtime-and-endpoint') return [resource];
  const [runtime = resource, endpoint] = resource.split('/runtime-endpoint/');
  return [runtime, `${runtime}/runtime-endpoint/${endpoint ?? DEFAULT_ENDPOINT}`];
}
