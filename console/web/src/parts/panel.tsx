/** A part of a page that shows one answer of the platform, and tells apart what can become of it. */
import type { ReactNode } from 'react';
import { forbidden } from '../api/client';
import { duration } from '../format';
import { useNow } from '../live';
import { Problem } from './problem';

/** What a query of the cache tells of itself. */
export interface Asked<T> {
  data: T | undefined;
  error: unknown;
  dataUpdatedAt: number;
}

/** How old an answer is. It turns into a warning when reading again fails for long. */
export function Age({ at }: { at: number }) {
  const now = useNow();
  if (at === 0) return null;
  const seconds = Math.max(0, (now - at) / 1000);
  return (
    <span className="age" data-old={seconds > 60}>
      as of {duration(seconds)} ago
    </span>
  );
}

/**
 * Waiting, failed, nothing there, or the answer. A failed repeat keeps the answer before it, which
 * its age then shows to be old.
 */
export function Answer<T>(props: {
  query: Asked<T>;
  /** What to say when there is nothing. */
  empty?: ReactNode;
  isEmpty?: (data: T) => boolean;
  children: (data: T) => ReactNode;
}) {
  const { data, error } = props.query;
  if (data === undefined) {
    if (forbidden(error)) return <p className="quiet">Your role does not let you see this.</p>;
    if (error) return <Problem error={error} />;
    return (
      <p className="quiet" role="status">
        Loading…
      </p>
    );
  }
  return (
    <>
      <Problem error={error} />
      {props.isEmpty?.(data) ? (
        <p className="quiet">{props.empty ?? 'None.'}</p>
      ) : (
        props.children(data)
      )}
    </>
  );
}

/** An {@link Answer} with a heading that says how old it is. */
export function Panel<T>(props: {
  title: string;
  query: Asked<T>;
  count?: (data: T) => number;
  actions?: ReactNode;
  empty?: ReactNode;
  isEmpty?: (data: T) => boolean;
  children: (data: T) => ReactNode;
  /** What stands below whatever the answer is, such as a form. */
  below?: ReactNode;
}) {
  const { query, count } = props;
  return (
    <section className="panel" aria-label={props.title}>
      <header>
        <h2>{props.title}</h2>
        {count && query.data !== undefined && <span className="count">{count(query.data)}</span>}
        <Age at={query.dataUpdatedAt} />
        {props.actions && <div className="actions">{props.actions}</div>}
      </header>
      <Answer query={query} empty={props.empty} isEmpty={props.isEmpty}>
        {props.children}
      </Answer>
      {props.below}
    </section>
  );
}
