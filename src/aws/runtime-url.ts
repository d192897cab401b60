import type { RuntimeArn } from './arn.ts';

/** The invocation URL of a runtime, below the base URL of the data plane. */
export function getRuntimeInvocationsUrl(
  endpoint: URL,
  runtime: RuntimeArn,
  qualifier: string | undefined,
): URL {
  return getRuntimeUrl(endpoint, runtime, qualifier, 'invocations');
}

/** The URL of StopRuntimeSession, below the base URL of the data plane. */
export function getRuntimeStopUrl(
  endpoint: URL,
  runtime: RuntimeArn,
  qualifier: string | undefined,
): URL {
  return getRuntimeUrl(endpoint, runtime, qualifier, 'stopruntimesession');
}

function getRuntimeUrl(
  endpoint: URL,
  { arn }: RuntimeArn,
  qualifier: string | undefined,
  operation: string,
): URL {
  const url = new URL(endpoint);
  const base = endpoint.pathname.replace(/\/$/, '');
  url.pathname = `${base}/runtimes/${encodeURIComponent(arn)}/${operation}`;
  url.search = qualifier ? `?qualifier=${encodeURIComponent(qualifier)}` : '';
  return url;
}
