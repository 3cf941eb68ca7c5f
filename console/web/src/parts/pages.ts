/** The console's pages, and what one must be permitted to have any use for each. */
export const PAGES = [
  { to: '/', name: 'Overview' },
  { to: '/devices', name: 'Devices' },
  { to: '/explore', name: 'Metrics', needs: 'telemetry:read' },
  { to: '/alerts', name: 'Alerts', needs: 'telemetry:read' },
  { to: '/access', name: 'Access' },
  { to: '/audit', name: 'Audit', needs: 'audit:read' },
  { to: '/health', name: 'Platform', needs: 'platform:read' },
] as const;

/** The pages for somebody who may do what `can` says. */
export function pagesFor(can: (permission: string) => boolean) {
  return PAGES.filter((page) => !('needs' in page) || can(page.needs));
}
