import type { RuntimeArn } from './arn.ts';

/** The invocation URL of a runtime, below the base URL of the data plane. */
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
