import { STS_ACTIONS } from '../config/faults.ts';
import { type Answer, createRestErrorResponse } from '../http/errors.ts';
import type { HttpExchange } from '../http/exchange.ts';
import type { AwsService } from '../http/service.ts';
import type { Principal } from '../identity/access-keys.ts';
import { recordDenial } from '../identity/bearer-verifier.ts';
import { checkSignature } from '../identity/sigv4-verifier.ts';
import { answerWithFault, isAnswerFault, recordFault } from '../invocations/fault-effects.ts';
import type { Platform } from './platform.ts';
import {
  createQueryDialect,
  createQueryErrorResponse,
  createQueryResponse,
  type StsRefusal,
  toCredentialsXml,
} from './sts-responses.ts';
import { assumeRole, assumeRoleWithWebIdentity } from './sts-roles.ts';

// STS: the dispatch of its actions, and their responses.

const MAX_BODY_BYTES = 200_000;

/** This action requires no signature, because its token authenticates the caller. */
const WEB_IDENTITY = 'AssumeRoleWithWebIdentity';

const ACTIONS: readonly string[] = STS_ACTIONS;

/** STS in the AWS query protocol: the caller identity and the assumption of roles. */
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
      exchange.answer(
        createQueryErrorResponse(
          exchange,
          413,
          'RequestEntityTooLarge',
          'The request is too large',
        ),
      );
      return;
    }
    const parameters = new URLSearchParams(
      exchange.request.method === 'GET' ? exchange.query : body.bytes.toString('utf8'),
    );
    const action = parameters.get('Action') ?? '';
    const service = parseScopedService(exchange.header('authorization'));
    if ((service ?? 'sts') !== 'sts' || (service === undefined && !ACTIONS.includes(action))) {
      exchange.answer(createNotServedResponse(exchange, service));
      return;
    }
    exchange.record.operation = 'sts';
    exchange.record.rpcMethod = action;
    // The global endpoint of STS is in us-east-1, regardless of the configured region.
    const regions = [this.#platform.config.region, 'us-east-1'];
    const dialect = createQueryDialect(exchange);
    let principal: Principal | undefined;
    if (action !== WEB_IDENTITY) {
      const verification = checkSignature(this.#platform, exchange, body, 'sts', regions);
      if (!verification.ok) {
        exchange.answer(dialect.signature(verification.fault, verification.message));
        return;
      }
      principal = verification.principal;
    }
    const fault = this.#platform.faults.take({ operation: 'sts', method: action });
    recordFault(this.#platform, exchange.record, fault);
    if (fault && isAnswerFault(fault)) {
      answerWithFault(exchange, fault, dialect);
      return;
    }
    exchange.answer(
      principal
        ? this.#answer(exchange, action, parameters, principal)
        : await this.#assumeByToken(exchange, parameters),
    );
  }

  #answer(
    exchange: HttpExchange,
    action: string,
    parameters: URLSearchParams,
    principal: Principal,
  ): Answer {
    switch (action) {
      case 'GetCallerIdentity':
        return createCallerIdentityResponse(exchange, principal);
      case 'AssumeRole':
        return this.#assume(exchange, parameters, principal);
      default:
        return createQueryErrorResponse(
          exchange,
          400,
          'InvalidAction',
          `Could not find operation ${action}: the local AgentCore serves only ${joinNames(ACTIONS)} of STS.`,
        );
    }
  }

  #assume(exchange: HttpExchange, parameters: URLSearchParams, caller: Principal): Answer {
    const { config, keys } = this.#platform;
    const assumption = assumeRole(config, parameters, caller);
    if (!assumption.ok) return this.#refuse(exchange, assumption.refusal);
    const { principal, duration } = assumption;
    const { sourceIdentity } = principal;
    return createQueryResponse(exchange, 'AssumeRole', {
      AssumedRoleUser: { AssumedRoleId: principal.userId, Arn: principal.arn },
      Credentials: toCredentialsXml(keys.issue(principal, duration * 1000)),
      ...(sourceIdentity !== undefined && { SourceIdentity: sourceIdentity }),
    });
  }

  #refuse(exchange: HttpExchange, { status, code, message, cause }: StsRefusal): Answer {
    const reason = cause === undefined ? message : `${message}: ${cause}`;
    if (status === 403) recordDenial(this.#platform, exchange, reason);
    else exchange.record.refusal = reason;
    return createQueryErrorResponse(exchange, status, code, message);
  }

  async #assumeByToken(exchange: HttpExchange, parameters: URLSearchParams): Promise<Answer> {
    const { config, keys, bearer, clock } = this.#platform;
    const assumption = await assumeRoleWithWebIdentity(config, parameters, bearer, clock.now());
    if (!assumption.ok) return this.#refuse(exchange, assumption.refusal);
    const { principal, duration, claims } = assumption;
    return createQueryResponse(exchange, WEB_IDENTITY, {
      SubjectFromWebIdentityToken: claims.sub ?? '',
      Audience: [claims.aud ?? ''].flat()[0] ?? '',
      Provider: claims.iss ?? '',
      AssumedRoleUser: { AssumedRoleId: principal.userId, Arn: principal.arn },
      Credentials: toCredentialsXml(keys.issue(principal, duration * 1000)),
    });
  }
}

/** The service in the credential scope. `undefined` if the request is not signed. */
function parseScopedService(authorization: string | undefined): string | undefined {
  return /Credential=[^/,\s]+\/[^/,\s]*\/[^/,\s]*\/([^/,\s]+)/.exec(authorization ?? '')?.[1];
}

/**
 * Creates the error for other services. If a service has one endpoint for all operations, its
 * requests also go to `/`.
 */
function createNotServedResponse(exchange: HttpExchange, service: string | undefined): Answer {
  const message = `${service ?? 'This service'} is not served by the local AgentCore, only bedrock-agentcore, bedrock-agentcore-control and sts. Set AWS_ENDPOINT_URL_BEDROCK_AGENTCORE, AWS_ENDPOINT_URL_BEDROCK_AGENTCORE_CONTROL and AWS_ENDPOINT_URL_STS instead of AWS_ENDPOINT_URL.`;
  const type = exchange.header('content-type') ?? '';
  // Clients parse errors only in their own protocol.
  if (type.includes('json'))
    return createRestErrorResponse(404, 'UnknownOperationException', message);
  return createQueryErrorResponse(exchange, 404, 'UnknownOperationException', message);
}

function createCallerIdentityResponse(
  exchange: HttpExchange,
  { arn, account, userId }: Principal,
): Answer {
  return createQueryResponse(exchange, 'GetCallerIdentity', {
    UserId: userId,
    Account: account,
    Arn: arn,
  });
}

function joinNames(names: readonly string[]): string {
  return `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}
