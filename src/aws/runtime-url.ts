import type { RuntimeArn } from './arn.ts';

/** Where a runtime is invoked, below the data plane's base URL. */
export function runtimeInvocationsUrl(
  endpoint: URL,
  { arn }: RuntimeArn,
  qualifier: string | undefined,
): URL {
  const url = new URL(endpoint);
  const base = endpoint.pathname.replace(/\/$/, '');
  url.pathname = `${base}/runtimes/${encodeURIComponent(arn)}/invocations`;
  url.search = qualifier ? `?qualifier=${encodeURIComponent(qualifier)}` : '';
  return url;
}
