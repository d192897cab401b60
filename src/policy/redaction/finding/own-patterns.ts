import { AgentCoreError, getErrorMessage } from '../../../error.ts';
import type { OwnPattern } from '../rules.ts';
import type { Detector, Place } from './finder.ts';

const MAX_PATTERN_LENGTH = 1_000;

/**
 * Creates a finder for a policy's own pattern in RE2 syntax. The engine takes linear time for every
 * pattern. It is loaded here, because only these policies need it.
 *
 * @throws {AgentCoreError} `config` if the pattern is invalid, or uses features that RE2 lacks
 *   (lookaround and back references).
 */
export async function createPatternDetector({
  name,
  pattern,
  ignoreCase,
}: OwnPattern): Promise<Detector> {
  if (pattern.length > MAX_PATTERN_LENGTH) {
    throw createPatternError(name, `it has more than ${MAX_PATTERN_LENGTH} characters`);
  }
  const { RE2JS } = await import('re2js');
  let compiled: InstanceType<typeof RE2JS>;
  try {
    compiled = RE2JS.compile(pattern, ignoreCase ? RE2JS.CASE_INSENSITIVE : 0);
  } catch (thrown) {
    throw createPatternError(name, getErrorMessage(thrown));
  }
  return function* findOwn(text): Iterable<Place> {
    const matcher = compiled.matcher(text);
    while (matcher.find()) {
      const place = { start: matcher.start(), end: matcher.end() };
      if (place.end > place.start) yield place;
    }
  };
}

function createPatternError(name: string, reason: string): AgentCoreError {
  return new AgentCoreError('config', `The pattern "${name}" to redact cannot be used: ${reason}`);
}
