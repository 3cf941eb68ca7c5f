/** The filter of the device list as the platform writes it: `attribute:value`, with commas between. */

/** What the list can be narrowed by, with the names that people read. */
export const ATTRIBUTES = {
  presence: 'Presence',
  os: 'System',
  os_version: 'System version',
  arch: 'Architecture',
  agent_version: 'Agent',
  tag: 'Tag',
  place: 'Place',
  vendor: 'Vendor',
  model: 'Model',
} as const;

export type Attribute = keyof typeof ATTRIBUTES;
export type Condition = readonly [attribute: Attribute, value: string];

const isAttribute = (name: string): name is Attribute => Object.hasOwn(ATTRIBUTES, name);

/** Reads a filter; a comma that no attribute follows belongs to the value before it. */
export function conditionsOf(filter: string): Condition[] {
  const found: [Attribute, string][] = [];
  for (const part of filter.split(',')) {
    const colon = part.indexOf(':');
    const name = part.slice(0, Math.max(0, colon)).trim();
    const last = found.at(-1);
    if (isAttribute(name)) found.push([name, part.slice(colon + 1)]);
    else if (last) last[1] += `,${part}`;
  }
  return found;
}

/** The filter with one condition added, or taken out if it is in it. */
export function toggled(filter: string, [attribute, value]: Condition): string {
  const before = conditionsOf(filter);
  const others = before.filter(([name, text]) => name !== attribute || text !== value);
  const after = others.length < before.length ? others : [...others, [attribute, value] as const];
  return after.map(([name, text]) => `${name}:${text}`).join(',');
}
