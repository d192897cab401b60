import { parseRuntimeArn } from '../../aws/arn.ts';
import {
  accessPolicy,
  callerPolicy,
  type Needs,
  type Targets,
} from '../../aws/iam/access-policy.ts';
import { parseGatewayArn } from '../../aws/iam/gateway-arn.ts';
import type { PolicyDocument, TrustPolicy } from '../../aws/iam/policy-document.ts';
import { trustPolicy } from '../../aws/iam/trust-policy.ts';
import type { EntryRole } from '../runtimes/runtime-entry.ts';

/** What the extension does with a runtime, and no more. */
const NEEDS: Needs = { stop: true, list: false, userId: false };

/** What somebody wants to use, and how. */
export interface PolicySubject {
  /** Of a runtime, of its endpoint, or of a gateway. */
  readonly arn: string;
  readonly qualifier?: string | undefined;
  readonly role?: EntryRole | undefined;
}

/** The policy of the user or role whose credentials the profile has. */
export function policyOfCaller(subject: PolicySubject): PolicyDocument {
  const { role } = subject;
  return callerPolicy(targetsOf(subject), NEEDS, {
    // A chain is assumed by one role after the other: the caller assumes the first.
    roles: role ? role.arns.slice(0, 1) : [],
    sourceIdentity: role?.sourceIdentity !== undefined,
  });
}

/** The policy of the role that calls. */
export function policyOfRole(subject: PolicySubject): PolicyDocument {
  return accessPolicy(targetsOf(subject), NEEDS);
}

/** @param principal The ARN of whoever assumes the first role. */
export function trustPolicyOf(role: EntryRole, principal: string): TrustPolicy {
  const { externalId, mfaSerial, sourceIdentity, arns } = role;
  const partition = arns[0]?.split(':')[1];
  return trustPolicy(
    {
      principal,
      externalId: arns.length === 1 ? externalId : undefined,
      mfa: mfaSerial !== undefined,
      sourceIdentity: sourceIdentity !== undefined,
    },
    partition,
  );
}

function targetsOf({ arn, qualifier }: PolicySubject): Targets {
  return arn.includes(':gateway/')
    ? { runtimes: [], gateways: [parseGatewayArn(arn)] }
    : { runtimes: [{ runtime: parseRuntimeArn(arn), qualifier }], gateways: [] };
}
