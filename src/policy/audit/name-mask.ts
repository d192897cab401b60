import { Recent } from '../redaction/recent.ts';
import { Redactor } from '../redaction/redactor.ts';
import type { RedactionRules } from '../redaction/rules.ts';
import { MemoryVault } from '../redaction/vault.ts';

/** Bytes of names, most of which come again and again. */
const MOST_KNOWN = 256 * 1024;

/**
 * Takes personal data and secrets out of the names that the audit keeps, whatever a policy has
 * forwarded: a URI may have them.
 *
 * @param rules Those of the policies that hold now, for their own patterns; the same list as long as
 *   they are the same.
 * @throws {AgentCoreError} `config` where a rule cannot be used; the mask that is returned as well.
 */
export async function nameMask(
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
  // Without telephone numbers, whose library is large: where a policy has them, it is loaded anyway.
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
  const known = new Recent<string>(MOST_KNOWN, (name) => 2 * name.length + 50);
  return async (name) => {
    const before = known.get(name);
    if (before !== undefined) return before;
    const { json } = await redactor.toServer(JSON.stringify({ params: name }), {});
    const { params } = JSON.parse(json) as { params: string };
    known.set(name, params);
    return params;
  };
}
