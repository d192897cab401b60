import type { RedactionKind } from '../../../src/redaction/rules.ts';

const PEM = [
  '-----BEGIN PRIVATE KEY-----',
  'MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg',
  '-----END PRIVATE KEY-----',
].join('\n');

/**
 * Samples of each kind from documentation, test ranges and standards, which belong to no person.
 */
export const SAMPLES: Readonly<Record<RedactionKind, readonly string[]>> = {
  email: [
    'jane.doe@example.com',
    'first+tag@sub.example.co.uk',
    "o'neill@example.org",
    '"jane doe"@example.com',
    'jürgen@müller.example',
    'user@[192.0.2.1]',
  ],
  phone: ['+41 44 668 18 00', '+1 (415) 555-2671', '(415) 555-2671', '0041 44 668 18 00'],
  card: [
    '4111111111111111',
    '4111 1111 1111 1111',
    '4111-1111-1111-1111',
    '5555555555554444',
    '2223003122003222',
    '3782 822463 10005',
    '6011000990139424',
    '3530111333300000',
    '4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1',
  ],
  iban: [
    'DE89370400440532013000',
    'GB29 NWBK 6016 1331 9268 19',
    'CH93 0076 2011 6238 5295 7',
    'fr1420041010050500013m02606',
  ],
  'national-id': [
    '078-05-1120',
    '912-70-1234',
    'AB 12 34 56 C',
    '046 454 286',
    '756.9217.0769.85',
    '86095742719',
    '2 55 08 14 168 025 38',
    '12345678Z',
    'X1234567L',
    'RSSMRA85T10A562S',
    '85.07.30-033.28',
    '44051401359',
    '811228-9874',
    '131052-308T',
    '390.533.447-05',
    '2341 2341 2346',
    '11010519491231002X',
  ],
  ip: ['203.0.113.7', '2001:db8::ff00:42:8329', '::ffff:192.0.2.128'],
  'aws-key': [
    'AKIAIOSFODNN7EXAMPLE',
    'ASIAIOSFODNN7EXAMPLE',
    'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  ],
  token: [
    'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl',
    `ghp_${'a1B2'.repeat(9)}`,
    `xoxb-${'123456789012-'.repeat(2)}abcdef`,
    `sk-${'a1B2'.repeat(8)}`,
  ],
  'private-key': [PEM],
};

/** Values that only look like personal data. */
export const ORDINARY: readonly string[] = [
  'The meeting is on 2026-11-21 at 15:21:48.',
  '2026-11-21T15:21:48.123Z',
  'arn:aws:bedrock-agentcore:us-west-2:123456789012:runtime/my_server-AbCdEf1234',
  '123e4567-e89b-42d3-a456-426614174000',
  '8b3885b0c0ffee8b3885b0c0ffee8b3885b0c0ff',
  'std::string a::b Foo::bar',
  '127.0.0.1:8080 and ::1 and 0.0.0.0',
  'npm i @types/node@22.20.5',
  'version 1.2.3',
  'order 4111111111111112',
  '1763737000 1763737000123',
  'DE00370400440532013000',
  '3.14159265358979 2.718281828459045',
  '/usr/local/lib/node_modules/some-package/index.js',
  '1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15',
  '4 8 15 16 23 42 4 8 15 16 23 42 4 8 15 16 23 42',
  'a < b && c > d <email> <email:abc>',
];
