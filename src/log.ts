/** The levels of MCP's logging (RFC 5424), from the chattiest on. */
const LOG_LEVELS = [
  'debug',
  'info',
  'notice',
  'warning',
  'error',
  'critical',
  'alert',
  'emergency',
] as const;

export type LogLevel = (typeof LOG_LEVELS)[number];

/** Takes a sentence. Whoever calls it keeps secrets, tokens and signatures out. */
export type Log = (level: LogLevel, sentence: string) => void;

/** True where something of this level is to be said when `threshold` was asked for. */
export function isLoud(level: LogLevel, threshold: LogLevel): boolean {
  return LOG_LEVELS.indexOf(level) >= LOG_LEVELS.indexOf(threshold);
}

export function isLogLevel(text: unknown): text is LogLevel {
  return LOG_LEVELS.includes(text as LogLevel);
}

/**
 * Text for a log or a terminal, on one line: control characters, line ends and invisible characters
 * that change the direction of text are written as escapes.
 */
export function escapeControls(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (character) => {
    const code = character.codePointAt(0) ?? 0;
    if (character === '\n') return '\\n';
    if (character === '\r') return '\\r';
    if (character === '\t') return '\\t';
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
  });
}

/** The same for text of several lines, which stay lines. */
export function escapeLines(text: string): string {
  return text.split('\n').map(escapeControls).join('\n');
}
