import type { Dialect } from '../answers/dialect.ts';
import type { HttpExchange } from '../answers/http-exchange.ts';
import { type Answer, type PlatformErrorKind, restAnswer } from '../answers/platform-error.ts';
import { answerWithFault, isAnswerFault, noteFault } from '../invocations/fault-answers.ts';
import type { Platform } from '../platform.ts';
import { principalId } from '../signatures/access-keys.ts';
import type { Principal } from '../signatures/identity.ts';
import type { SignatureFault } from '../signatures/sigv4-verifier.ts';
import type { AwsService } from './service.ts';
import { checkSignature } from './signature-check.ts';

const NAMESPACE = 'https://sts.amazonaws.com/doc/2011-06-15/';
const MAX_BODY_BYTES = 200_000;
const ACTIONS = ['GetCallerIdentity', 'AssumeRole'];
const DEFAULT_DURATION = 3600;

/** STS: GetCallerIdentity and AssumeRole, in AWS's query protocol. */
export class Sts implements AwsService {
  readonly #platform: Platform;

  constructor(platform: Platform) {
    this.#platform = platform;
  }

  claims(exchange: HttpExchange): boolean {
    return exchange.path === '/';
  }

  async handle(exchange: HttpExchange): Promise<void> {
    const body = await exchange.readBody(MAX_BODY_BYTES);
    if (body === 'disconnected') return;
    if (body === 'too-large') {
      exchange.answer(failure(exchange, 413, 'RequestEntityTooLarge', 'The request is too large'));
      return;
    }
    const parameters = new URLSearchParams(
      exchange.request.method === 'GET' ? exchange.query : body.bytes.toString('utf8'),
    );
    const action = parameters.get('Action') ?? '';
    const service = scopedService(exchange.header('authorization'));
    if ((service ?? 'sts') !== 'sts' || (service === undefined && !ACTIONS.includes(action))) {
      exchange.answer(notServed(exchange, service));
      return;
    }
    exchange.record.operation = 'sts';
    exchange.record.rpcMethod = action;
    // The global endpoint is in us-east-1, whatever the region.
    const regions = [this.#platform.config.region, 'us-east-1'];
    const verification = checkSignature(this.#platform, exchange, body, 'sts', regions);
    const dialect = queryDialect(exchange);
    if (!verification.ok) {
      exchange.answer(dialect.signature(verification.fault, verification.message));
      return;
    }
    const fault = this.#platform.faults.take({ operation: 'sts', method: action });
    noteFault(this.#platform, exchange.record, fault);
    if (fault && isAnswerFault(fault)) {
      answerWithFault(exchange, fault, dialect);
      return;
    }
    const { principal } = verification;
    if (action === 'GetCallerIdentity') exchange.answer(callerIdentity(exchange, principal));
    else if (action === 'AssumeRole')
      exchange.answer(this.#assumeRole(exchange, parameters, principal));
    else {
      exchange.answer(
        failure(
          exchange,
          400,
          'InvalidAction',
          `Could not find operation ${action}: the local AgentCore serves only ${ACTIONS.join(' and ')} of STS.`,
        ),
      );
    }
  }

  #assumeRole(exchange: HttpExchange, parameters: URLSearchParams, caller: Principal): Answer {
    const { config, keys } = this.#platform;
    const roleArn = parameters.get('RoleArn') ?? '';
    const sessionName = parameters.get('RoleSessionName') ?? '';
    const duration = Number(parameters.get('DurationSeconds') ?? DEFAULT_DURATION);
    const invalid = invalidParameter(roleArn, sessionName, duration);
    if (invalid) return failure(exchange, 400, 'ValidationError', invalid);
    const role = config.roles.find(({ arn }) => arn === roleArn);
    const trusted =
      role !== undefined &&
      !caller.denied.includes('sts:AssumeRole') &&
      (role.trustedPrincipals === undefined || trusts(role.trustedPrincipals, caller.arn)) &&
      (role.externalId === undefined || role.externalId === parameters.get('ExternalId'));
    if (!trusted) {
      return failure(
        exchange,
        403,
        'AccessDenied',
        `User: ${caller.arn} is not authorized to perform: sts:AssumeRole on resource: ${roleArn}`,
      );
    }
    const [, partition, , , account = ''] = roleArn.split(':');
    const name = roleArn.slice(roleArn.lastIndexOf('/') + 1);
    const assumed: Principal = {
      arn: `arn:${partition}:sts::${account}:assumed-role/${name}/${sessionName}`,
      account,
      userId: `${principalId('AROA', roleArn)}:${sessionName}`,
      denied: role.denied,
    };
    const key = keys.issue(assumed, (role.sessionDuration ?? duration) * 1000);
    return success(exchange, 'AssumeRole', {
      AssumedRoleUser: { AssumedRoleId: assumed.userId, Arn: assumed.arn },
      Credentials: {
        AccessKeyId: key.id,
        SecretAccessKey: key.secret,
        SessionToken: key.sessionToken ?? '',
        Expiration: new Date(key.expiresAt).toISOString(),
      },
    });
  }
}

/** The service that a request is signed for; `undefined` where it is not signed. */
function scopedService(authorization: string | undefined): string | undefined {
  return /Credential=[^/,\s]+\/[^/,\s]*\/[^/,\s]*\/([^/,\s]+)/.exec(authorization ?? '')?.[1];
}

/** Every service that has one endpoint for all its operations posts to `/`. */
function notServed(exchange: HttpExchange, service: string | undefined): Answer {
  const message = `${service ?? 'This service'} is not served by the local AgentCore, only bedrock-agentcore, bedrock-agentcore-control and sts. Set AWS_ENDPOINT_URL_BEDROCK_AGENTCORE, AWS_ENDPOINT_URL_BEDROCK_AGENTCORE_CONTROL and AWS_ENDPOINT_URL_STS instead of AWS_ENDPOINT_URL.`;
  const type = exchange.header('content-type') ?? '';
  // A client reads errors in its own protocol alone.
  if (type.includes('json')) return restAnswer(404, 'UnknownOperationException', message);
  return failure(exchange, 404, 'UnknownOperationException', message);
}

function callerIdentity(exchange: HttpExchange, { arn, account, userId }: Principal): Answer {
  return success(exchange, 'GetCallerIdentity', { UserId: userId, Account: account, Arn: arn });
}

function invalidParameter(
  roleArn: string,
  sessionName: string,
  duration: number,
): string | undefined {
  if (roleArn === '') return 'The request must contain the parameter RoleArn.';
  if (!/^arn:aws[a-z-]*:iam::\d{12}:role\/.+$/.test(roleArn)) return `${roleArn} is invalid`;
  if (!/^[\w+=,.@-]{2,64}$/.test(sessionName)) {
    return `1 validation error detected: Value '${sessionName}' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]*`;
  }
  if (!Number.isInteger(duration) || duration < 900 || duration > 43_200) {
    return `1 validation error detected: Value '${duration}' at 'durationSeconds' failed to satisfy constraint: Member must have value between 900 and 43200`;
  }
  return undefined;
}

/** An account's root ARN, or its number, trusts everyone in the account. */
function trusts(trusted: readonly string[], callerArn: string): boolean {
  const account = callerArn.split(':')[4] ?? '';
  return trusted.some(
    (arn) =>
      arn === callerArn || arn === account || arn.endsWith(`:iam::${account}:root`) || arn === '*',
  );
}

const SIGNATURE_CODES: Readonly<Record<SignatureFault, string>> = {
  missing: 'MissingAuthenticationToken',
  incomplete: 'IncompleteSignature',
  'unknown-key': 'InvalidClientTokenId',
  'expired-token': 'ExpiredToken',
  invalid: 'SignatureDoesNotMatch',
};

const ERROR_CODES: Readonly<Partial<Record<PlatformErrorKind, readonly [number, string]>>> = {
  throttled: [400, 'Throttling'],
  'access-denied': [403, 'AccessDenied'],
  validation: [400, 'ValidationError'],
};

function queryDialect(exchange: HttpExchange): Dialect {
  return {
    id: null,
    error: ({ kind, message }) => {
      const [status, code] = ERROR_CODES[kind] ?? [500, 'InternalFailure'];
      return failure(exchange, status, code, message || 'Rate exceeded');
    },
    signature: (fault, message) =>
      failure(exchange, fault === 'incomplete' ? 400 : 403, SIGNATURE_CODES[fault], message),
  };
}

type XmlTree = { readonly [name: string]: string | XmlTree };

function success(exchange: HttpExchange, action: string, result: XmlTree): Answer {
  const body = xml({
    [`${action}Result`]: result,
    ResponseMetadata: { RequestId: exchange.record.id },
  });
  return xmlAnswer(200, `<${action}Response xmlns="${NAMESPACE}">${body}</${action}Response>`);
}

function failure(exchange: HttpExchange, status: number, code: string, message: string): Answer {
  const body = xml({
    Error: { Type: 'Sender', Code: code, Message: message },
    RequestId: exchange.record.id,
  });
  return xmlAnswer(status, `<ErrorResponse xmlns="${NAMESPACE}">${body}</ErrorResponse>`);
}

function xmlAnswer(status: number, body: string): Answer {
  return { status, headers: { 'Content-Type': 'text/xml' }, body };
}

function xml(tree: XmlTree): string {
  return Object.entries(tree)
    .map(
      ([name, value]) =>
        `<${name}>${typeof value === 'string' ? escapeXml(value) : xml(value)}</${name}>`,
    )
    .join('');
}

function escapeXml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
