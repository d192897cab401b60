import type { JSONRPCMessage } from '@modelcontextprotocol/server';

interface StoredEvent {
  readonly streamId: string;
  readonly message: JSONRPCMessage;
}

/** The sent messages of a session, for a client that resumes a stream. */
export class StoredEvents {
  readonly #events: StoredEvent[] = [];

  /** @returns The id of the event, which is its index among all events. */
  async storeEvent(streamId: string, message: JSONRPCMessage): Promise<string> {
    return String(this.#events.push({ streamId, message }) - 1);
  }

  async getStreamIdForEventId(id: string): Promise<string | undefined> {
    return this.#events[Number(id)]?.streamId;
  }

  async replayEventsAfter(
    lastId: string,
    { send }: { send: (id: string, message: JSONRPCMessage) => Promise<void> },
  ): Promise<string> {
    const streamId = (await this.getStreamIdForEventId(lastId)) ?? '';
    for (const [place, event] of this.#events.entries()) {
      const isMissed = place > Number(lastId) && event.streamId === streamId;
      // The event that opens a stream has no message.
      if (isMissed && 'jsonrpc' in event.message) await send(String(place), event.message);
    }
    return streamId;
  }
}
