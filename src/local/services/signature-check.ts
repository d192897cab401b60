import type { HttpExchange, RequestBody } from '../answers/http-exchange.ts';
import type { LocalEvents } from '../events.ts';
import type { SigV4Verifier, Verification } from '../signatures/sigv4-verifier.ts';

/** Checks the signature of a request. Emits the reason for a refusal to the log. */
export function checkSignature(
  { verifier, events }: { readonly verifier: SigV4Verifier; readonly events: LocalEvents },
  exchange: HttpExchange,
  body: RequestBody,
  service: string,
  regions: readonly string[],
): Verification {
  const verification = verifier.verify(
    {
      method: exchange.request.method ?? '',
      path: exchange.path,
      query: exchange.query,
      headers: exchange.headers,
      bodySha256: body.sha256,
    },
    service,
    regions,
  );
  if (!verification.ok) {
    const { why, reason } = verification;
    const { record } = exchange;
    record.refusal = reason;
    events.emit(() => ({ type: 'signature-refused', why, reason, request: record }));
  }
  return verification;
}
