import {
  eachAwsSecret,
  SECRET_PATTERNS,
  type SecretKind,
  type SecretPattern,
} from '../../../journal/secret-patterns.ts';
import { type Finder, matchesOf, type Place } from './finder.ts';

/** No secret of these forms has fewer characters, its mark counted. */
const SHORTEST = 13;

/** Credentials in a header of HTTP, whatever they look like. */
const BASIC: SecretPattern = {
  kind: 'token',
  pattern: /\b(basic\s{1,9})[A-Za-z\d+/]{8,}={0,2}/gi,
  hasLead: true,
};

/** Secrets of a kind by the form that their issuer gives them. */
export function secretFinder(kind: SecretKind): Finder {
  const patterns = [...SECRET_PATTERNS, BASIC].filter((secret) => secret.kind === kind);
  // Matches wherever one of them does: most texts have none, and are then looked through once.
  const any = new RegExp(patterns.map(({ pattern }) => pattern.source).join('|'), 'i');
  return function* findSecrets(text): Iterable<Place> {
    if (text.length < SHORTEST) return;
    for (const { pattern, hasLead } of any.test(text) ? patterns : []) {
      for (const { 0: whole, 1: lead, index } of matchesOf(text, pattern)) {
        const start = hasLead ? index + (lead as string).length : index;
        yield { start, end: index + whole.length };
      }
    }
    if (kind !== 'aws-key') return;
    const found: Place[] = [];
    eachAwsSecret(text, (start, end) => found.push({ start, end }));
    yield* found;
  };
}
