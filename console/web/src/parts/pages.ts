/** The console's pages, and what one must be permitted to have any use for each. */
export const PAGES = [
  { to: '/', name: 'Overview' },
  { to: '/devices', name: 'Devices' },
  { to: '/explore', name: 'Metrics' },
  { to: '/alerts', name: 'Alerts' },
  { to: '/access', name: 'Access' },
  { to: '/audit', name: 'Audit', needs: 'audit:read' },
  { to: '/health', name: 'Platform' },
] as const;

/** The pages for somebody who may do what `can` says. */
export function pagesFor(can: (permission: string) => boolean) {
  return PAGES.filter((page) => !('needs' in page) || can(page.needs));
}
