import { NativeSelect, useMantineColorScheme, type MantineColorScheme } from '@mantine/core';

const SCHEMES = [
  { value: 'auto', label: 'As the system' },
  { value: 'light', label: 'Light' },
  { value: 'dark', label: 'Dark' },
];

/** Light, dark, or what the system says; kept in the browser. */
export function Theme() {
  // Else Mantine writes a style by `innerHTML`, which the policy of this page forbids.
  const { colorScheme, setColorScheme } = useMantineColorScheme({ keepTransitions: true });
  return (
    <NativeSelect
      aria-label="Colours"
      data={SCHEMES}
      value={colorScheme}
      onChange={(event) => setColorScheme(event.currentTarget.value as MantineColorScheme)}
    />
  );
}
