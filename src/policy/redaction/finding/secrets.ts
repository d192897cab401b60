import {
  forEachAwsSecret,
  SECRET_PATTERNS,
  type SecretKind,
} from '../../../journal/secret-patterns.ts';
import { type Detector, findMatches, type Place } from './finder.ts';

/** The minimum length of a secret of these forms, including its prefix. */
const MIN_LENGTH = 13;

/** Detects secrets of a kind by the format of their issuer. */
export function createSecretDetector(kind: SecretKind): Detector {
  const patterns = SECRET_PATTERNS.filter((secret) => secret.kind === kind);
  // Matches if any of the patterns matches, so that most texts need only one scan.
  const any = new RegExp(patterns.map(({ pattern }) => pattern.source).join('|'), 'i');
  return function* findSecrets(text): Iterable<Place> {
    if (text.length < MIN_LENGTH) return;
    for (const { pattern, hasLead, isOne } of any.test(text) ? patterns : []) {
      for (const { 0: whole, 1: lead, index } of findMatches(text, pattern)) {
        if (isOne && !isOne(hasLead ? whole.slice((lead as string).length) : whole)) continue;
        const start = hasLead ? index + (lead as string).length : index;
        yield { start, end: index + whole.length };
      }
    }
    if (kind !== 'aws-key') return;
    const found: Place[] = [];
    forEachAwsSecret(text, (start, end) => found.push({ start, end }));
    yield* found;
  };
}
