/**
 * The bare calls run in a process of their own, so that their code is as warm, their heap as
 * full and their memory as measurable as a proxy's. Takes one order at a time from its parent.
 */
import { getErrorMessage } from '../src/base/errors.ts';
import { BareCaller, type BareTarget } from './bare.ts';
import { initializeParams } from './mcp-caller.ts';
import { runWorkload, type Workload } from './workloads.ts';

export type BareOrder = { readonly connect: BareTarget } | { readonly run: Workload };
export type BareReport = { readonly samples: readonly number[] } | { readonly failure: string };

let caller: BareCaller | undefined;

async function carryOut(order: BareOrder): Promise<readonly number[]> {
  if ('run' in order) {
    if (!caller) throw new Error('connect comes first');
    return await runWorkload(caller, order.run);
  }
  caller = new BareCaller(order.connect);
  await caller.request('initialize', initializeParams);
  await caller.notify('notifications/initialized');
  return [];
}

process.on('message', (order: BareOrder) => {
  carryOut(order).then(
    (samples) => process.send?.({ samples } satisfies BareReport),
    (error) => process.send?.({ failure: getErrorMessage(error) } satisfies BareReport),
  );
});
process.on('disconnect', () => process.exit());
