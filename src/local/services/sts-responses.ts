import type { PlatformErrorKind } from '../config/faults.ts';
import type { SignatureFault } from '../core/events.ts';
import type { Answer } from '../http/errors.ts';
import type { Dialect, HttpExchange } from '../http/exchange.ts';
import type { AccessKey } from '../identity/access-keys.ts';

const NAMESPACE = 'https://sts.amazonaws.com/doc/2011-06-15/';

/** An error of STS. */
export interface StsRefusal {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  /** Details for the log. The response does not contain them. */
  readonly cause?: string;
}

export function createValidationRefusal(message: string): StsRefusal {
  return { status: 400, code: 'ValidationError', message };
}

export function createAccessDeniedRefusal(message: string, cause?: string): StsRefusal {
  return { status: 403, code: 'AccessDenied', message, ...(cause !== undefined && { cause }) };
}

/** Converts temporary credentials to the format of STS. */
export function toCredentialsXml(key: AccessKey & { readonly expiresAt: number }): XmlTree {
  return {
    AccessKeyId: key.id,
    SecretAccessKey: key.secret,
    SessionToken: key.sessionToken ?? '',
    Expiration: new Date(key.expiresAt).toISOString(),
  };
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

/** Returns the error format of the AWS query protocol. */
export function createQueryDialect(exchange: HttpExchange): Dialect {
  return {
    id: null,
    error: ({ kind, message }) => {
      const [status, code] = ERROR_CODES[kind] ?? [500, 'InternalFailure'];
      return createQueryErrorResponse(exchange, status, code, message || 'Rate exceeded');
    },
    signature: (fault, message) =>
      createQueryErrorResponse(
        exchange,
        fault === 'incomplete' ? 400 : 403,
        SIGNATURE_CODES[fault],
        message,
      ),
  };
}

type XmlTree = { readonly [name: string]: string | XmlTree };

/** Creates the response of an action in the AWS query protocol. */
export function createQueryResponse(
  exchange: HttpExchange,
  action: string,
  result: XmlTree,
): Answer {
  const body = serializeXml({
    [`${action}Result`]: result,
    ResponseMetadata: { RequestId: exchange.record.id },
  });
  return createXmlResponse(
    200,
    `<${action}Response xmlns="${NAMESPACE}">${body}</${action}Response>`,
  );
}

export function createQueryErrorResponse(
  exchange: HttpExchange,
  status: number,
  code: string,
  message: string,
): Answer {
  const body = serializeXml({
    Error: { Type: 'Sender', Code: code, Message: message },
    RequestId: exchange.record.id,
  });
  return createXmlResponse(status, `<ErrorResponse xmlns="${NAMESPACE}">${body}</ErrorResponse>`);
}

function createXmlResponse(status: number, body: string): Answer {
  return { status, headers: { 'Content-Type': 'text/xml' }, body };
}

function serializeXml(tree: XmlTree): string {
  return Object.entries(tree)
    .map(
      ([name, value]) =>
        `<${name}>${typeof value === 'string' ? escapeXml(value) : serializeXml(value)}</${name}>`,
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
