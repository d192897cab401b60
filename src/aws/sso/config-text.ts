/** A setting of a section: a line `key = value`. */
export type Setting = readonly [key: string, value: string];

/** The text of an AWS config file, of which every byte stays that a change does not concern. */
export class ConfigText {
  /** With their line ends. */
  readonly #lines: string[];
  readonly #end: string;

  constructor(text: string) {
    this.#lines = text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
    this.#end = text.includes('\r\n') ? '\r\n' : '\n';
  }

  toString(): string {
    return this.#lines.join('');
  }

  /** @param header Without brackets, such as `profile work`. */
  has(header: string): boolean {
    return this.#start(header) !== undefined;
  }

  /** Puts a section at the end, after an empty line. */
  append(header: string, settings: readonly Setting[]): void {
    const last = this.#lines.at(-1);
    if (last !== undefined) {
      if (!last.endsWith('\n')) this.#lines[this.#lines.length - 1] = last + this.#end;
      if (last.trim() !== '') this.#lines.push(this.#end);
    }
    this.#lines.push(`[${header}]${this.#end}`, ...this.#linesOf(settings));
  }

  /** Puts settings into the section that is there, in place of those whose keys are to go. */
  change(header: string, settings: readonly Setting[], goes: (key: string) => boolean): void {
    const start = this.#start(header);
    if (start === undefined) throw new Error(`There is no section [${header}]`);
    const next = this.#lines.findIndex((line, at) => at > start && headerOf(line) !== undefined);
    const body = this.#lines.slice(start + 1, next === -1 ? undefined : next);
    let isGoing = false;
    const rest = body.filter((line) => {
      const key = keyOf(line);
      if (key !== undefined) isGoing = goes(key);
      // What is indented belongs to the key above; comments and empty lines to nobody.
      return !(isGoing && (key !== undefined || isNested(line)));
    });
    const head = this.#lines[start] as string;
    if (!head.endsWith('\n')) this.#lines[start] = head + this.#end;
    this.#lines.splice(start + 1, body.length, ...this.#linesOf(settings), ...rest);
  }

  #start(header: string): number | undefined {
    const start = this.#lines.findIndex((line) => headerOf(line) === header);
    return start === -1 ? undefined : start;
  }

  #linesOf(settings: readonly Setting[]): string[] {
    return settings.map(([key, value]) => `${key} = ${value}${this.#end}`);
  }
}

/** The section that a line begins, in the one way of writing it: `profile work`. */
function headerOf(line: string): string | undefined {
  const bare = line.split(/(?:^|\s)[;#]/)[0]?.trim() ?? '';
  const inner = /^\[(.*)\]$/.exec(bare)?.[1]?.trim();
  return inner?.replace(/^([\w-]+)\s+(["']?)(.*)\2$/, '$1 $3');
}

function keyOf(line: string): string | undefined {
  return /^([^\s=#;[][^=]*?)\s*=/.exec(line)?.[1];
}

function isNested(line: string): boolean {
  return /^[ \t]+[^\s#;]/.test(line);
}
