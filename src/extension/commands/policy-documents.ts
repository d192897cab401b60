import { parseGatewayArn, parseRuntimeArn } from '../../aws/arn.ts';
import {
  createAccessPolicy,
  createCallerPolicy,
  createTrustPolicy,
  type Needs,
  type PolicyDocument,
  type Targets,
  type TrustPolicy,
} from '../../aws/iam/policies.ts';
import type { EntryRole } from '../settings/runtime-entry.ts';

/** The permissions on a runtime for this extension: to invoke it and to stop sessions. */
const NEEDS: Needs = { stop: true, list: false, userId: false };

/** The target of a policy, and the calling role. */
interface PolicySubject {
  /** ARN of a runtime, a runtime endpoint or a gateway. */
  readonly arn: string;
  readonly qualifier?: string | undefined;
  readonly role?: EntryRole | undefined;
}

/** The policy for the user or role of the profile's credentials. */
export function createProfilePolicy(subject: PolicySubject): PolicyDocument {
  const { role } = subject;
  return createCallerPolicy(getPolicyTargets(subject), NEEDS, {
    // The caller assumes only the first role of a chain.
    roles: role ? role.arns.slice(0, 1) : [],
    sourceIdentity: role?.sourceIdentity !== undefined,
  });
}

/** The policy for the role that invokes the target. */
export function createRolePolicy(subject: PolicySubject): PolicyDocument {
  return createAccessPolicy(getPolicyTargets(subject), NEEDS);
}

/**
 * The trust policy of the first role.
 *
 * @param principal The ARN of the caller of AssumeRole.
 */
export function createRoleTrustPolicy(role: EntryRole, principal: string): TrustPolicy {
  const { externalId, mfaSerial, sourceIdentity, arns } = role;
  const partition = arns[0]?.split(':')[1];
  return createTrustPolicy(
    {
      principal,
      externalId: arns.length === 1 ? externalId : undefined,
      mfa: mfaSerial !== undefined,
      sourceIdentity: sourceIdentity !== undefined,
    },
    partition,
  );
}

function getPolicyTargets({ arn, qualifier }: PolicySubject): Targets {
  return arn.includes(':gateway/')
    ? { runtimes: [], gateways: [parseGatewayArn(arn)] }
    : { runtimes: [{ runtime: parseRuntimeArn(arn), qualifier }], gateways: [] };
}
