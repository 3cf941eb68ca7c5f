/** Any JSON as tables and lists: what a device says of itself has no fixed shape. */
import { Button, TextInput } from '@mantine/core';
import { useState, type ReactNode } from 'react';
import { bytes, count } from '../format';
import { Rows } from './table';

type Fields = Record<string, unknown>;

/** Rows that are drawn before one asks for all. */
const FIRST = 50;
/** A list longer than this can be searched. */
const SEARCHABLE = 10;

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Words of a key; a number of bytes is written with its unit, so its key need not say it. */
const words = (key: string) => key.replace(/_bytes$/, '').replaceAll('_', ' ');

function scalar(key: string, value: unknown): string {
  if (typeof value === 'number' && /(^|_)bytes$/.test(key)) return bytes(value);
  if (value === null || value === undefined || value === '') return '–';
  if (value === true) return 'yes';
  if (value === false) return 'no';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

/** `name` is what the whole is called, `field` the key under which `value` stands. */
export function Structure(props: { name: string; field?: string; value: unknown }): ReactNode {
  const { name, field = '', value } = props;
  if (Array.isArray(value)) {
    if (value.length === 0) return <span className="quiet">none</span>;
    if (value.every(isFields)) return <List name={name} items={value} />;
    return <span className="hostile">{value.map((it) => scalar(field, it)).join(', ')}</span>;
  }
  if (!isFields(value)) return <span className="hostile">{scalar(field, value)}</span>;
  return (
    <dl className="facts">
      {Object.entries(value).map(([key, inner]) => (
        <div key={key} data-wide={typeof inner === 'object' && inner !== null}>
          <dt>{words(key)}</dt>
          <dd>
            <Structure name={`${name}, ${words(key)}`} field={key} value={inner} />
          </dd>
        </div>
      ))}
    </dl>
  );
}

function List({ name, items }: { name: string; items: Fields[] }) {
  const [text, setText] = useState('');
  const [all, setAll] = useState(false);
  const keys = [...new Set(items.flatMap((item) => Object.keys(item)))];
  // A thing's name says most, so it comes first.
  keys.sort((a, b) => Number(b === 'name') - Number(a === 'name'));
  const wanted = text.toLowerCase();
  const found = items
    .map((item, key) => ({ key, cells: keys.map((column) => scalar(column, item[column])) }))
    .filter((row) => row.cells.some((cell) => cell.toLowerCase().includes(wanted)));
  const shown = all ? found : found.slice(0, FIRST);
  return (
    <>
      {items.length > SEARCHABLE && (
        <TextInput
          placeholder={`Search ${count(items.length, 'entry', 'entries')}`}
          aria-label={`Search ${name}`}
          value={text}
          onChange={(event) => setText(event.currentTarget.value)}
        />
      )}
      {found.length === 0 ? (
        <p className="quiet">Nothing of that name.</p>
      ) : (
        <Rows label={name} head={keys.map(words)} rows={shown} />
      )}
      {found.length > shown.length && (
        <Button variant="default" onClick={() => setAll(true)}>
          Show all {found.length}
        </Button>
      )}
    </>
  );
}
