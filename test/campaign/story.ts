import type { Campaign } from './campaign.ts';
import type { Execution } from './executions.ts';
import { traceOf } from './life.ts';

/** All facts about a call, for the analysis of an offence. */
export function storyOf(
  key: string,
  { lives, log, network }: Campaign,
  executions: ReadonlyMap<string, readonly Execution[]>,
): string {
  const life = lives.find(({ planned }) => planned.calls.some((call) => call.key === key));
  const call = life?.planned.calls.find((planned) => planned.key === key);
  const asked = [...(life?.client.asked.values() ?? [])].find((one) => one.key === key);
  const { runtime, mode, era, env, end } = life?.planned ?? {};
  return [
    `Call ${key}: ${JSON.stringify(call)}`,
    `  proxy ${life?.client.pid}: ${JSON.stringify({ runtime, mode, era, env, end })}`,
    ...(asked?.cancelled ? ['  cancelled by the client'] : []),
    ...log.of(key).map((words) => `  request at ${words}`),
    ...network.of(traceOf(key)).map((context) => `  network at ${context}`),
    ...(life ? network.of(traceOf(life.planned.name)) : []).map(
      (context) => `  handshake at ${context}`,
    ),
    ...network.outages.map(
      ({ from, until }) => `  outage from ${Math.round(from)} to ${Math.round(until ?? NaN)} ms`,
    ),
    ...(asked
      ? [`  asked at ${Math.round(asked.askedAt)} ms, for ${Math.round(asked.milliseconds)} ms`]
      : []),
    ...(executions.get(key) ?? []).map(
      ({ process, at }) => `  executed by container ${process} at ${new Date(at).toISOString()}`,
    ),
    ...(asked?.answers ?? []).map((answer) => `  answer ${JSON.stringify(answer)}`),
    ...(asked?.answers.length === 0 ? ['  no answer'] : []),
  ].join('\n');
}
