import { createRootRoute, createRoute, createRouter, Outlet } from '@tanstack/react-router';
import { AccessPage } from './pages/access';
import { AlertsPage } from './pages/alerts';
import { AuditPage } from './pages/audit';
import { DevicePage } from './pages/device';
import { DevicesPage } from './pages/devices';
import { ExplorerPage } from './pages/explorer';
import { HealthPage } from './pages/health';
import { OverviewPage } from './pages/overview';
import { SetupPage } from './pages/setup';
import { SignInPage } from './pages/sign-in';
import { Shell } from './parts/shell';

const root = createRootRoute({ component: Outlet, notFoundComponent: () => <h1>No such page</h1> });
const shell = createRoute({ getParentRoute: () => root, id: 'shell', component: Shell });
const under = <P extends string>(path: P, component: () => React.ReactNode) =>
  createRoute({ getParentRoute: () => shell, path, component });

const routes = root.addChildren([
  createRoute({ getParentRoute: () => root, path: '/setup', component: SetupPage }),
  createRoute({ getParentRoute: () => root, path: '/sign-in', component: SignInPage }),
  shell.addChildren([
    under('/', OverviewPage),
    under('/devices', DevicesPage),
    under('/devices/$id', DevicePage),
    under('/explore', ExplorerPage),
    under('/alerts', AlertsPage),
    under('/access', AccessPage),
    under('/audit', AuditPage),
    under('/health', HealthPage),
  ]),
]);

export const router = createRouter({ routeTree: routes });

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}
