import * as vscode from 'vscode';
import { isGatewayArn, isInvocationsUrl, parseGatewayArn, parseRuntimeArn } from '../../aws/arn.ts';
import { parseRoleArn } from '../../aws/iam/policies.ts';
import { getErrorMessage } from '../../base/errors.ts';
import { canReceiveSecret } from '../../http/secure-url.ts';

/** A validation message, or `undefined` if the text is valid. */
type ValidationMessage = string | undefined;

/** Whether the text looks like an ARN, percent-encoded or not, or like an invocation URL. */
export function isAddress(text: string): boolean {
  return /^\s*arn[:%]/i.test(text) || isInvocationsUrl(text);
}

/** Accepts the ARN of a runtime, a runtime endpoint or a gateway. */
export function validateArn(text: string): ValidationMessage {
  return validateWith(() => {
    if (isGatewayArn(text)) parseGatewayArn(text);
    else parseRuntimeArn(text);
  });
}

/** Accepts the role ARNs of a chain, separated by commas. */
export function validateRoleArns(text: string): ValidationMessage {
  return validateWith(() => void readRoleArns(text));
}

/** @throws {AgentCoreError} `usage` if one is not a role ARN. */
export function readRoleArns(text: string): readonly string[] {
  return text.split(',').map(parseRoleArn);
}

/** @param taken Names of other entries. Case-insensitive, like in the settings. */
export function validateName(text: string, taken: readonly string[]): ValidationMessage {
  if (!text) return vscode.l10n.t('Give it a name: it is what the server is called.');
  if (text.length > 64) return vscode.l10n.t('A name has at most 64 characters.');
  if (/\p{Cc}/u.test(text)) return vscode.l10n.t('A name has no control characters.');
  const isTaken = taken.some((name) => name.toLowerCase() === text.toLowerCase());
  return isTaken ? vscode.l10n.t('Another runtime is called "{0}".', text) : undefined;
}

export function validateEndpoint(text: string): ValidationMessage {
  return /^[a-zA-Z][a-zA-Z0-9_]{0,47}$/.test(text)
    ? undefined
    : vscode.l10n.t('The name of an endpoint begins with a letter, and has letters, digits and _.');
}

export function validateRegion(text: string): ValidationMessage {
  return /^[a-z]{2}(-[a-z]+)+-\d{1,2}$/.test(text)
    ? undefined
    : vscode.l10n.t('Expected a region such as us-east-1.');
}

/** An empty text means no external ID. */
export function validateExternalId(text: string): ValidationMessage {
  return text === '' || /^[\w+=,.@:/-]{2,1224}$/.test(text)
    ? undefined
    : vscode.l10n.t('An external id has 2 to 1224 letters, digits and +=,.@:/_-');
}

/** If empty, the proxy discovers the token URL of the identity provider. */
export function validateTokenUrl(text: string): ValidationMessage {
  return text === '' || (URL.canParse(text) && canReceiveSecret(new URL(text)))
    ? undefined
    : vscode.l10n.t(
        'Expected an https URL without a user in it, such as https://example.com/oauth2/token',
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
