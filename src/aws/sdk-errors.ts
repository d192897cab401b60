/** True if AWS throttled the call. */
export function isThrottling(thrown: unknown): boolean {
  return (
    /Throttl|TooManyRequests|SlowDown/.test(getErrorName(thrown)) || getHttpStatus(thrown) === 429
  );
}

/** True if a retry may help. Callers must only read, because the call may have taken effect. */
export function isTransient(thrown: unknown): boolean {
  const status = getHttpStatus(thrown) ?? 0;
  return status >= 500 || (isUnreached(thrown) && !UNREACHABLE.test(getErrorCode(thrown)));
}

const UNREACHABLE =
  /^(ENOTFOUND|ECONNREFUSED|EAI_AGAIN|ENETUNREACH|EHOSTUNREACH|ERR_SSL_.*|UNABLE_TO_.*|.*CERT.*)$/;

const BROKEN = /^(ECONNRESET|EPIPE|ETIMEDOUT|ECONNABORTED)$/;

/** True if a call received no response. */
export function isUnreached(thrown: unknown): boolean {
  const code = getErrorCode(thrown);
  return UNREACHABLE.test(code) || BROKEN.test(code) || getErrorName(thrown) === 'TimeoutError';
}

/** True if AWS denied access. */
export function isRefusal(thrown: unknown): boolean {
  return /AccessDenied|Unauthorized/.test(getErrorName(thrown)) || getHttpStatus(thrown) === 403;
}

/** The name of an SDK exception, such as `AccessDeniedException`. Empty for other values. */
export function getErrorName(thrown: unknown): string {
  return thrown instanceof Error ? thrown.name : '';
}

function getErrorCode(thrown: unknown): string {
  return String((thrown as { readonly code?: unknown } | null)?.code ?? '');
}

function getHttpStatus(thrown: unknown): number | undefined {
  const { $metadata } = thrown as { readonly $metadata?: { readonly httpStatusCode?: number } };
  return $metadata?.httpStatusCode;
}
