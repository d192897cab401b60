import type { Clock } from '../clock.ts';
import type { ArmedFault } from '../fault.ts';
import type { RuntimeSession } from '../sessions/runtime-session.ts';
import type { Forward } from './forward.ts';

type Disturbance = Extract<ArmedFault, { readonly kind: 'restart-container' | 'kill-microvm' }>;

/** Ends or replaces the microVM of a session before or after a request, if a fault requires it. */
export async function disturb(
  fault: ArmedFault | undefined,
  session: RuntimeSession,
  moment: 'before' | 'after',
): Promise<void> {
  if (isDisturbance(fault) && fault.when === moment) await applyDisturbance(fault, session);
}

/** Hooks for a fault during the container's work on the request. */
export function createDisturbanceHooks(
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
  const run = () => void applyDisturbance(fault, session);
  if (afterEvents !== undefined) return { gate: { afterEvents, ending: 'cut', reached: run } };
  const end = (breakOff: () => void) => {
    // Drop the response even if the container was faster than the fault.
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

async function applyDisturbance({ kind }: Disturbance, session: RuntimeSession): Promise<void> {
  if (kind === 'restart-container') await session.restart();
  else await session.stop('microvm-killed');
}
