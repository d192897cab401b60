import type { RedactInput } from './documents/document-schema.ts';
import type { PolicyDocumentSet } from './documents/policy-set.ts';
import type { RedactionRules } from './redaction/rules.ts';

/**
 * Returns a function that returns the redaction rules of the documents in force. It returns the
 * same list until a document changes.
 */
export function createRedactionRulesReader(
  documents: Pick<PolicyDocumentSet, 'current'>,
): () => readonly RedactionRules[] {
  let policies: ReturnType<PolicyDocumentSet['current']>['policies'] | undefined;
  let rules: readonly RedactionRules[] = [];
  return () => {
    const now = documents.current().policies;
    if (now !== policies) {
      policies = now;
      rules = now.flatMap(({ redact }) => (redact ? [toRedactionRules(redact)] : []));
    }
    return rules;
  };
}

/** Removes members with the value `undefined`. */
function toRedactionRules(redact: RedactInput): RedactionRules {
  return JSON.parse(JSON.stringify(redact)) as RedactionRules;
}
