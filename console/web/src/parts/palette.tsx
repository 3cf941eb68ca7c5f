/** Ctrl+K: go to any page or device by typing a part of its name. */
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useDeferredValue, useEffect, useState, type KeyboardEvent } from 'react';
import { get, query } from '../api/client';
import type { DevicePage } from '../api/types';
import { Dialog } from './dialog';
import { usePages } from './pages';
import { Problem } from './problem';
import { State } from './state';

interface Choice {
  key: string;
  name: string;
  kind: string;
  state?: string;
  go: () => void;
}

/** Whether the palette is open; Ctrl+K or ⌘K opens and closes it. */
export function usePalette() {
  const [open, setOpen] = useState(false);
  useEffect(() => {
    const pressed = (event: globalThis.KeyboardEvent) => {
      if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== 'k') return;
      event.preventDefault();
      setOpen((before) => !before);
    };
    window.addEventListener('keydown', pressed);
    return () => window.removeEventListener('keydown', pressed);
  }, []);
  return { open, show: () => setOpen(true), hide: () => setOpen(false) };
}

function useChoices(text: string) {
  const navigate = useNavigate();
  const all = usePages();
  const q = useDeferredValue(text.trim());
  const devices = useQuery({
    queryKey: ['devices', 'palette', q],
    placeholderData: keepPreviousData,
    queryFn: () => get<DevicePage>(`/api/devices/v1/devices${query({ q, limit: 8 })}`),
  });
  const wanted = text.trim().toLowerCase();
  const pages = all
    .filter((page) => page.name.toLowerCase().includes(wanted))
    .map((page): Choice => {
      const go = () => void navigate({ to: page.to });
      return { key: page.to, name: page.name, kind: 'page', go };
    });
  const found = (devices.data?.items ?? []).map((device): Choice => {
    const go = () => void navigate({ to: '/devices/$id', params: { id: device.id } });
    return { key: device.id, name: device.name, kind: 'device', state: device.presence, go };
  });
  return { choices: [...pages, ...found], waiting: devices.isPending, error: devices.error };
}

export function Palette({ hide }: { hide: () => void }) {
  const [text, setText] = useState('');
  const [at, setAt] = useState(0);
  const { choices, waiting, error } = useChoices(text);
  const here = Math.min(at, Math.max(0, choices.length - 1));
  const take = (choice: Choice | undefined) => {
    if (!choice) return;
    hide();
    choice.go();
  };
  const pressed = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) setAt((here + step + choices.length) % Math.max(1, choices.length));
    else if (event.key === 'Enter') take(choices[here]);
    else return;
    event.preventDefault();
  };
  return (
    <Dialog label="Go to" className="palette" onClose={hide}>
      <input
        role="combobox"
        aria-label="Page or device"
        aria-expanded="true"
        aria-controls="choices"
        aria-activedescendant={choices[here] && `choice-${here}`}
        placeholder="Page or device"
        autoComplete="off"
        autoFocus
        value={text}
        onChange={(event) => {
          setText(event.currentTarget.value);
          setAt(0);
        }}
        onKeyDown={pressed}
      />
      <Problem error={error} />
      <ul id="choices" role="listbox" aria-label="Pages and devices">
        {choices.map((choice, n) => (
          <li
            key={choice.key}
            id={`choice-${n}`}
            role="option"
            aria-selected={n === here}
            onMouseMove={() => setAt(n)}
            onClick={() => take(choice)}
          >
            <span className="hostile">{choice.name}</span>
            {choice.state && <State value={choice.state} />}
            <span className="quiet">{choice.kind}</span>
          </li>
        ))}
      </ul>
      {choices.length === 0 && (
        <p className="quiet">{waiting ? 'Loading…' : 'No page or device has this in its name.'}</p>
      )}
      <p className="quiet keys">
        <kbd>↑</kbd> <kbd>↓</kbd> choose · <kbd>Enter</kbd> open · <kbd>Esc</kbd> close
      </p>
    </Dialog>
  );
}
