import type { Environment } from '../../environment.ts';
/** How VS Code is told to reach the network, in its settings `http.*`. */
export interface NetworkSettings {
  readonly proxy: string | undefined;
  readonly noProxy: readonly string[];
  /** `off` means that no proxy is used, whatever is set. */
  readonly proxySupport: string | undefined;
  readonly strictSsl: boolean | undefined;
  /** Whether the certificates of the operating system are trusted as well, which is the default. */
  readonly systemCertificates: boolean | undefined;
}

/**
 * The same for a program, which knows environment variables alone. What the environment says
 * already holds where the settings say nothing. Whoever has switched off the check of certificates
 * in VS Code has it switched off here, and Node warns of it.
 */
export function networkVariables(
  { proxy, noProxy, proxySupport, strictSsl, systemCertificates }: NetworkSettings,
  env: Environment,
): Readonly<Record<string, string | null>> {
  return {
    ...(strictSsl === false && { NODE_TLS_REJECT_UNAUTHORIZED: '0' }),
    ...(systemCertificates && !env.NODE_USE_SYSTEM_CA && { NODE_USE_SYSTEM_CA: '1' }),
    ...(proxySupport === 'off' ? withoutProxy() : proxyVariables(proxy, noProxy, env)),
  };
}

function withoutProxy() {
  return Object.fromEntries(variants(['HTTPS_PROXY', 'HTTP_PROXY', 'ALL_PROXY'], null));
}

function proxyVariables(proxy: string | undefined, noProxy: readonly string[], env: Environment) {
  if (!proxy && noProxy.length === 0) return {};
  const exceptions = [...new Set([...noProxy, ...loopback(env.NO_PROXY ?? env.no_proxy ?? '')])];
  return Object.fromEntries([
    ...(proxy ? variants(['HTTPS_PROXY', 'HTTP_PROXY'], proxy) : []),
    ...variants(['NO_PROXY'], exceptions.join(',')),
  ]);
}

/** A local AgentCore is never behind a proxy. */
function loopback(noProxy: string): readonly string[] {
  const listed = noProxy.split(/[\s,]+/).filter(Boolean);
  return [...listed, 'localhost', '127.0.0.1'];
}

/** Lower case goes before upper case for those who read both. */
function variants(names: readonly string[], value: string | null): [string, string | null][] {
  return names.flatMap((name) => [
    [name, value],
    [name.toLowerCase(), value],
  ]);
}
