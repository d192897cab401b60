import { Recent } from './recent.ts';

/** The side of the conversation that has tokens in place of values. */
export type TokenHolder = 'client' | 'server';

/** What a token stands for. */
export interface Kept {
  readonly kind: string;
  readonly holder: TokenHolder;
  /** As it was written: the text of a string, or the JSON of a number. */
  readonly original: string;
  readonly isNumber: boolean;
}

/** Where the originals of tokens are. */
export interface Vault {
  keep(id: string, kept: Kept): void;
  find(id: string): Kept | undefined;
  /** Resolves once all that was kept would outlive this process, where it is meant to; throws where it cannot be. */
  settled(): Promise<void>;
  /** Learns what other processes have kept. False where nothing can have changed. */
  refresh(): Promise<boolean>;
}

/** Characters of originals that are kept at most. */
const MOST = 64 * 1024 * 1024;
/** What an entry takes beside its original. */
const ENTRY = 200;

/** A vault that goes with its process. Of more than fits, what was not used for longest is gone. */
export class MemoryVault implements Vault {
  readonly #kept: Recent<Kept>;

  constructor(most: number = MOST) {
    this.#kept = new Recent(most, (_, { original }) => original.length + ENTRY);
  }

  keep(id: string, kept: Kept): void {
    this.#kept.set(id, kept);
  }

  find(id: string): Kept | undefined {
    return this.#kept.get(id);
  }

  async settled(): Promise<void> {}

  async refresh(): Promise<boolean> {
    return false;
  }
}
