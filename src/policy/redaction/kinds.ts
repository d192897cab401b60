/** The built-in kinds. The names of a policy's own patterns are further kinds. */
export const REDACTION_KINDS = [
  'email',
  'phone',
  'card',
  'iban',
  'national-id',
  'ip',
  'aws-key',
  'token',
  'private-key',
] as const;

export type RedactionKind = (typeof REDACTION_KINDS)[number];

/** The format of a kind's name, which is part of tokens. */
export const KIND_NAME = /^[a-z][a-z0-9-]{0,31}$/;
