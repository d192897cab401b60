import { strict as assert } from 'node:assert';
import type { LocalProcess } from './local-process.ts';
import { type Answers, call, connect } from './mcp-client.ts';
import { say } from './transcript.ts';

const STORY = 'The light went out. The keeper rowed to the sun, and asked for a spark.';

/** The model and the user that carol's client has; both say the same each time. */
const SCRIPTED: Answers = {
  model(prompt) {
    say(`  sampling     ${prompt}`);
    say(`  model        ${STORY}`);
    return STORY;
  },
  user(question, fields) {
    const filledIn = { name: 'Ada', occupation: 'astronomer', age: 36 };
    say(`  elicitation  ${question} (${fields.join(', ')})`);
    say(`  user         ${Object.values(filledIn).join(', ')}`);
    return filledIn;
  },
};

/** A server that asks its client while a tool runs: a model to write, and a user to fill in. */
export async function showQuestions(
  local: LocalProcess,
  runtime: string,
  how: string,
): Promise<void> {
  const env = { ...local.env, AGENTCORE_AGENT_ARN: local.runtime(runtime).arn };
  const carol = await connect('carol', env, SCRIPTED);
  say(`carol meets ${carol.getServerVersion()?.name}, which ${how}`);
  say();

  say('carol calls tell_story, and the server has her model write it');
  const story = await call(carol, 'tell_story', { topic: 'a lighthouse' });
  assert(story.endsWith(STORY), 'The story is not what the model wrote');
  say(`  answer       ${story.replace(/\n+/, ': ')}`);
  say();

  say('carol calls create_profile, and the server has her fill in a form');
  const profile = await call(carol, 'create_profile');
  assert.match(profile, /^Ada, astronomer/, 'The profile is not what the user said');
  say(`  answer       ${profile}`);
  await carol.close();
}
