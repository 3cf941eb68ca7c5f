import { Table } from '@mantine/core';
import type { ReactNode } from 'react';

/** One row: what tells it from the others, and its cells. */
export interface Row {
  key: string | number;
  cells: ReactNode[];
}

/** A table of few rows. Columns named in `numbers` are set to the right. */
export function Rows(props: { label: string; head: string[]; rows: Row[]; numbers?: string[] }) {
  const align = (column: number) =>
    props.numbers?.includes(props.head[column] ?? '') ? 'right' : undefined;
  return (
    <div className="scroll" tabIndex={0} role="region" aria-label={`Table, ${props.label}`}>
      <Table aria-label={props.label} verticalSpacing={4} horizontalSpacing="sm" highlightOnHover>
        <Table.Thead>
          <Table.Tr>
            {props.head.map((text, column) => (
              <Table.Th key={text} scope="col" ta={align(column)}>
                {text}
              </Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {props.rows.map((row) => (
            <Table.Tr key={row.key}>
              {row.cells.map((cell, column) => (
                <Table.Td key={column} ta={align(column)}>
                  {cell}
                </Table.Td>
              ))}
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </div>
  );
}
