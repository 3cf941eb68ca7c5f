import { MantineProvider } from '@mantine/core';
import { render, screen } from '@testing-library/react';
import { expect, it } from 'vitest';
import { Problem } from './problem';
import { State } from './state';
import { Rows } from './table';

const HOSTILE = '<img src=x onerror=alert(1)>\u202e\u0000';

it('shows what devices say as text', () => {
  render(
    <MantineProvider>
      <Rows
        label="x"
        head={['Name']}
        rows={[
          { key: 1, cells: [HOSTILE] },
          { key: 2, cells: [<State value={HOSTILE} />] },
        ]}
      />
    </MantineProvider>,
  );
  expect(document.querySelector('img')).toBeNull();
  expect(screen.getAllByText((text) => text.includes('<img src=x'))).toHaveLength(2);
});

it('says what went wrong', () => {
  render(<Problem error={new Error('the name is taken; choose another')} />);
  expect(screen.getByRole('alert').textContent).toContain('choose another');
});
