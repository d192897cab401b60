/** Reserves from a counter as often as requested, and reports the number of successes. */

import { createCalendarWindow } from '../../../src/policy/documents/windows.ts';
import { Counters } from '../../../src/policy/engine/counters.ts';
import { CounterFiles } from '../../../src/state/files/counter-file.ts';

const [folder = '', times = '0', most = '0'] = process.argv.slice(2);
const now = () => Date.UTC(2026, 6, 28, 12);
const counters = new Counters(new CounterFiles(folder, now), now);
const counter = {
  key: 'k'.repeat(300),
  window: createCalendarWindow('day'),
  scope: 'global',
} as const;
const limit = {
  file: 'p',
  pointer: '',
  message: '',
  counter,
  amount: 1,
  most: Number(most),
  isExclusive: false,
};
const party = { session: 's', caller: undefined, runtime: 'r' };
let taken = 0;
for (let time = 0; time < Number(times); time++) {
  if ('receipt' in counters.reserve([limit], party)) taken++;
}
process.stdout.write(String(taken));
