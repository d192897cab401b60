/** True where a client's secret may be sent: nobody on the way reads it, and no other is in the URL. */
export function takesSecret(url: URL): boolean {
  return isPrivate(url) && !url.username && !url.password;
}

/** True where nobody on the way reads what is sent there: by TLS, or not leaving this machine. */
export function isPrivate({ protocol, hostname }: URL): boolean {
  if (protocol === 'https:') return true;
  const isHere = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(hostname);
  return protocol === 'http:' && isHere;
}
