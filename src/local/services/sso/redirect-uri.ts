const LOOPBACK_HOSTS = new Set(['127.0.0.1', '[::1]', 'localhost']);

/** Whether a client may register it: plain HTTP to this machine, as RFC 8252 has it for programs. */
export function isLoopbackRedirect(uri: string): boolean {
  return withoutPort(uri) !== undefined;
}

/** Whether it is a registered one; the port is free to choose, for a program takes any that it gets. */
export function fitsRegistered(uri: string, registered: readonly string[]): boolean {
  const asked = withoutPort(uri);
  return asked !== undefined && registered.some((known) => withoutPort(known) === asked);
}

/** A redirect URI with parameters added to its query; those without a value are left out. */
export function redirectTo(
  uri: string,
  parameters: Readonly<Record<string, string | undefined>>,
): string {
  const url = new URL(uri);
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined) url.searchParams.set(name, value);
  }
  return url.href;
}

function withoutPort(uri: string): string | undefined {
  if (!URL.canParse(uri)) return undefined;
  const url = new URL(uri);
  if (url.protocol !== 'http:' || !LOOPBACK_HOSTS.has(url.hostname) || url.hash) return undefined;
  if (url.username || url.password) return undefined;
  url.port = '';
  return url.href;
}
