import { fromJsonSchema, type McpServer } from '@modelcontextprotocol/server';
import { text } from './media.ts';

type Schema = Parameters<typeof fromJsonSchema>[0];

/** Tools with JSON Schema keywords that the library's types do not cover. */
export function registerSchemaTools(server: McpServer): void {
  const inputSchema = fromJsonSchema({
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    type: 'object',
    $defs: {
      address: {
        $anchor: 'addressDef',
        type: 'object',
        properties: { street: { type: 'string' }, city: { type: 'string' } },
      },
    },
    properties: {
      name: { type: 'string' },
      address: { $ref: '#/$defs/address' },
      contactMethod: { type: 'string', enum: ['phone', 'email'] },
      phone: { type: 'string' },
      email: { type: 'string' },
    },
    allOf: [{ anyOf: [{ required: ['phone'] }, { required: ['email'] }] }],
    if: { properties: { contactMethod: { const: 'phone' } }, required: ['contactMethod'] },
    // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
    then: { required: ['phone'] },
    else: { required: ['email'] },
    additionalProperties: false,
  } as Schema);
  server.registerTool(
    'json_schema_2020_12_tool',
    { description: 'Has a schema of JSON Schema 2020-12', inputSchema },
    (contact) => ({ content: [text(JSON.stringify(contact))] }),
  );

  const mirrored = fromJsonSchema<{ region: string }>({
    type: 'object',
    properties: { region: { type: 'string', 'x-mcp-header': 'Region' } },
    required: ['region'],
  } as Schema);
  server.registerTool(
    'test_mirrored_argument',
    { description: 'Has an argument that is repeated as a header', inputSchema: mirrored },
    ({ region }) => ({ content: [text(region)] }),
  );
}
