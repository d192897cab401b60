import { runSynchronously } from '../base/async.ts';
import { AgentCoreError, getErrorMessage } from '../base/errors.ts';
import { createPhoneDetector, findEmails, findIpAddresses } from './detect-contacts.ts';
import { findCards, findIbans, findNationalIds } from './detect-identifiers.ts';
import { MessageRewriter } from './rewriter.ts';
import {
  collectPatterns,
  type Detector,
  findMatches,
  type OwnPattern,
  type Place,
  type RedactionKind,
  type RedactionRules,
  resolveModes,
} from './rules.ts';
import { forEachAwsSecret, SECRET_PATTERNS, type SecretKind } from './secret-patterns.ts';
import { Digests, MemoryVault } from './tokens.ts';

/** Minimum length of a secret with a known form, including its prefix. */
const MIN_LENGTH = 13;

/** Telephone numbers are not built in, because their library is large. */
type BuiltInKind = Exclude<RedactionKind, 'phone'>;

const BUILT_IN: Readonly<Record<BuiltInKind, Detector>> = {
  'private-key': createSecretDetector('private-key'),
  'aws-key': createSecretDetector('aws-key'),
  token: createSecretDetector('token'),
  email: requireSign('@', findEmails),
  card: requireDigits(findCards),
  iban: requireDigits(findIbans),
  'national-id': requireDigits(findNationalIds),
  ip: requireDigits(findIpAddresses),
};

/** Creates the detectors that need no library, by kind. */
function createBuiltInDetectors(): Map<string, Detector[]> {
  return new Map(Object.entries(BUILT_IN).map(([kind, detector]) => [kind, [detector]]));
}

/**
 * Creates the detectors for some rules, by kind. Loads the larger libraries only if a rule needs
 * them.
 *
 * @throws {AgentCoreError} `config` if a policy's own pattern cannot be used.
 */
export async function createDetectors(
  rules: readonly RedactionRules[],
): Promise<ReadonlyMap<string, readonly Detector[]>> {
  const detectors = createBuiltInDetectors();
  const wantsPhones = (['arguments', 'results'] as const).some((direction) =>
    resolveModes(rules, direction, undefined).has('phone'),
  );
  if (wantsPhones) {
    const countries = new Set(rules.flatMap((rule) => rule.countries ?? []));
    detectors.set('phone', [requireDigits(await createPhoneDetector([...countries]))]);
  }
  for (const own of collectPatterns(rules)) {
    detectors.set(own.name, [...(detectors.get(own.name) ?? []), await createPatternDetector(own)]);
  }
  return detectors;
}

function requireSign(sign: string, detector: Detector): Detector {
  return (text, member) => (text.includes(sign) ? detector(text, member) : []);
}

function requireDigits(detector: Detector): Detector {
  return (text, member) => (/\d/.test(text) ? detector(text, member) : []);
}

/** Creates a detector for secrets of a kind, by the formats of their issuers. */
function createSecretDetector(kind: SecretKind): Detector {
  const patterns = SECRET_PATTERNS.filter((secret) => secret.kind === kind);
  // Matches if any of the patterns matches, so most texts need only one scan.
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

const MAX_PATTERN_LENGTH = 1_000;

/**
 * Creates a detector for a policy's own pattern in RE2 syntax. RE2 takes linear time for every
 * pattern. It is loaded here, because only policies with patterns need it.
 *
 * @throws {AgentCoreError} `config` if the pattern is invalid. RE2 has no lookaround and no back
 *   references.
 */
async function createPatternDetector({ name, pattern, ignoreCase }: OwnPattern): Promise<Detector> {
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

/**
 * Creates a synchronous function that masks some kinds in short texts. Used for files on disk,
 * which no policy covers.
 */
export function createTextMask(kinds: readonly BuiltInKind[]) {
  const config = {
    detectors: createBuiltInDetectors(),
    modes: new Map(kinds.map((kind) => [kind, 'mask' as const])),
    hasOwnPatterns: false,
    holder: 'server' as const,
    vault: new MemoryVault(),
    digests: new Digests(Buffer.alloc(0)),
  };
  return (text: string): string => {
    const made = new MessageRewriter(config, undefined).string(text, { isKey: false, path: [] });
    const masked = typeof made === 'object' ? runSynchronously(made) : made;
    return masked === undefined ? text : (JSON.parse(masked) as string);
  };
}
