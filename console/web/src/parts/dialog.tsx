/** The browser's own dialog: it keeps the focus and closes on Escape without a line of ours. */
import { Button } from '@mantine/core';
import { useEffect, useRef, useState, type ReactNode } from 'react';
import { Problem } from './problem';

export function Dialog(props: {
  label: string;
  className?: string;
  onClose: () => void;
  children: ReactNode;
}) {
  const place = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const dialog = place.current;
    dialog?.showModal();
    return () => dialog?.close();
  }, []);
  return (
    <dialog
      ref={place}
      className={props.className}
      aria-label={props.label}
      onCancel={(event) => {
        event.preventDefault();
        props.onClose();
      }}
      onMouseDown={(event) => {
        // The dialog itself is hit only beside its content.
        if (event.target === place.current) props.onClose();
      }}
    >
      {props.children}
    </dialog>
  );
}

/** A button for what cannot be undone: it first names what is touched and what becomes of it. */
export function Danger(props: {
  verb: string;
  thing: string;
  consequence: string;
  act: () => Promise<unknown>;
}) {
  const [open, setOpen] = useState(false);
  const name = `${props.verb} ${props.thing}`;
  return (
    <>
      <Button
        size="compact-xs"
        variant="default"
        className="danger"
        aria-label={name}
        onClick={() => setOpen(true)}
      >
        {props.verb}
      </Button>
      {open && <Confirm {...props} name={name} close={() => setOpen(false)} />}
    </>
  );
}

function Confirm(props: {
  name: string;
  verb: string;
  consequence: string;
  act: () => Promise<unknown>;
  close: () => void;
}) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const act = async () => {
    setBusy(true);
    try {
      await props.act();
      props.close();
    } catch (failed) {
      setError(failed);
      setBusy(false);
    }
  };
  return (
    <Dialog label={props.name} onClose={props.close}>
      <h2 className="hostile">{props.name}?</h2>
      <p>{props.consequence}</p>
      <Problem error={error} />
      <div className="actions">
        <Button variant="default" onClick={props.close} autoFocus>
          Cancel
        </Button>
        <Button className="danger-filled" loading={busy} onClick={() => void act()}>
          {props.verb}
        </Button>
      </div>
    </Dialog>
  );
}
