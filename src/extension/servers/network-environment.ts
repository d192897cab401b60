import type { Environment } from '../../base/environment.ts';

/** VS Code's network settings, `http.*`. */
interface NetworkSettings {
  readonly proxy: string | undefined;
  readonly noProxy: readonly string[];
  /** `off` disables every proxy. */
  readonly proxySupport: string | undefined;
  readonly strictSsl: boolean | undefined;
  /** Whether the operating system's certificates are trusted too. This is the default. */
  readonly systemCertificates: boolean | undefined;
}

/**
 * Converts the settings to environment variables for a child process. If a setting is absent, the
 * existing variable applies. If the user disabled certificate checks in VS Code, they are disabled
 * here too, and Node prints a warning.
 */
export function createNetworkVariables(
  { proxy, noProxy, proxySupport, strictSsl, systemCertificates }: NetworkSettings,
  env: Environment,
): Readonly<Record<string, string | null>> {
  return {
    ...(strictSsl === false && { NODE_TLS_REJECT_UNAUTHORIZED: '0' }),
    ...(systemCertificates && !env.NODE_USE_SYSTEM_CA && { NODE_USE_SYSTEM_CA: '1' }),
    ...(proxySupport === 'off'
      ? createUnsetProxyVariables()
      : createProxyVariables(proxy, noProxy, env)),
  };
}

function createUnsetProxyVariables() {
  return Object.fromEntries(toCaseVariants(['HTTPS_PROXY', 'HTTP_PROXY', 'ALL_PROXY'], null));
}

function createProxyVariables(
  proxy: string | undefined,
  noProxy: readonly string[],
  env: Environment,
) {
  if (!proxy && noProxy.length === 0) return {};
  const exceptions = [...new Set([...noProxy, ...addLoopback(env.NO_PROXY ?? env.no_proxy ?? '')])];
  return Object.fromEntries([
    ...(proxy ? toCaseVariants(['HTTPS_PROXY', 'HTTP_PROXY'], proxy) : []),
    ...toCaseVariants(['NO_PROXY'], exceptions.join(',')),
  ]);
}

/** A local AgentCore is reached directly, without a proxy. */
function addLoopback(noProxy: string): readonly string[] {
  const listed = noProxy.split(/[\s,]+/).filter(Boolean);
  return [...listed, 'localhost', '127.0.0.1'];
}

/** Sets both cases, because programs that read both prefer lower case. */
function toCaseVariants(names: readonly string[], value: string | null): [string, string | null][] {
  return names.flatMap((name) => [
    [name, value],
    [name.toLowerCase(), value],
  ]);
}
