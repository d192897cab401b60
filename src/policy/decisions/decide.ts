import type { Entry, Policy, PolicyBody, Rule, SubjectKind } from '../documents/policy.ts';
import { Recent } from '../redaction/recent.ts';
import { effectiveBody, type Party } from './effective-body.ts';
import {
  type Ask,
  type Decision,
  type Facts,
  hintsOf,
  type Reservation,
  type Ruling,
} from './facts.ts';
import { type GuardContext, holds } from './guards.ts';
import { isKnownMethod, resemblesKnownMethod } from './known-methods.ts';
import { reservationOf } from './limits.ts';
import { isPlainName, namesOf } from './subjects.ts';

interface Subject {
  readonly kind: SubjectKind;
  readonly name: string;
}

/**
 * Decides a message by all documents. A denial of one document is final, all their approvals are
 * required, and all limits apply. The decision depends on the arguments alone.
 */
export function decide(policies: readonly Policy[], facts: Facts): Decision {
  const asks: Ask[] = [];
  const reservations: Reservation[] = [];
  for (const policy of policies) {
    const decision = decideByOne(policy, facts);
    if (decision.effect === 'deny') return decision;
    asks.push(...decision.asks);
    reservations.push(...decision.reservations);
  }
  return { effect: 'allow', asks, reservations };
}

/** The rule for hiding a name from lists; `undefined` if the name stays. */
export function hiddenBy(
  policies: readonly Policy[],
  subject: Subject,
  party: Party,
): Ruling | undefined {
  for (const policy of policies) {
    if (policy.needsCaller && party.caller === undefined) return nobodyKnown(policy);
    const body = effectiveBody(policy, party);
    const { file } = policy;
    const ruling =
      concealment(file, body, subject) ??
      entriesFor(body, subject)
        .flatMap(({ rules }) => rules)
        .filter((rule) => rule.kind === 'deny' && rule.when === undefined)
        .map((rule) => rulingOf(file, rule, subject))[0];
    if (ruling) return ruling;
  }
  return undefined;
}

/** The prefixes of a description, in document order. */
export function prefixesOf(
  policies: readonly Policy[],
  subject: Subject,
  party: Party,
): readonly string[] {
  const prefixes = policies.flatMap((policy) => {
    const { entries, billable } = effectiveBody(policy, party);
    const isBillable = subject.kind === 'tool' && marks(billable, subject.name);
    return [
      ...(isBillable ? ['Billable: '] : []),
      ...entries
        .filter(({ kind, name }) => kind === subject.kind && name.matches(subject.name))
        .flatMap(({ describe }) => describe ?? []),
    ];
  });
  return [...new Set(prefixes)];
}

function decideByOne(policy: Policy, facts: Facts): Decision {
  const { file } = policy;
  if (policy.needsCaller && facts.caller === undefined) return denied(nobodyKnown(policy));
  const body = effectiveBody(policy, facts);
  const method: Subject = { kind: 'method', name: facts.method };
  const { subject } = facts;
  const closed =
    unknownMethod(file, body, facts.method) ?? (subject && lookAlike(file, body, subject, facts));
  if (closed) return denied(closed);
  const concealed = subject && wordsOf(file, body, subject).concealed;
  if (concealed) return { ...denied(concealed), isHidden: true };
  const overspent = budgetBy(file, body, facts);
  if (overspent) return denied(overspent);

  const context: GuardContext = {
    arguments: facts.arguments,
    params: facts.params,
    count: (counter) => facts.count(file, counter),
  };
  const asks: Ask[] = subject?.kind === 'tool' ? marksAsking(policy, body, subject, facts) : [];
  const reservations: Reservation[] = [];
  for (const about of subject ? [subject, method] : [method]) {
    for (const rule of wordsOf(file, body, about).rules) {
      if (rule.kind === 'limit') {
        const reservation = reservationOf(rule, file, facts);
        if ('refused' in reservation) return denied(reservation.refused);
        if (reservation.counter) reservations.push(reservation);
        continue;
      }
      if (!applies(rule, context, facts)) continue;
      if (rule.kind !== 'approval') return denied(rulingOf(file, rule, about, facts));
      const { dedupe, timeout } = policy.approvals;
      const ruling = rulingOf(file, rule, about);
      const definition = facts.tool?.definition;
      asks.push({ ...ruling, timeout: rule.timeout ?? timeout, dedupe, per: rule.per, definition });
    }
  }
  return { effect: 'allow', asks, reservations };
}

/** True if a rule without a limit stops the call. */
function applies(
  rule: Exclude<Rule, { readonly kind: 'limit' }>,
  context: GuardContext,
  facts: Facts,
): boolean {
  switch (rule.kind) {
    case 'require':
      return !holds(rule.holds, context, 'requires');
    case 'schema':
      return facts.schemaFault(rule.extent) !== undefined;
    default:
      return !rule.when || holds(rule.when, context, 'triggers');
  }
}

/** The parts of a document about a name. They do not depend on the message. */
interface Words {
  readonly concealed: Ruling | undefined;
  readonly rules: readonly Rule[];
}

/** Maximum weight of cached names in bytes. Most calls use the same few tools. */
const MOST_KNOWN = 256 * 1024;
const LONGEST_KNOWN = 2048;
const known = new WeakMap<PolicyBody, Recent<Words>>();

function wordsOf(file: string, body: PolicyBody, subject: Subject): Words {
  let ofBody = known.get(body);
  if (!ofBody) {
    ofBody = new Recent(MOST_KNOWN, (key, { rules }) => 2 * key.length + 8 * rules.length + 200);
    known.set(body, ofBody);
  }
  const key = `${subject.kind} ${subject.name}`;
  const before = ofBody.get(key);
  if (before) return before;
  const said = {
    concealed: concealment(file, body, subject),
    rules: entriesFor(body, subject).flatMap(({ rules }) => rules),
  };
  if (key.length <= LONGEST_KNOWN) ofBody.set(key, said);
  return said;
}

function entriesFor({ entries }: PolicyBody, subject: Subject): Entry[] {
  const names = namesOf(subject);
  return entries.filter(
    (entry) => entry.kind === subject.kind && names.some((name) => entry.name.resembles(name)),
  );
}

/** The ruling that makes an item invisible for the agent. */
function concealment(file: string, body: PolicyBody, subject: Subject): Ruling | undefined {
  const { kind, name } = subject;
  const names = namesOf(subject);
  const hidden = body.hidden.find(
    (mark) => mark.kind === kind && names.some((one) => mark.name.resembles(one)),
  );
  if (hidden) return ruling(file, hidden.pointer, `${words(subject)} is hidden by policy`);
  if (kind === 'tool' && body.catalog && !body.catalog.names.some((one) => one.matches(name))) {
    return ruling(
      file,
      body.catalog.pointer,
      `${words(subject)} is not in the catalog of this caller`,
    );
  }
  if (body.default?.effect !== 'deny' || kind === 'method') return undefined;
  const ofKind = body.entries.filter((entry) => entry.kind === kind);
  // If the document has no entries for prompts or resources, `default: deny` does not apply to
  // them.
  if (kind !== 'tool' && ofKind.length === 0) return undefined;
  // An ambiguous URI must be listed in every interpretation.
  const isListed = names.every((one) =>
    ofKind.some((entry) => entry.lists && entry.name.matches(one)),
  );
  if (isListed) return undefined;
  return ruling(
    file,
    body.default.pointer,
    `${words(subject)} is not allowed: the policy does not list it`,
  );
}

function unknownMethod(file: string, body: PolicyBody, method: string): Ruling | undefined {
  const quoted = JSON.stringify(method.slice(0, 100));
  if (resemblesKnownMethod(method)) {
    return ruling(file, '', `The method ${quoted} looks like one of MCP's, but is none`);
  }
  if (body.default?.effect !== 'deny' || isKnownMethod(method)) return undefined;
  const isListed = body.entries.some(
    ({ kind, lists, name }) => kind === 'method' && lists && name.matches(method),
  );
  if (isListed) return undefined;
  return ruling(
    file,
    body.default.pointer,
    `The method ${quoted} is not MCP's, and the policy does not list it`,
  );
}

/**
 * A tool or prompt name with confusable characters must match a listed item or a document entry
 * exactly. Otherwise it is denied, because the server may resolve it to another name. Servers need
 * not list resources, so their URIs are only compared with the names in the document.
 */
function lookAlike(
  file: string,
  body: PolicyBody,
  { kind, name }: Subject,
  { tool }: Facts,
): Ruling | undefined {
  if ((kind !== 'tool' && kind !== 'prompt') || tool || isPlainName(name)) return undefined;
  if (body.entries.some((entry) => entry.kind === kind && entry.name.text === name))
    return undefined;
  return ruling(
    file,
    '',
    `No ${kind} is announced as ${JSON.stringify(name.slice(0, 100))}, and the name can be taken for another`,
  );
}

function budgetBy(file: string, { budgets }: PolicyBody, facts: Facts): Ruling | undefined {
  if (facts.from === 'server' || facts.method === 'ping' || /^notifications\//.test(facts.method)) {
    return undefined;
  }
  for (const { unit, most, window, pointer, sentence } of budgets) {
    const spent = facts.spent(window);
    const span = window.kind === 'fixed' ? `this ${window.words}` : `the last ${window.words}`;
    if (!spent)
      return ruling(file, pointer, 'What sessions have cost cannot be told, and there is a budget');
    // If a session budget is used up, running sessions may continue, but no new one may start.
    const isBeginning = facts.method === 'initialize' || facts.method === 'server/discover';
    const isOver = unit === 'usd' ? spent.usd >= most : spent.sessions + Number(isBeginning) > most;
    if (!isOver) continue;
    const standard =
      unit === 'usd'
        ? `The budget of $${most} for ${span} is used up: sessions may have cost $${spent.usd.toFixed(2)}`
        : `The budget of ${most} sessions for ${span} is used up`;
    return ruling(file, pointer, sentence ?? standard);
  }
  return undefined;
}

function marksAsking(policy: Policy, body: PolicyBody, { name }: Subject, { tool }: Facts): Ask[] {
  const { writes, destroys } = tool?.hints ?? hintsOf(undefined);
  const kinds = {
    write: writes,
    destructive: destroys,
    billable: marks(body.billable, name),
  };
  return body.approve
    .filter(({ of }) => (typeof of === 'string' ? kinds[of] : of.resembles(name)))
    .map(({ of, pointer }) => {
      const { timeout, dedupe } = policy.approvals;
      const why = typeof of === 'string' ? `${of} tools need` : `"${of.text}" needs`;
      const sentence = `The policy says that ${why} a person's agreement`;
      const definition = tool?.definition;
      return { file: policy.file, pointer, sentence, timeout, dedupe, per: 'session', definition };
    });
}

function marks(list: PolicyBody['billable'], name: string): boolean {
  return list.some((mark) => mark.name.resembles(name));
}

function rulingOf(file: string, rule: Rule, subject: Subject, facts?: Facts): Ruling {
  const named = rule.name ? `rule "${rule.name}"` : `rule ${rule.pointer}`;
  const fault = rule.kind === 'schema' && facts?.schemaFault(rule.extent);
  const standard = {
    deny: `${words(subject)} is refused by ${named}`,
    require: `${words(subject)} does not meet ${named}`,
    schema: `The arguments do not fit ${words(subject, 'the tool')}: ${fault}`,
    approval: `${words(subject)} needs a person's agreement by ${named}`,
    limit: `${words(subject)} is limited by ${named}`,
  }[rule.kind];
  const sentence =
    rule.sentence && fault ? `${rule.sentence} (${fault})` : (rule.sentence ?? standard);
  return ruling(file, rule.pointer, sentence);
}

function words({ kind, name }: Subject, noun = `The ${kind}`): string {
  return `${noun} ${JSON.stringify(name.slice(0, 100))}`;
}

function nobodyKnown({ file }: Policy): Ruling {
  return ruling(file, '', 'The policy has rules for callers, and who calls could not be found out');
}

function ruling(file: string, pointer: string, sentence: string): Ruling {
  return { file, pointer, sentence };
}

function denied(by: Ruling): Extract<Decision, { effect: 'deny' }> {
  return { effect: 'deny', ruling: by, isHidden: false };
}
