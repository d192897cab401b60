import * as vscode from 'vscode';
import {
  ENDPOINT_NAME,
  EXTERNAL_ID,
  isGatewayArn,
  isInvocationsUrl,
  parseGatewayArn,
  parseRuntimeArn,
  REGION_NAME,
  type RuntimeArn,
} from '../../aws/arn.ts';
import type { DiscoveredGateway, DiscoveredRuntime } from '../../aws/discovery/model.ts';
import { parseRoleArn } from '../../aws/iam/policies.ts';
import { getErrorMessage } from '../../base/errors.ts';
import { canReceiveSecret } from '../../http/secure-url.ts';
import type { SessionMode } from '../../sessions/runtime-session.ts';
import {
  type EntryAuthorization,
  type EntryRole,
  type RuntimeEntry,
  readEntry,
} from '../settings/runtime-entry.ts';
import type { WrittenEntry } from '../settings/runtime-store.ts';
import { getTargetArn, withoutUndefined } from '../settings/server-environment.ts';

// The answers of the setup wizard, their conversion from and to entries, and the validation of
// texts.

/** The answers of the setup wizard so far. */
export interface RuntimeDraft {
  /**
   * ARN of a runtime or gateway. Absent for a local AgentCore, and until the user picks a target.
   */
  readonly arn?: string | undefined;
  /** The target as described by AWS, if it was discovered. */
  readonly found?: DiscoveredRuntime | DiscoveredGateway | undefined;
  readonly qualifier?: string | undefined;
  /** Absent for the credentials of the environment. */
  readonly profile?: string | undefined;
  /** The region to discover. */
  readonly region?: string | undefined;
  readonly role?: EntryRole | undefined;
  readonly authorization: EntryAuthorization;
  /** The new client secret to store, if the user entered one. */
  readonly clientSecret?: string | undefined;
  readonly sessionMode: SessionMode;
  /** Copied from the edited entry. */
  readonly endpointUrl?: string | undefined;
  readonly name?: string | undefined;
  /** Names of the server's tools, if the check listed them. */
  readonly tools?: readonly string[] | undefined;
}

export const EMPTY_DRAFT: RuntimeDraft = {
  authorization: { kind: 'iam' },
  sessionMode: 'session',
};

/** Converts an entry to a draft. */
export function toDraft(entry: RuntimeEntry): RuntimeDraft {
  const { name, target, profile, role, authorization, sessionMode } = entry;
  const endpoint = target.kind === 'runtime' ? target.runtime.endpoint : undefined;
  return {
    arn: target.kind === 'runtime' ? target.runtime.arn : getTargetArn(entry),
    qualifier: entry.qualifier ?? endpoint,
    profile,
    role,
    authorization,
    sessionMode,
    endpointUrl: entry.endpointUrl,
    name,
  };
}

/** Returns the draft with another target. Resets the answers that depend on the old target. */
export function withTarget(
  draft: RuntimeDraft,
  arn: string,
  found?: DiscoveredRuntime | DiscoveredGateway,
): RuntimeDraft {
  const { arn: plain, endpoint, dataPlane } = parseTarget(arn);
  const isSame = plain === draft.arn;
  const isShared = draft.sessionMode === 'identity' && isGateway({ arn });
  return {
    ...draft,
    // A gateway has no sessions to share.
    sessionMode: isShared ? 'session' : draft.sessionMode,
    arn: plain,
    found: found ?? (isSame ? draft.found : undefined),
    qualifier: endpoint ?? (isSame ? draft.qualifier : undefined),
    endpointUrl: dataPlane ?? draft.endpointUrl,
    authorization: isSame ? draft.authorization : createAuthorization(found),
    tools: undefined,
  };
}

/**
 * Returns the draft with the discovered target. Replaces the authorization if the target's
 * authorizer does not accept it.
 */
export function withFound(draft: RuntimeDraft, found: RuntimeDraft['found']): RuntimeDraft {
  if (!found) return draft;
  const takesToken = ['oauth', 'tokenCommand'].includes(draft.authorization.kind);
  const fits = found.authorizer === 'JWT' ? takesToken : !takesToken;
  return {
    ...draft,
    found,
    authorization: fits ? draft.authorization : createAuthorization(found),
  };
}

/** The default authorization for a target. IAM if its authorizer is unknown. */
function createAuthorization(
  found: DiscoveredRuntime | DiscoveredGateway | undefined,
): EntryAuthorization {
  switch (found?.authorizer) {
    case 'JWT': {
      const { allowedClients = [], allowedScopes = [], allowedAudience = [] } = found.jwt ?? {};
      return {
        kind: 'oauth',
        clientId: allowedClients[0] ?? '',
        tokenUrl: undefined,
        scopes: allowedScopes,
        audience: allowedAudience[0],
      };
    }
    case 'NONE':
      return { kind: 'none' };
    default:
      return { kind: 'iam' };
  }
}

export function isGateway({ arn }: Pick<RuntimeDraft, 'arn'>): boolean {
  return arn?.includes(':gateway/') ?? false;
}

/** Name of the proxy in the journal, if it checks a runtime without a name. */
const PROBE = 'setup check';

/** Converts a draft to an entry. If the draft has no name, uses a placeholder. */
export function toEntry(draft: RuntimeDraft): RuntimeEntry {
  return readEntry(toWrittenEntry({ ...draft, name: draft.name ?? PROBE }));
}

/**
 * Converts a draft to an entry as written in the settings. Omits default values.
 *
 * @param before The entry to replace. Its fields without a question are copied.
 */
export function toWrittenEntry(draft: RuntimeDraft, before?: WrittenEntry): WrittenEntry {
  const {
    name = '',
    arn,
    qualifier,
    profile,
    role,
    authorization,
    sessionMode,
    endpointUrl,
  } = draft;
  const { local, ...rest } = before ?? { name };
  const isUsual = sessionMode === 'session' && before?.sessionMode === undefined;
  return withoutUndefined({
    ...rest,
    name,
    ...(arn === undefined ? { local: local ?? {} } : { arn }),
    qualifier,
    profile,
    assumeRole: role && toWrittenRole(role),
    authorization: toWrittenAuthorization(authorization),
    sessionMode: isUsual ? undefined : sessionMode,
    endpointUrl,
  });
}

/**
 * Converts a role to its form in the settings. A single ARN is written as a string, a chain as a
 * list.
 */
export function toWrittenRole({ arns, ...role }: EntryRole): object {
  return withoutUndefined({ arn: arns.length === 1 ? arns[0] : arns, ...role });
}

function toWrittenAuthorization(authorization: EntryAuthorization): object | undefined {
  if (authorization.kind === 'iam') return undefined;
  const { kind, ...fields } = authorization;
  const scopes = 'scopes' in fields && fields.scopes.length > 0 ? fields.scopes : undefined;
  return withoutUndefined({ type: kind, ...fields, ...('scopes' in fields && { scopes }) });
}

/** Suggests an unused name for the entry, based on the name of the runtime. */
export function suggestName(draft: RuntimeDraft, taken: readonly string[]): string {
  const { arn = '', found, qualifier } = draft;
  const id = arn.slice(arn.lastIndexOf('/') + 1).replace(/-[a-zA-Z0-9]{10}$/, '');
  const base = (found?.name ?? id) || 'runtime';
  const lower = new Set(taken.map((name) => name.toLowerCase()));
  const isFree = (name: string) => !lower.has(name.toLowerCase());
  if (isFree(base)) return base;
  const named = qualifier && qualifier !== 'DEFAULT' ? `${base} ${qualifier}` : base;
  if (isFree(named)) return named;
  for (let number = 2; ; number += 1) {
    if (isFree(`${named} ${number}`)) return `${named} ${number}`;
  }
}

function parseTarget(arn: string): Pick<RuntimeArn, 'arn'> & Partial<RuntimeArn> {
  return isGatewayArn(arn) ? parseGatewayArn(arn) : parseRuntimeArn(arn);
}

/** An error message, or `undefined` if the text is valid. */
type ValidationMessage = string | undefined;

/** Whether the text looks like an ARN, percent-encoded or not, or like an invocation URL. */
export function isAddress(text: string): boolean {
  return /^\s*arn[:%]/i.test(text) || isInvocationsUrl(text);
}

/** Validates the ARN of a runtime, a runtime endpoint or a gateway. */
export function validateArn(text: string): ValidationMessage {
  return validateWith(() => {
    if (isGatewayArn(text)) parseGatewayArn(text);
    else parseRuntimeArn(text);
  });
}

/** Validates the role ARNs of a chain, separated by commas. */
export function validateRoleArns(text: string): ValidationMessage {
  return validateWith(() => void readRoleArns(text));
}

/**
 * Parses role ARNs separated by commas.
 *
 * @throws {AgentCoreError} `usage` if one is not a role ARN.
 */
export function readRoleArns(text: string): readonly string[] {
  return text.split(',').map(parseRoleArn);
}

/**
 * Validates the name of an entry.
 *
 * @param taken Names of other entries. Case-insensitive, like in the settings.
 */
export function validateName(text: string, taken: readonly string[]): ValidationMessage {
  if (!text) return vscode.l10n.t('Enter a name for the server.');
  if (text.length > 64) return vscode.l10n.t('A name has at most 64 characters.');
  if (/\p{Cc}/u.test(text)) return vscode.l10n.t('A name has no control characters.');
  const isTaken = taken.some((name) => name.toLowerCase() === text.toLowerCase());
  return isTaken ? vscode.l10n.t('Another runtime is called "{0}".', text) : undefined;
}

export function validateEndpoint(text: string): ValidationMessage {
  return ENDPOINT_NAME.test(text)
    ? undefined
    : vscode.l10n.t('The name of an endpoint begins with a letter, and has letters, digits and _.');
}

export function validateRegion(text: string): ValidationMessage {
  return REGION_NAME.test(text) ? undefined : vscode.l10n.t('Expected a region such as us-east-1.');
}

/** Validates an external ID. An empty text means none. */
export function validateExternalId(text: string): ValidationMessage {
  return text === '' || EXTERNAL_ID.test(text)
    ? undefined
    : vscode.l10n.t('An external id has 2 to 1224 letters, digits and +=,.@:/_-');
}

/** Validates a token URL. If it is empty, the proxy discovers the URL. */
export function validateTokenUrl(text: string): ValidationMessage {
  return text === '' || (URL.canParse(text) && canReceiveSecret(new URL(text)))
    ? undefined
    : vscode.l10n.t(
        'Expected an https URL without user information, such as https://example.com/oauth2/token',
      );
}

export function validateRequired(text: string): ValidationMessage {
  return text ? undefined : vscode.l10n.t('This cannot be empty.');
}

function validateWith(parse: () => void): ValidationMessage {
  try {
    parse();
    return undefined;
  } catch (thrown) {
    return getErrorMessage(thrown);
  }
}
