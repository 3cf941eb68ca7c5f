import { useCan, useCanSomewhere } from '../api/queries';

/** The console's pages, and what one must be permitted, in the whole tenant or `somewhere`, to have any use for each. */
export const PAGES = [
  { to: '/', name: 'Overview' },
  { to: '/devices', name: 'Devices' },
  { to: '/explore', name: 'Metrics', somewhere: 'telemetry:read' },
  { to: '/alerts', name: 'Alerts', somewhere: 'telemetry:read' },
  { to: '/access', name: 'Access' },
  { to: '/audit', name: 'Audit', needs: 'audit:read' },
  { to: '/health', name: 'Platform', needs: 'platform:read' },
] as const;

/** The pages for whoever is signed in. */
export function usePages() {
  const [can, canSomewhere] = [useCan(), useCanSomewhere()];
  return PAGES.filter((page) => {
    if ('needs' in page) return can(page.needs);
    return !('somewhere' in page) || canSomewhere(page.somewhere);
  });
}
