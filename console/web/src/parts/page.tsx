/** What every page begins with. */
import { Link, type ErrorComponentProps } from '@tanstack/react-router';
import { useEffect, type ReactNode } from 'react';
import { Problem } from './problem';

/** The name of the page, in the page and in the browser's tab. */
export function useTitle(title: string) {
  useEffect(() => {
    document.title = `${title} · OpenFrame`;
  }, [title]);
}

/** A page: its name, what one can do with all of it, and its content. */
export function Page(props: {
  title: string;
  lead?: ReactNode;
  actions?: ReactNode;
  children?: ReactNode;
}) {
  useTitle(props.title);
  return (
    <>
      <header className="page-head">
        <h1>{props.title}</h1>
        {props.lead}
        {props.actions && <div className="actions">{props.actions}</div>}
      </header>
      {props.children}
    </>
  );
}

/** In place of a page of the console that has failed by a mistake of its own. */
export function Broken({ error }: ErrorComponentProps) {
  useTitle('Out of order');
  return (
    <main className="narrow">
      <h1>This page is out of order</h1>
      <p>The mistake is the console's, not yours. Load the page again; if it stays, report this:</p>
      <Problem error={error} />
    </main>
  );
}

export function NoSuchPage() {
  useTitle('No such page');
  return (
    <main className="narrow">
      <h1>No such page</h1>
      <p>
        The address names no page of the console. <Link to="/">Go to the overview.</Link>
      </p>
    </main>
  );
}
