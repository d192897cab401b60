import { AgentCoreError, messageOf } from '../../../error.ts';
import type { OwnPattern } from '../rules.ts';
import type { Finder, Place } from './finder.ts';

const LONGEST_PATTERN = 1_000;

/**
 * A policy's own pattern, in the syntax of RE2: its engine takes linear time for every pattern,
 * and is loaded here, for only such a policy needs it.
 *
 * @throws {AgentCoreError} `config` where the pattern is none, or has what RE2 leaves out
 *   (lookaround and backreferences).
 */
export async function ownFinder({ name, pattern, ignoreCase }: OwnPattern): Promise<Finder> {
  if (pattern.length > LONGEST_PATTERN) {
    throw unusable(name, `it has more than ${LONGEST_PATTERN} characters`);
  }
  const { RE2JS } = await import('re2js');
  let compiled: InstanceType<typeof RE2JS>;
  try {
    compiled = RE2JS.compile(pattern, ignoreCase ? RE2JS.CASE_INSENSITIVE : 0);
  } catch (thrown) {
    throw unusable(name, messageOf(thrown));
  }
  return function* findOwn(text): Iterable<Place> {
    const matcher = compiled.matcher(text);
    while (matcher.find()) {
      const place = { start: matcher.start(), end: matcher.end() };
      if (place.end > place.start) yield place;
    }
  };
}

function unusable(name: string, reason: string): AgentCoreError {
  return new AgentCoreError('config', `The pattern "${name}" to redact cannot be used: ${reason}`);
}
