import { Button, Checkbox } from '@mantine/core';
import { usePlaces } from '../api/queries';
import type { FacetValue } from '../api/types';
import { ATTRIBUTES, conditionsOf, toggled, type Attribute } from './conditions';

/** How many values of one attribute are offered; a search finds the others. */
const MOST = 8;

/** Values to narrow a list by, with how many devices have each. */
export function Facets(props: {
  facets: { [attribute: string]: FacetValue[] };
  filter: string;
  onChange: (filter: string) => void;
}) {
  const { facets, filter, onChange } = props;
  const chosen = conditionsOf(filter);
  const places = usePlaces().data?.items ?? [];
  // A place is counted by its id.
  const shown = (attribute: Attribute, value: string) =>
    attribute === 'place' ? (places.find((place) => place.id === value)?.name ?? value) : value;
  return (
    <div className="facets" role="group" aria-label="Narrow the list">
      {(Object.keys(ATTRIBUTES) as Attribute[]).map((attribute) => {
        const on = chosen.filter(([name]) => name === attribute).map(([, value]) => value);
        const counted = (facets[attribute] ?? []).slice(0, MOST);
        // A chosen value stays in sight when no device has it any more.
        const gone = on.filter((value) => !counted.some((facet) => facet.value === value));
        const values = [...counted, ...gone.map((value) => ({ value, count: 0 }))];
        if (values.length === 0) return null;
        return (
          <fieldset key={attribute}>
            <legend>{ATTRIBUTES[attribute]}</legend>
            {values.map((facet) => (
              <Checkbox
                key={facet.value}
                label={`${shown(attribute, facet.value)} (${facet.count})`}
                checked={on.includes(facet.value)}
                onChange={() => onChange(toggled(filter, [attribute, facet.value]))}
              />
            ))}
          </fieldset>
        );
      })}
      {filter !== '' && (
        <Button size="compact-xs" variant="default" onClick={() => onChange('')}>
          Show all
        </Button>
      )}
    </div>
  );
}
