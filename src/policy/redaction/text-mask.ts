import { runSynchronously } from '../../slices.ts';
import { Digests } from './digests.ts';
import { createBuiltInDetectors } from './finding/finders.ts';
import type { RedactionKind } from './kinds.ts';
import { MessageRewriter } from './rewriting.ts';
import { MemoryVault } from './vault.ts';

/**
 * Creates a synchronous function that masks these kinds in short texts. Used for files that are
 * written without a policy.
 *
 * @param kinds Any except telephone numbers, whose library is large.
 */
export function createTextMask(kinds: readonly Exclude<RedactionKind, 'phone'>[]) {
  const hiding = {
    finders: createBuiltInDetectors(),
    modes: new Map(kinds.map((kind) => [kind, 'mask' as const])),
    hasOwnPatterns: false,
    holder: 'server' as const,
    vault: new MemoryVault(),
    digests: new Digests(Buffer.alloc(0)),
  };
  return (text: string): string => {
    const made = new MessageRewriter(hiding, undefined).string(text, { isKey: false, path: [] });
    const masked = typeof made === 'object' ? runSynchronously(made) : made;
    return masked === undefined ? text : (JSON.parse(masked) as string);
  };
}
