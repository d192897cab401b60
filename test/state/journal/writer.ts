import { JournalWriter } from '../../../src/state/journal/writer.ts';
import { MAX_WAIT_MS } from '../../fixtures/bounds.ts';
import { at, call, started } from './records.ts';

/**
 * Writes a journal until it is killed: a session and this many calls. Then reports that all is
 * written.
 */
const [folder = '', session = '', count = '0'] = process.argv.slice(2);

const journal = new JournalWriter({
  folder,
  program: 'proxy',
  version: '1.2.3',
  maxWaitMs: MAX_WAIT_MS,
  onFailure: (sentence) => {
    throw new Error(sentence);
  },
});
journal.record(started(session));
for (let i = 0; i < Number(count); i++) journal.record(call(session, i));
await journal.recordNow({ type: 'session.active', at: at(0), session, open: 0 });
process.send?.('written');
// The channel to the test keeps this process alive.
process.on('message', () => {});
