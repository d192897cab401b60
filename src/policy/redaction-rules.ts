import type { RedactInput } from './documents/document-schema.ts';
import type { PolicySet } from './documents/policy-set.ts';
import type { RedactionRules } from './redaction/rules.ts';

/**
 * What the documents that hold say of redaction, as of each call of the function that is returned.
 * As long as no document changes, the list is the very same.
 */
export function redactionRules(
  documents: Pick<PolicySet, 'current'>,
): () => readonly RedactionRules[] {
  let policies: ReturnType<PolicySet['current']>['policies'] | undefined;
  let rules: readonly RedactionRules[] = [];
  return () => {
    const now = documents.current().policies;
    if (now !== policies) {
      policies = now;
      rules = now.flatMap(({ redact }) => (redact ? [rulesOf(redact)] : []));
    }
    return rules;
  };
}

/** The same without members that are there and undefined. */
function rulesOf(redact: RedactInput): RedactionRules {
  return JSON.parse(JSON.stringify(redact)) as RedactionRules;
}
