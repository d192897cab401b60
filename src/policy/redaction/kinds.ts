/** What is looked for; beside these, the names of a policy's own patterns are kinds. */
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

/** What a kind's name may look like: it stands in tokens. */
export const KIND_NAME = /^[a-z][a-z0-9-]{0,31}$/;
