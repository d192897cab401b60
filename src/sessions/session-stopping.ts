import { AgentCoreError, getErrorMessage } from '../error.ts';
import type { SessionClientFactory } from './session-access.ts';
import type { SessionInfo } from './session-book.ts';
import { formatTime } from './session-words.ts';
import { STOP_TIMEOUT_MS, type StopResult, stopSession } from './stop-session.ts';

/** AgentCore throttles, so a crowd of sessions is not stopped all at once. */
const STOP_CONCURRENCY = 8;

/** Stops sessions, some at a time, and reports each result immediately. Never rejects. */
export async function stopSessions(
  entries: readonly SessionInfo[],
  options: {
    readonly access: Pick<SessionClientFactory, 'createStopTargetFor'>;
    readonly signal: AbortSignal;
    readonly onResult: (entry: SessionInfo, result: StopResult) => void | Promise<void>;
  },
): Promise<void> {
  const waiting = [...entries];
  const worker = async () => {
    for (let entry = waiting.shift(); entry; entry = waiting.shift()) {
      const result = await stopRecorded(entry, options.access, options.signal);
      await options.onResult(entry, result);
    }
  };
  await Promise.all(Array.from({ length: STOP_CONCURRENCY }, worker));
}

async function stopRecorded(
  entry: SessionInfo,
  access: Pick<SessionClientFactory, 'createStopTargetFor'>,
  signal: AbortSignal,
): Promise<StopResult> {
  if (signal.aborted) return createFailedResult('interrupted before it was tried');
  try {
    const target = await access.createStopTargetFor(entry);
    const options = { signal, timeoutMs: STOP_TIMEOUT_MS };
    const result = await stopSession(target, entry.stopIds, options);
    if (result.how === 'gone' && !entry.idsKnown && entry.mayBill)
      return createFailedResult(describeUnknownId(entry));
    if (result.how !== 'failed') return result;
    if (signal.aborted) return createFailedResult('interrupted');
    const lacksToken = entry.authorization !== undefined && !target.fallback;
    return lacksToken ? withNeed(result, entry.authorization) : result;
  } catch (cause) {
    return createFailedResult(getErrorMessage(cause), cause);
  }
}

/** Its microVM may have an id that was never received, so a 404 for the sent id proves nothing. */
function describeUnknownId({ mayBillUntil }: SessionInfo): string {
  const until = mayBillUntil ? ` until ${formatTime(mayBillUntil)}` : '';
  return `AgentCore knows no session by the id that was sent, and its own was never learnt; it may bill${until}`;
}

/** Without the token of the session's calls, only IAM credentials were tried. */
function withNeed(
  result: StopResult & { readonly how: 'failed' },
  authorization: SessionInfo['authorization'],
): StopResult {
  const { reason, cause } = result;
  const isOfCaller =
    cause instanceof AgentCoreError && (cause.code === 'upstream' || cause.code === 'credentials');
  if (!isOfCaller) return result;
  const variables =
    authorization === 'oauth'
      ? 'AGENTCORE_OAUTH_CLIENT_ID and AGENTCORE_OAUTH_CLIENT_SECRET'
      : 'AGENTCORE_TOKEN_COMMAND';
  return {
    ...result,
    reason: `${reason.replace(/[.;:\s]+$/, '')}; its runtime takes bearer tokens, so set ${variables} as they were set for the program that began it`,
  };
}

function createFailedResult(reason: string, cause?: unknown): StopResult {
  return { how: 'failed', reason, ...(cause !== undefined && { cause }) };
}
