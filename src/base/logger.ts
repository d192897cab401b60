/** MCP log levels (RFC 5424), from the least severe. */
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

/** Logs a sentence. Callers must not pass secrets, tokens or signatures. */
export type Log = (level: LogLevel, sentence: string) => void;

/** True if a message of this level is logged at the given threshold. */
export function meetsThreshold(level: LogLevel, threshold: LogLevel): boolean {
  return LOG_LEVELS.indexOf(level) >= LOG_LEVELS.indexOf(threshold);
}

/** True if the text is the name of an MCP log level. */
export function isLogLevel(text: unknown): text is LogLevel {
  return LOG_LEVELS.includes(text as LogLevel);
}

/**
 * Escapes text for one line of a log or terminal: control characters, line ends, and invisible
 * characters, for example those for the text direction.
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

/** Escapes control characters but keeps line ends. */
export function escapeLines(text: string): string {
  return text.split('\n').map(escapeControls).join('\n');
}
