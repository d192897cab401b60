/** Parses AWS config and credentials files like botocore, and reports lines with problems. */

/** A setting and its position in the file. */
export interface ConfigSetting {
  /** In lower case. */
  readonly key: string;
  /**
   * As botocore reads it: lines are joined by `\n`, and trailing comments are part of the value.
   */
  readonly value: string;
  /** The settings in an indented block under an empty value, as in `s3 =`. */
  readonly nested: Readonly<Record<string, string>> | undefined;
  /** Indexes of its lines, starting with the line of the key. */
  readonly lines: readonly number[];
  /** Characters before the key. */
  readonly indent: number;
  /** Settings on continuation lines, which would be separate settings without the indentation. */
  readonly swallowed: readonly { readonly key: string; readonly line: number }[];
}

/** A section, from its header to the line before the next header. */
export interface ConfigSection {
  /** The text between the brackets, or the whole line if the header could not be parsed. */
  readonly header: string;
  readonly isUnderstood: boolean;
  /** Index of the header line. `end` is the index after the last line. */
  readonly start: number;
  readonly end: number;
  readonly settings: readonly ConfigSetting[];
}

/** A line with a syntax error, or with different meanings in different programs. */
interface ConfigProblem {
  /** Starts at 1. */
  readonly line: number;
  /** The problem, as the end of a sentence that starts with "line 5": `has neither "=" nor ":"`. */
  readonly what: string;
  /** `error`: not parseable. `warning`: parsed, but the AWS CLI or an SDK reads it differently. */
  readonly kind: 'error' | 'warning';
  /** Header line indexes of the affected sections. Empty if the problem affects the whole file. */
  readonly sections: readonly number[];
  /** The header in this line, used to suggest this line when a section is missing. */
  readonly header?: string;
}

/** An AWS config or credentials file as botocore reads it, with the positions needed to edit it. */
export interface ConfigFile {
  /** With line endings. Each character is one byte (latin1). */
  readonly lines: readonly string[];
  readonly sections: readonly ConfigSection[];
  /** Settings of `[DEFAULT]`. They apply to every section. */
  readonly defaults: readonly ConfigSetting[];
  readonly problems: readonly ConfigProblem[];
}

/** Python's whitespace. JavaScript's `\s` lacks the separators and U+0085, but includes U+FEFF. */
const SPACE =
  '[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]';

const LEADING = new RegExp(`^${SPACE}*`);

const TRAILING = new RegExp(`${SPACE}+$`);

const OPTION = new RegExp(`^(.*?)${SPACE}*[=:]${SPACE}*(.*)$`, 's');

const HEADER = /^\[(.+)\]/s;

/** The line boundaries of Python's `str.splitlines`. */
const LINE_BREAKS = '\\n-\\r\\x1c-\\x1e\\x85\\u2028\\u2029';

const LINE_ENDS = new RegExp(`\\r\\n|[${LINE_BREAKS}]`);

/** Maximum characters of a header in a message. */
const MAX_QUOTE_LENGTH = 80;

interface OpenSetting {
  key: string;
  values: string[];
  lines: number[];
  indent: number;
  swallowed: { key: string; line: number }[];
}

interface OpenSection {
  header: string;
  isUnderstood: boolean;
  start: number;
  end: number;
  settings: OpenSetting[];
}

/**
 * Parses a file by the rules of Python's `configparser.RawConfigParser` as botocore uses it. If
 * Python would reject the whole file, this records a problem and continues. The unaffected sections
 * stay usable. Settings after an unparseable header belong to no other section.
 */
export function parseConfig(bytes: Buffer): ConfigFile {
  const lines = bytes.toString('latin1').match(/[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+$/g) ?? [];
  const sections: OpenSection[] = [];
  const problems: ConfigProblem[] = [];
  let section: OpenSection | undefined;
  let setting: OpenSetting | undefined;
  let indentLevel = 0;

  const note = (
    kind: ConfigProblem['kind'],
    at: number,
    what: string,
    affected: readonly (OpenSection | undefined)[] = [section],
    header?: string,
  ) => {
    const starts = affected.flatMap((one) => (one ? [one.start] : []));
    problems.push({ line: at + 1, what, kind, sections: starts, ...(header && { header }) });
  };

  for (const [at, line] of lines.entries()) {
    let { text, isUtf8 } = decode(line.replace(/[\r\n]+$/, ''));
    if (at === 0 && text.startsWith('\uFEFF')) {
      text = text.slice(1);
      note('warning', at, 'begins with a byte order mark, which the AWS CLI does not read', []);
    }
    const indent = LEADING.exec(text)?.[0].length ?? 0;
    const value = strip(text);
    if (value.startsWith('#') || value.startsWith(';')) {
      if (!isUtf8) note('warning', at, 'is not UTF-8', []);
      continue;
    }
    if (value === '') {
      setting?.values.push('');
      continue;
    }
    if (section && setting && indent > indentLevel) {
      if (!isUtf8) note('error', at, 'is not UTF-8');
      setting.values.push(value);
      setting.lines.push(at);
      const key = parseOption(value)?.key;
      if (key) setting.swallowed.push({ key, line: at + 1 });
      const inner = HEADER.exec(value)?.[1];
      if (inner) {
        const what = `is indented, so that "${sanitizeQuote(`[${inner}]`)}" belongs to the value of ${setting.key}`;
        note('warning', at, what, [section], inner);
      }
      continue;
    }
    indentLevel = indent;
    if (value.startsWith('[')) {
      const before = section;
      const header = HEADER.exec(value)?.[1];
      section = {
        header: header ?? value,
        isUnderstood: header !== undefined && isUtf8,
        start: at,
        end: at + 1,
        settings: [],
      };
      setting = undefined;
      if (header === undefined) {
        const what = `is "${sanitizeQuote(value)}", a section header without "]"`;
        note('error', at, what, [before, section], value.slice(1));
      } else {
        noteHeader(header, value);
      }
      if (!isUtf8) note('error', at, 'is not UTF-8');
      sections.push(section);
      continue;
    }
    if (!isUtf8) note('error', at, 'is not UTF-8');
    const option = parseOption(value);
    setting = undefined;
    if (!section) {
      note('error', at, 'is before the first section header');
    } else if (!option) {
      note('error', at, 'has neither "=" nor ":"');
    } else if (option.key === '') {
      note('error', at, 'has no key');
    } else {
      const { key, text: first } = option;
      const twin = section.settings.find((one) => one.key === key);
      if (twin) {
        note('error', at, `sets ${key} again, which line ${(twin.lines[0] ?? 0) + 1} sets`);
      }
      setting = { key, values: [first], lines: [at], indent, swallowed: [] };
      section.settings.push(setting);
    }
  }

  function noteHeader(header: string, value: string): void {
    const at = section?.start ?? 0;
    const behind = value.slice(header.length + 2);
    if (behind !== '' && !/^[ \t]+[#;]/.test(behind)) {
      note(
        'warning',
        at,
        `has text behind the section header "${sanitizeQuote(`[${header}]`)}", which is ignored`,
      );
    }
    const twin = sections.find((one) => one.isUnderstood && one.header === header);
    if (twin && header !== 'DEFAULT') {
      note(
        'error',
        at,
        `begins the section [${sanitizeQuote(header)}] again, which line ${twin.start + 1} begins`,
        [twin, section],
      );
    }
    if (/\].*\[/s.test(header)) {
      const what = `is "${sanitizeQuote(value)}", of which all up to the last "]" is the section header`;
      note('warning', at, what, [section], header);
    }
  }

  for (const [index, one] of sections.entries()) {
    one.end = sections[index + 1]?.start ?? lines.length;
  }
  const closed = sections.map((one) => ({
    ...one,
    settings: one.settings.map((open) => {
      const joined = open.values.join('\n').replace(TRAILING, '');
      section = one;
      const nested = joined.startsWith('\n') ? parseNested(joined) : undefined;
      if (nested === null) {
        note(
          'error',
          open.lines[0] ?? one.start,
          `has an indented line under ${open.key} without "="`,
        );
      }
      const { values: _, ...rest } = open;
      return { ...rest, value: joined, nested: nested ?? undefined };
    }),
  }));
  return {
    lines,
    sections: closed.filter(({ header }) => header !== 'DEFAULT'),
    defaults: closed.flatMap(({ header, settings }) => (header === 'DEFAULT' ? settings : [])),
    problems,
  };
}

/** Splits like Python's `shlex.split`. Returns `undefined` if a quote is not closed. */
export function splitArguments(text: string): readonly string[] | undefined {
  const words: string[] = [];
  let word: string | undefined;
  let quote = '';
  for (let at = 0; at < text.length; at++) {
    const char = text[at] as string;
    const next = text[at + 1];
    if (char === '\\' && quote !== "'") {
      if (next === undefined) return undefined;
      const isEscape = quote === '' || next === '\\' || next === '"';
      word = (word ?? '') + (isEscape ? next : char + next);
      at++;
    } else if (quote !== '') {
      if (char === quote) quote = '';
      else word = (word ?? '') + char;
    } else if (char === '"' || char === "'") {
      quote = char;
      word ??= '';
    } else if (/[ \t\r\n]/.test(char)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else {
      word = (word ?? '') + char;
    }
  }
  if (quote !== '') return undefined;
  if (word !== undefined) words.push(word);
  return words;
}

/** Sanitizes and truncates file content for a message. */
export function sanitizeQuote(text: string): string {
  const shown = text.replace(/[^\P{C}\u200d]/gu, '\uFFFD');
  return shown.length > MAX_QUOTE_LENGTH ? `${shown.slice(0, MAX_QUOTE_LENGTH)}…` : shown;
}

function decode(line: string): { text: string; isUtf8: boolean } {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII
  if (/^[\x00-\x7f]*$/.test(line)) return { text: line, isUtf8: true };
  const bytes = Buffer.from(line, 'latin1');
  const text = bytes.toString('utf8');
  return { text, isUtf8: Buffer.from(text, 'utf8').equals(bytes) };
}

function parseOption(value: string): { key: string; text: string } | undefined {
  const [, key, text] = OPTION.exec(value) ?? [];
  if (key === undefined || text === undefined) return undefined;
  return { key: key.replace(TRAILING, '').toLowerCase(), text: text.replace(TRAILING, '') };
}

/** Returns `null` if a line is not a setting. */
function parseNested(value: string): Readonly<Record<string, string>> | null {
  const nested: Record<string, string> = Object.create(null);
  for (const line of value.split(LINE_ENDS).map(strip)) {
    if (line === '') continue;
    const at = line.indexOf('=');
    if (at === -1) return null;
    nested[strip(line.slice(0, at))] = strip(line.slice(at + 1));
  }
  return nested;
}

function strip(text: string): string {
  return text.replace(LEADING, '').replace(TRAILING, '');
}
