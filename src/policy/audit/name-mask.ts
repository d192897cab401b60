import { LruCache } from '../redaction/recent.ts';
import { Redactor } from '../redaction/redactor.ts';
import type { RedactionRules } from '../redaction/rules.ts';
import { MemoryVault } from '../redaction/vault.ts';

/** Maximum weight of cached names in bytes. Most names repeat. */
const MAX_CACHE_WEIGHT = 256 * 1024;

/**
 * Removes personal data and secrets from the names in the audit, regardless of the policy's
 * redaction settings. A URI may contain such data.
 *
 * @param rules Returns the rules of the policies in force, for their own patterns. Must return the
 *   same list until they change.
 * @throws {AgentCoreError} `config` if a rule is invalid. The returned function throws it as well.
 */
export async function createNameMask(
  rules: () => readonly RedactionRules[] = () => [],
): Promise<(name: string) => Promise<string>> {
  let of = rules();
  let mask = await maskFor(of);
  return async (name) => {
    const now = rules();
    if (now !== of) {
      mask = await maskFor(now);
      of = now;
    }
    return mask(name);
  };
}

async function maskFor(
  rules: readonly RedactionRules[],
): Promise<(name: string) => Promise<string>> {
  // Excludes phone numbers, because their library is large. If a policy enables them, it is loaded
  // anyway.
  const own = rules.map(
    ({ kinds, patterns, countries }): RedactionRules => ({
      mode: 'mask',
      ...(kinds && { kinds }),
      ...(patterns && { patterns: patterns.map((pattern) => ({ ...pattern, mode: 'mask' })) }),
      ...(countries && { countries }),
    }),
  );
  const redactor = await Redactor.create({
    rules: [{ mode: 'mask', kinds: { phone: false } }, ...own],
    vault: new MemoryVault(),
    salt: Buffer.alloc(32),
  });
  const known = new LruCache<string>(MAX_CACHE_WEIGHT, (name) => 2 * name.length + 50);
  return async (name) => {
    const before = known.get(name);
    if (before !== undefined) return before;
    const { json } = await redactor.toServer(JSON.stringify({ params: name }), {});
    const { params } = JSON.parse(json) as { params: string };
    known.set(name, params);
    return params;
  };
}
