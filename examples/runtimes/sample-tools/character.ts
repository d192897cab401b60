import * as z from 'zod';

const OCCUPATIONS = ['baker', 'astronomer', 'smuggler'] as const;

/** What has to be known of a character. */
export const CHARACTER = z.object({
  name: z.string().min(1),
  occupation: z.enum(OCCUPATIONS),
  age: z.number().int().min(1).max(120),
});

export const CHARACTER_QUESTION = 'Who is your character?';

/** `CHARACTER` as the form that MCP lets a server show to the user: flat, and of simple types. */
export const CHARACTER_FORM = {
  type: 'object' as const,
  properties: {
    name: { type: 'string' as const, title: 'Name', minLength: 1 },
    occupation: { type: 'string' as const, title: 'Occupation', enum: [...OCCUPATIONS] },
    age: { type: 'integer' as const, title: 'Age', minimum: 1, maximum: 120 },
  },
  required: ['name', 'occupation', 'age'],
};

export function profileText({ name, occupation, age }: z.infer<typeof CHARACTER>): string {
  return `${name}, ${occupation}, is ${age} years old.`;
}

export const NO_PROFILE = 'No profile: nobody said who the character is.';
