import { Table } from '@mantine/core';
import type { ReactNode } from 'react';

/** A table of few rows. */
export function Rows(props: {
  label: string;
  head: string[];
  rows: ReactNode[][];
  empty?: string;
}) {
  if (props.rows.length === 0) return <p>{props.empty ?? 'None.'}</p>;
  return (
    <div className="scroll" tabIndex={0} role="region" aria-label={props.label}>
      <Table aria-label={props.label} withTableBorder striped>
        <Table.Thead>
          <Table.Tr>
            {props.head.map((text) => (
              <Table.Th key={text} scope="col">
                {text}
              </Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {props.rows.map((cells, row) => (
            <Table.Tr key={row}>
              {cells.map((cell, column) => (
                <Table.Td key={column}>{cell}</Table.Td>
              ))}
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </div>
  );
}
