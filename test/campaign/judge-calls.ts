import type { Execution } from './executions.ts';
import type { Life } from './life.ts';
import type { Offence } from './offence.ts';
import type { PlannedCall } from './plan.ts';
import type { Asked, Line } from './proxy-client.ts';
import { ONCE } from './tools.ts';

type Executions = ReadonlyMap<string, readonly Execution[]>;

/** Compares the answers to the clients with the executions of the server. */
export function judgeCalls(lives: readonly Life[], executions: Executions): Offence[] {
  return lives.flatMap((life) => {
    const planned = new Map(life.planned.calls.map((call) => [call.key, call]));
    return [...life.client.asked.values()].flatMap((asked) => {
      const offences = answeredOnce(asked, life);
      const call = planned.get(asked.key ?? '');
      if (!call) return offences;
      const ran = executions.get(call.key) ?? [];
      const questions = life.client.questions.get(call.key) ?? 0;
      return [...offences, ...judgeCall(call, asked, ran), ...askedOnce(call, questions)];
    });
  });
}

/** A killed proxy need not answer, and a cancelled call may have been answered already. */
function answeredOnce({ id, method, key, answers, cancelled }: Asked, life: Life): Offence[] {
  const owed = life.wasKilled || cancelled ? 0 : 1;
  if (answers.length >= owed && answers.length <= 1) return [];
  const words = `${method} (id ${id}, pid ${life.client.pid}) got ${answers.length} answers`;
  return [{ rule: 'each request is answered exactly once', words, key }];
}

function judgeCall(call: PlannedCall, asked: Asked, ran: readonly Execution[]): Offence[] {
  const { key, tool } = call;
  const offences: Offence[] = [];
  const add = (rule: string, words: string) => offences.push({ rule, words, key });
  const times = `${tool} ran ${ran.length} times`;
  const [answer] = asked.answers;
  if (ONCE.has(tool) && ran.length > 1) add('no such tool runs twice', times);
  if (answer?.result && ran.length === 0) add('a result comes of a run', times);
  if (answer?.result && !textOf(answer).startsWith(`${key} `)) {
    add('a result is that of its call', textOf(answer));
  }
  if (ONCE.has(tool) && ran.length > 0 && claimsNothing(answer)) {
    add('what is said not to have run has not', `${times}: ${JSON.stringify(answer?.error)}`);
  }
  return offences;
}

function askedOnce({ key }: PlannedCall, questions: number): Offence[] {
  if (questions <= 1) return [];
  return [{ rule: 'no question is asked twice', words: `asked ${questions} times`, key }];
}

/** True if an error states that the server did not receive the call. */
function claimsNothing(answer: Line | undefined): boolean {
  const outcome = answer?.error?.data?.outcome;
  return outcome === 'refused' || outcome === 'not sent';
}

function textOf(answer: Line): string {
  return answer.result?.content?.[0]?.text ?? '';
}
