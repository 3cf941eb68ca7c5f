/** What a person may be. */
export const ROLES = [
  { value: 'owner', label: 'owner' },
  { value: 'technician', label: 'technician' },
  { value: 'read_only', label: 'read only' },
  // A directory's hand, not a person.
  { value: 'provisioner', label: 'provisioner' },
  { value: 'none', label: 'none' },
];
