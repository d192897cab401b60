import { describe, expect, it } from 'vitest';
import { checkRequest } from '../../src/transports/request-guard.ts';

const JSON_BODY = { 'content-type': 'application/json' };
const statusOf = (host: string, headers: Record<string, string>, method = 'POST') =>
  checkRequest({ headers, method }, host)?.status;

describe('a loopback listener', () => {
  it.each(['127.0.0.1:8000', '127.0.0.1', 'localhost:8000', '[::1]:8000', '127.1.2.3'])(
    'accepts the Host %s',
    (host) => {
      expect(statusOf('127.0.0.1', { host, ...JSON_BODY })).toBeUndefined();
    },
  );

  it.each(['evil.example', 'evil.example:8000', '10.0.0.1', '127.0.0.1.evil.example', 'a b', ''])(
    'rejects the Host %j',
    (host) => {
      for (const address of ['127.0.0.1', '::1', 'localhost']) {
        expect(statusOf(address, { host, ...JSON_BODY })).toBe(403);
      }
    },
  );
});

describe('a listener on all addresses', () => {
  it.each(['evil.example', '10.0.0.1:8000', '127.0.0.1:8000'])('accepts the Host %s', (host) => {
    for (const address of ['0.0.0.0', '::', '10.0.0.1']) {
      expect(statusOf(address, { host, ...JSON_BODY })).toBeUndefined();
    }
  });
});

it.each([
  ['127.0.0.1:8000', 'http://evil.example', 403],
  ['127.0.0.1:8000', 'null', 403],
  ['127.0.0.1:8000', 'http://127.0.0.1:3000', 403],
  ['127.0.0.1:8000', 'https://127.0.0.1:8000', 403],
  ['evil.example:8000', 'http://evil.example:8000', 403],
  ['127.0.0.1:8000', 'http://127.0.0.1:8000', undefined],
])('for the Host %s answers the Origin %s with %s', (host, origin, status) => {
  expect(statusOf('0.0.0.0', { host, origin, ...JSON_BODY })).toBe(status);
});

it.each([
  ['application/json', undefined],
  ['application/json; charset=utf-8', undefined],
  ['Application/JSON', undefined],
  ['application/vnd.x+json', undefined],
  ['text/plain', 415],
  ['text/plain; x=application/json', 415],
  ['application/x-www-form-urlencoded', 415],
  ['multipart/form-data; boundary=x', 415],
  ['application/jsonp', 415],
])('answers a body of the type %s with %s', (type, status) => {
  expect(statusOf('127.0.0.1', { host: '127.0.0.1', 'content-type': type })).toBe(status);
  expect(statusOf('127.0.0.1', { host: '127.0.0.1', 'content-type': type }, 'GET')).toBeUndefined();
});
