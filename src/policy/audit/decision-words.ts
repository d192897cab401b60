import { basename } from 'node:path';
import type { AuditedRequest } from './audit-records.ts';

/** Texts for decisions. Unknown effects of later versions are shown unchanged. */
const EFFECTS: Readonly<Record<string, string>> = {
  allow: 'allowed',
  deny: 'denied',
  ask: 'a person is asked',
  approved: 'approved by a person',
};

/** Formats an audit record as one line for people, without time and caller. */
export function formatDecision(record: AuditedRequest): string {
  const { from, method, name } = record;
  const asked = name === undefined ? method : `${method} ${name}`;
  return `${from === 'server' ? `the server’s ${asked}` : asked}: ${formatDecisionEffect(record)}`;
}

/** The decision about a request, and its redactions. */
export function formatDecisionEffect({ decision, redactions }: AuditedRequest): string {
  const effect = decision && (EFFECTS[decision.effect] ?? decision.effect);
  const rule = decision?.rule === undefined ? '' : ` by ${decision.rule || 'the document'}`;
  const document = decision?.document === undefined ? '' : ` of ${basename(decision.document)}`;
  const hidden = Object.entries(redactions ?? {}).map(([kind, count]) => `${count} ${kind}`);
  const said = [
    effect && `${effect}${rule}${document}`,
    hidden.length > 0 && `hidden: ${hidden.join(', ')}`,
  ];
  return said.filter(Boolean).join('; ') || 'nothing was decided';
}
