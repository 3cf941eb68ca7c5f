/** Every place where a password is typed. */
import { cleanup, fireEvent, screen } from '@testing-library/react';
import { expect, it } from 'vitest';
import { showConsole } from '../testing/console';

/** The fields of each place, as they are labelled, and what a password manager is told of each. */
const PLACES: [string, Record<string, string>][] = [
  ['/sign-in', { Password: 'current-password' }],
  ['/setup', { Password: 'new-password' }],
  ['/password', { 'New password': 'new-password' }],
  ['/invitation', { 'Your password': 'new-password' }],
  [
    '/access',
    {
      'Current password': 'current-password',
      'New password': 'new-password',
      'First password': 'new-password',
    },
  ],
];

/** The sources of all that the console shows. */
const SOURCES = import.meta.glob<string>(['../**/*.tsx', '!../**/*.test.tsx'], {
  query: '?raw',
  import: 'default',
  eager: true,
});

const field = (label: string) => screen.findByLabelText(new RegExp(`^${label}`));

// ASVS 6.2.6
it('hides what is typed', async () => {
  for (const [path, fields] of PLACES) {
    showConsole(path);
    for (const label of Object.keys(fields)) {
      expect(await field(label), `${path} ${label}`).toHaveProperty('type', 'password');
    }
    cleanup();
  }
  // Nowhere else is a password typed into a field that shows it: the ones above, the one of a step-up, and a secret of another provider.
  const shown = /<(?:TextInput|Textarea|input)\b[^>]*?(?:assword|current-password|new-password)/s;
  const hidden = /<PasswordInput\b/g;
  let count = 0;
  for (const [name, text] of Object.entries(SOURCES)) {
    expect(shown.test(text), name).toBe(false);
    count += text.match(hidden)?.length ?? 0;
  }
  const tested = PLACES.flatMap(([, fields]) => Object.keys(fields)).length;
  expect(count).toBe(tested + 2);
});

// ASVS 6.2.7
it('takes what is pasted, and tells password managers what is wanted', async () => {
  for (const [path, fields] of PLACES) {
    showConsole(path);
    for (const [label, wanted] of Object.entries(fields)) {
      const input = (await field(label)) as HTMLInputElement;
      expect(input.autocomplete, `${path} ${label}`).toBe(wanted);
      expect(input.readOnly || input.disabled || input.maxLength > 0).toBe(false);
      const pasted = { clipboardData: { getData: () => 'a pasted one' } };
      // False when a page has stood in the way.
      for (const event of [fireEvent.paste, fireEvent.drop, fireEvent.contextMenu]) {
        expect(event(input, pasted), `${path} ${label}`).toBe(true);
      }
      for (const key of ['v', 'Insert']) {
        expect(fireEvent.keyDown(input, { key, ctrlKey: true, shiftKey: true })).toBe(true);
      }
      fireEvent.change(input, { target: { value: 'a pasted one' } });
      expect(input.value).toBe('a pasted one');
    }
    cleanup();
  }
});
