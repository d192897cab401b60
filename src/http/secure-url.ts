/**
 * True if a client secret may be sent to the URL: it is encrypted or local, and contains no user
 * name or password.
 */
export function canReceiveSecret(url: URL): boolean {
  return isSecureUrl(url) && !url.username && !url.password;
}

/** True if traffic is protected from eavesdropping: by TLS, or because it stays on this machine. */
export function isSecureUrl({ protocol, hostname }: URL): boolean {
  if (protocol === 'https:') return true;
  const isHere = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(hostname);
  return protocol === 'http:' && isHere;
}
