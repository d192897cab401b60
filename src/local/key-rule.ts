/** The sentence for a key that a record may not have; zod's own for every other mistake in it. */
export function keyRule(rule: string) {
  return ({ code }: { readonly code: string }) => (code === 'invalid_key' ? rule : undefined);
}
