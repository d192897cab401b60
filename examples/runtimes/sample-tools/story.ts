/** What a model is told to write. */
export function storyPrompt(topic: string): string {
  return `Write a story of three sentences about ${topic}.`;
}

/** The most tokens that a model may spend on a story. */
export const STORY_TOKENS = 300;

export function storyText(topic: string, story: string): string {
  return `A story about ${topic}\n\n${story}`;
}

/** The text of what a model answered; a model may also answer with several blocks, or a picture. */
export function sampledText(content: unknown): string {
  const blocks = (Array.isArray(content) ? content : [content]) as { text?: unknown }[];
  return blocks.flatMap(({ text }) => (typeof text === 'string' ? [text] : [])).join('\n');
}
