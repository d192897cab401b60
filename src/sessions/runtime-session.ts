/** A runtime session, as far as this process knows it. */
export class RuntimeSession {
  /** What every invoke of the session carries as runtime session id. */
  readonly id: string;
  /** What the server answered `initialize` with as `Mcp-Session-Id`, to be echoed from then on. */
  mcpSessionId: string | undefined;
  /** The version of MCP that `initialize` ended with. */
  protocolVersion: string | undefined;
  /** The runtime session id that came back, which may be another one than was sent. */
  returnedId: string | undefined;
  /** True from the first invoke on: from then on the session may cost money. */
  invoked = false;
  #lastRequest = 0;
  #isSuperseded = false;

  constructor(id: string) {
    this.id = id;
  }

  /** Request ids count anew in each session, as its microVM does. */
  nextRequestNumber(): number {
    return ++this.#lastRequest;
  }

  /** This session with the server alone, where another one follows under the same id of ours. */
  superseded(): RuntimeSession {
    const alone = new RuntimeSession(this.id);
    alone.mcpSessionId = this.mcpSessionId;
    alone.invoked = this.invoked && this.mcpSessionId !== undefined;
    alone.#isSuperseded = true;
    return alone;
  }

  /** The ids by which StopRuntimeSession may know the session, the likelier one first. */
  get stopIds(): readonly string[] {
    const ids = [this.#isSuperseded ? undefined : (this.returnedId ?? this.id), this.mcpSessionId];
    return [...new Set(ids.filter((id) => id !== undefined))];
  }
}
