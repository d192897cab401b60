import type { Clock } from '../clock.ts';
import type { ArmedFault } from '../fault.ts';
import type { RuntimeSession } from '../sessions/runtime-session.ts';
import type { Forward } from './forward.ts';

type Disturbance = Extract<ArmedFault, { readonly kind: 'restart-container' | 'kill-microvm' }>;

/** Ends or replaces a session's microVM before or after a request, where a fault says so. */
export async function disturb(
  fault: ArmedFault | undefined,
  session: RuntimeSession,
  moment: 'before' | 'after',
): Promise<void> {
  if (isDisturbance(fault) && fault.when === moment) await strike(fault, session);
}

/** What a fault does to a request that its container has. */
export function disturbanceDuring(
  fault: ArmedFault | undefined,
  session: RuntimeSession,
  clock: Clock,
): Pick<Forward, 'sent' | 'gate'> {
  if (fault?.kind === 'stall') return { gate: { ...fault, ending: 'stall' } };
  if (fault?.kind === 'cut') {
    return { gate: { ...fault, ending: fault.by === 'reset' ? 'reset' : 'cut' } };
  }
  if (!isDisturbance(fault) || fault.when !== 'during') return {};
  const { afterEvents, afterMs } = fault;
  const run = () => void strike(fault, session);
  if (afterEvents !== undefined) return { gate: { afterEvents, ending: 'cut', reached: run } };
  const end = (breakOff: () => void) => {
    // An answer that was faster than its end is lost all the same.
    breakOff();
    run();
  };
  return {
    sent: afterMs === undefined ? end : (breakOff) => clock.after(afterMs, () => end(breakOff)),
  };
}

function isDisturbance(fault: ArmedFault | undefined): fault is Disturbance {
  return fault?.kind === 'restart-container' || fault?.kind === 'kill-microvm';
}

async function strike({ kind }: Disturbance, session: RuntimeSession): Promise<void> {
  if (kind === 'restart-container') await session.restart();
  else await session.stop('microvm-killed');
}
