import { expect, it } from 'vitest';
import {
  findNetworkError,
  isAccessDeniedError,
  isThrottlingError,
  isTransientError,
} from '../../src/aws/sdk-errors.ts';

function fail(members: object, cause?: unknown): Error {
  return Object.assign(new Error('failed', { cause }), members);
}

const withStatus = (httpStatusCode: number) => fail({ $metadata: { httpStatusCode } });

it('finds the network error in a chain of causes', () => {
  const reset = fail({ code: 'ECONNRESET' });
  expect(findNetworkError(reset)).toBe('ECONNRESET');
  expect(findNetworkError(fail({}, fail({ code: 'config' }, reset)))).toBe('ECONNRESET');
  expect(findNetworkError(fail({ name: 'TimeoutError' }))).toBe('ETIMEDOUT');
  expect(findNetworkError(fail({ code: 'SELF_SIGNED_CERT_IN_CHAIN' }))).toBe(
    'SELF_SIGNED_CERT_IN_CHAIN',
  );
  expect(findNetworkError(withStatus(500))).toBeUndefined();
  expect(findNetworkError('ECONNRESET')).toBeUndefined();
});

it('ends the search in a circular chain of causes', () => {
  const circular = fail({});
  circular.cause = circular;
  expect(findNetworkError(circular)).toBeUndefined();
});

it.each([
  [withStatus(429), 'throttling'],
  [fail({ name: 'TooManyRequestsException' }), 'throttling'],
  [withStatus(503), 'transient'],
  [fail({ code: 'ECONNRESET' }), 'transient'],
  [fail({ code: 'ECONNREFUSED' }), ''],
  [withStatus(403), 'access denied'],
  [fail({ name: 'AccessDeniedException' }), 'access denied'],
  [withStatus(404), ''],
  [undefined, ''],
])('classifies %o as "%s"', (thrown, expected) => {
  const classes = [
    isThrottlingError(thrown) && 'throttling',
    isTransientError(thrown) && 'transient',
    isAccessDeniedError(thrown) && 'access denied',
  ];
  expect(classes.filter(Boolean).join()).toBe(expected);
});
