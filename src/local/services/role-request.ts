import { createValidationRefusal, type StsRefusal } from './sts-answers.ts';

const DEFAULT_DURATION = 3600;

const SESSION_NAME = '[\\w+=,.@-]*';

/** Parameters common to AssumeRole and AssumeRoleWithWebIdentity. */
export interface RoleRequest {
  readonly roleArn: string;
  readonly sessionName: string;
  /** Seconds. */
  readonly duration: number;
}

type ReadRequest =
  | { readonly ok: true; readonly request: RoleRequest }
  | { readonly ok: false; readonly refusal: StsRefusal };

export function readRoleRequest(parameters: URLSearchParams): ReadRequest {
  const roleArn = parameters.get('RoleArn') ?? '';
  const sessionName = parameters.get('RoleSessionName') ?? '';
  const duration = Number(parameters.get('DurationSeconds') ?? DEFAULT_DURATION);
  const mistake = validateRoleRequest({ roleArn, sessionName, duration });
  if (mistake !== undefined) return { ok: false, refusal: createValidationRefusal(mistake) };
  return { ok: true, request: { roleArn, sessionName, duration } };
}

function validateRoleRequest({ roleArn, sessionName, duration }: RoleRequest): string | undefined {
  if (roleArn === '') return 'The request must contain the parameter RoleArn.';
  if (!/^arn:aws[a-z-]*:iam::\d{12}:role\/.+$/.test(roleArn)) return `${roleArn} is invalid`;
  if (sessionName === '') return 'The request must contain the parameter RoleSessionName.';
  const name = validateName('roleSessionName', sessionName);
  if (name !== undefined) return name;
  if (!Number.isInteger(duration) || duration < 900) {
    return describeConstraint(
      'durationSeconds',
      duration,
      'have value greater than or equal to 900',
    );
  }
  if (duration > 43_200) {
    return describeConstraint(
      'durationSeconds',
      duration,
      'have value less than or equal to 43200',
    );
  }
  return undefined;
}

/** Validates a session name or a source identity; both have the same syntax. */
export function validateName(field: string, value: string): string | undefined {
  if (value.length < 2)
    return describeConstraint(field, value, 'have length greater than or equal to 2');
  if (value.length > 64)
    return describeConstraint(field, value, 'have length less than or equal to 64');
  if (new RegExp(`^${SESSION_NAME}$`).test(value)) return undefined;
  return describeConstraint(field, value, `satisfy regular expression pattern: ${SESSION_NAME}`);
}

function describeConstraint(field: string, value: string | number, rule: string): string {
  return `1 validation error detected: Value '${value}' at '${field}' failed to satisfy constraint: Member must ${rule}`;
}
