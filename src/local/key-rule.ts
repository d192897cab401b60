/** A zod error map: returns `rule` for an invalid key, and zod's own message otherwise. */
export function createKeyErrorMap(rule: string) {
  return ({ code }: { readonly code: string }) => (code === 'invalid_key' ? rule : undefined);
}
