/** What a person may be. */
export const ROLES = [
  { value: 'owner', label: 'owner' },
  { value: 'technician', label: 'technician' },
  { value: 'read_only', label: 'read only' },
  { value: 'none', label: 'none' },
];
