import type { ConfigFile, ConfigSection } from '../credentials/config-parser.ts';

/** A setting of a section: a line `key = value`. */
export type Setting = readonly [key: string, value: string];

/** Editable text of an AWS config file. Unaffected bytes stay unchanged. */
export class ConfigText {
  readonly #file: ConfigFile;
  /** With line endings. */
  readonly #lines: string[];
  readonly #end: string;

  /** @param file The parsed file. Each section may be changed once, and sections may be added. */
  constructor(file: ConfigFile) {
    this.#file = file;
    this.#lines = [...file.lines];
    this.#end = file.lines.some((line) => line.endsWith('\r\n')) ? '\r\n' : '\n';
  }

  toString(): string {
    return this.#lines.join('');
  }

  /**
   * Appends a section after an empty line.
   *
   * @param header Without brackets, such as `profile work`.
   */
  append(header: string, settings: readonly Setting[]): void {
    const last = this.#lines.at(-1);
    if (last !== undefined) {
      this.#lines[this.#lines.length - 1] = this.#withEnd(last);
      if (last.trim() !== '') this.#lines.push(this.#end);
    }
    this.#lines.push(`[${header}]${this.#end}`, ...this.#formatLines(settings, ''));
  }

  /** Adds settings to a section and removes the settings whose keys match `goes`. */
  change(
    { start, settings: known }: ConfigSection,
    settings: readonly Setting[],
    goes: (key: string) => boolean,
  ): void {
    const going = known.filter(({ key }) => goes(key));
    for (const at of going.flatMap(({ lines }) => lines)) this.#lines[at] = '';
    // Use the indentation of the next setting. A deeper line would belong to the value above it.
    const next = known.find(({ key }) => !goes(key)) ?? known[0];
    const indent = next ? /^\s*/.exec(this.#file.lines[next.lines[0] ?? 0] ?? '')?.[0] : '';
    const head = this.#withEnd(this.#lines[start] ?? '');
    this.#lines[start] = [head, ...this.#formatLines(settings, indent ?? '')].join('');
  }

  #formatLines(settings: readonly Setting[], indent: string): string[] {
    return settings.map(([key, value]) => `${indent}${key} = ${value}${this.#end}`);
  }

  #withEnd(line: string): string {
    return /[\r\n]$/.test(line) ? line : line + this.#end;
  }
}
