import type { JournalRecord } from './records.ts';

/** Serializes a record as a line, including the line feed. */
export function serializeRecord(record: JournalRecord): string {
  return `${JSON.stringify(record)}\n`;
}

/**
 * Parses a line. Returns `unknown` for record types of later versions and `damaged` for invalid
 * lines.
 */
export function parseRecord(line: string): JournalRecord | 'unknown' | 'damaged' {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return 'damaged';
  }
  if (!isObject(value) || typeof value.type !== 'string') return 'damaged';
  const shape = SHAPES.get(value.type);
  if (!shape) return 'unknown';
  return isTime(value.at) && hasShape(value, shape)
    ? (value as unknown as JournalRecord)
    : 'damaged';
}

type Kind = 'string' | 'number' | 'boolean';

type Shape = Readonly<Record<string, Kind>>;

/** The required members of each record type. Readers must check optional members themselves. */
const ORIGIN = {
  runtimeSessionId: 'string',
  runtime: 'string',
  mode: 'string',
  endpoint: 'string',
} as const;

const OF_SESSION = { session: 'string' } as const;

const SHAPES: ReadonlyMap<string, Shape> = new Map<JournalRecord['type'], Shape>([
  [
    'program',
    { format: 'number', host: 'string', pid: 'number', part: 'number', program: 'string' },
  ],
  ['session.started', { ...OF_SESSION, ...ORIGIN }],
  ['session.identified', OF_SESSION],
  ['session.active', { ...OF_SESSION, open: 'number' }],
  ['session.replayed', { ...OF_SESSION, next: 'string' }],
  ['session.lost', OF_SESSION],
  ['session.left', OF_SESSION],
  ['session.stopped', OF_SESSION],
  ['session.stop-failed', OF_SESSION],
  ['session.dismissed', OF_SESSION],
  ['session.carried', OF_SESSION],
  ['call', { method: 'string', milliseconds: 'number' }],
  ['error', { message: 'string' }],
]);

const FACTS: Shape = {
  ...ORIGIN,
  ...OF_SESSION,
  startedAt: 'string',
  lastActiveAt: 'string',
  open: 'number',
  calls: 'number',
};

function hasShape(value: Record<string, unknown>, shape: Shape): boolean {
  for (const member in shape) {
    if (typeof value[member] !== shape[member]) return false;
  }
  if (value.type !== 'session.carried') return true;
  const facts = value.facts;
  return (
    isObject(facts) && Object.entries(FACTS).every(([name, kind]) => typeof facts[name] === kind)
  );
}

function isTime(value: unknown): boolean {
  return typeof value === 'string' && !Number.isNaN(Date.parse(value));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
