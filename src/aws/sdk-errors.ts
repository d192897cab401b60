/** Classes of errors of the AWS SDK clients. */

/** True if AWS throttled the call. */
export function isThrottlingError(thrown: unknown): boolean {
  return (
    /Throttl|TooManyRequests|SlowDown/.test(getErrorName(thrown)) || getHttpStatus(thrown) === 429
  );
}

/** True if a retry may help. Callers must only read, because the call may have taken effect. */
export function isTransientError(thrown: unknown): boolean {
  if ((getHttpStatus(thrown) ?? 0) >= 500) return true;
  const code = findNetworkError(thrown);
  return code !== undefined && !UNREACHABLE.test(code);
}

const UNREACHABLE =
  /^(ENOTFOUND|ECONNREFUSED|EAI_AGAIN|ENETUNREACH|EHOSTUNREACH|ERR_SSL_.*|UNABLE_TO_.*|.*CERT.*)$/;

const BROKEN = /^(ECONNRESET|EPIPE|ETIMEDOUT|ECONNABORTED)$/;

/** Maximum length of a chain of causes. */
const MAX_DEPTH = 6;

/**
 * Returns the code of the network error in an error or its causes, such as `ECONNRESET`. The SDK's
 * own timeouts count as `ETIMEDOUT`. Returns `undefined` if there is none.
 */
export function findNetworkError(thrown: unknown): string | undefined {
  let at = thrown;
  for (let depth = 0; depth < MAX_DEPTH && at instanceof Error; depth += 1) {
    const code = String((at as NodeJS.ErrnoException).code ?? '');
    if (UNREACHABLE.test(code) || BROKEN.test(code)) return code;
    if (at.name === 'TimeoutError') return 'ETIMEDOUT';
    at = at.cause;
  }
  return undefined;
}

/** True if AWS denied access. */
export function isAccessDeniedError(thrown: unknown): boolean {
  return /AccessDenied|Unauthorized/.test(getErrorName(thrown)) || getHttpStatus(thrown) === 403;
}

/** The name of an SDK exception, such as `AccessDeniedException`. Empty for other values. */
export function getErrorName(thrown: unknown): string {
  return thrown instanceof Error ? thrown.name : '';
}

/** The status of the response, if the call received one. */
export function getHttpStatus(thrown: unknown): number | undefined {
  const { $metadata } = Object(thrown) as {
    readonly $metadata?: { readonly httpStatusCode?: number };
  };
  return $metadata?.httpStatusCode;
}
