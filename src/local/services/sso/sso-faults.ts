import type { Dialect } from '../../answers/dialect.ts';
import type { HttpExchange } from '../../answers/http-exchange.ts';
import type { Answer } from '../../answers/platform-error.ts';
import type { FaultTarget } from '../../faults.ts';
import { answerWithFault, isAnswerFault, recordFault } from '../../invocations/fault-answers.ts';
import type { Platform } from '../../platform.ts';

/**
 * Sends the result of `work`, or an injected fault. A fault with phase `after` runs `work` first,
 * which simulates a lost response.
 */
export function answerUnlessFaulty(
  platform: Platform,
  exchange: HttpExchange,
  target: FaultTarget,
  dialect: Dialect,
  work: () => Answer,
): void {
  const fault = platform.faults.take(target);
  recordFault(platform, exchange.record, fault);
  if (!fault || !isAnswerFault(fault)) {
    exchange.answer(work());
    return;
  }
  if (fault.phase === 'after') work();
  answerWithFault(exchange, fault, dialect);
}
