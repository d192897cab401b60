const LOOPBACK_HOSTS = new Set(['127.0.0.1', '[::1]', 'localhost']);

/** Whether a client may register the URI: plain HTTP on a loopback host (RFC 8252). */
export function isLoopbackRedirect(uri: string): boolean {
  return withoutPort(uri) !== undefined;
}

/** Whether the URI is registered. Any port is accepted, because native apps use a free one. */
export function isRegisteredUri(uri: string, registered: readonly string[]): boolean {
  const asked = withoutPort(uri);
  return asked !== undefined && registered.some((known) => withoutPort(known) === asked);
}

/** Adds query parameters to a redirect URI. Omits parameters without a value. */
export function createRedirectUrl(
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
