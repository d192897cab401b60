import { setTimeout as delay } from 'node:timers/promises';
import * as z from 'zod';

export const RESEARCH = {
  topic: z.string().min(1),
  sources: z.number().int().min(1).max(1000).default(10),
  interval: z.number().int().min(0).max(10_000).default(500).describe('Milliseconds for a source'),
};

type Order = z.infer<z.ZodObject<typeof RESEARCH>>;

interface Asker {
  /** Aborts when the call is cancelled. */
  readonly signal: AbortSignal;
  log(sentence: string): Promise<void>;
  progress(done: number, total: number, message: string): Promise<void>;
}

/** A job that takes its time, tells how far it is, and can be cancelled. */
export class Research {
  #state = 'Nothing was researched yet';

  /** How the last research went, for whoever asks after it was cancelled. */
  get state(): string {
    return this.#state;
  }

  async run({ topic, sources, interval }: Order, asker: Asker): Promise<string> {
    let read = 0;
    try {
      await asker.log(`Looking for ${sources} sources on ${topic}`);
      while (read < sources) {
        this.#state = `${topic}: reading source ${read + 1} of ${sources}`;
        await delay(interval, undefined, { signal: asker.signal });
        read++;
        await asker.progress(read, sources, `Source ${read} of ${sources} on ${topic}`);
      }
      this.#state = `${topic}: summing up`;
      await delay(interval, undefined, { signal: asker.signal });
    } catch (error) {
      // Nobody hears the answer of a cancelled call, so this is the only trace that it leaves.
      const how = asker.signal.aborted ? 'cancelled' : 'failed';
      this.#state = `${topic}: ${how} after ${read} of ${sources} sources`;
      throw error;
    }
    this.#state = `${topic}: done`;
    return `${sources} sources agree on ${topic}`;
  }
}
