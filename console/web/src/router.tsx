import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Outlet,
  type RouterHistory,
} from '@tanstack/react-router';
import { DevicesPage } from './pages/devices';
import { EmailPage } from './pages/email';
import { ForgotPage } from './pages/forgot';
import { InvitationPage } from './pages/invitation';
import { OverviewPage } from './pages/overview';
import { PasswordPage } from './pages/password';
import { SetupPage } from './pages/setup';
import { SignInPage } from './pages/sign-in';
import { Broken, NoSuchPage } from './parts/page';
import { Shell } from './parts/shell';

const text = (value: unknown) => (typeof value === 'string' && value !== '' ? value : undefined);

/** The named parameters of an address that are texts; all others are dropped. */
function texts<N extends string>(...names: N[]) {
  return (search: Record<string, unknown>): { [name in N]?: string } =>
    Object.fromEntries(
      names.map((name) => [name, text(search[name])]).filter(([, value]) => value),
    ) as { [name in N]?: string };
}

const root = createRootRoute({ component: Outlet, notFoundComponent: NoSuchPage });
const shell = createRoute({ getParentRoute: () => root, id: 'shell', component: Shell });
const inShell = () => shell;
const atRoot = () => root;

const routes = root.addChildren([
  createRoute({ getParentRoute: atRoot, path: '/setup', component: SetupPage }),
  createRoute({ getParentRoute: atRoot, path: '/password', component: PasswordPage }),
  createRoute({ getParentRoute: atRoot, path: '/forgot', component: ForgotPage }),
  createRoute({ getParentRoute: atRoot, path: '/invitation', component: InvitationPage }),
  createRoute({ getParentRoute: atRoot, path: '/email', component: EmailPage }),
  createRoute({
    getParentRoute: atRoot,
    path: '/sign-in',
    component: SignInPage,
    validateSearch: texts('next'),
  }),
  shell.addChildren([
    createRoute({ getParentRoute: inShell, path: '/', component: OverviewPage }),
    createRoute({
      getParentRoute: inShell,
      path: '/devices',
      component: DevicesPage,
      validateSearch: texts('q', 'filter', 'sort'),
    }),
    createRoute({
      getParentRoute: inShell,
      path: '/devices/$id',
      component: lazyRouteComponent(() => import('./pages/device'), 'DevicePage'),
    }),
    createRoute({
      getParentRoute: inShell,
      path: '/explore',
      component: lazyRouteComponent(() => import('./pages/explorer'), 'ExplorerPage'),
      validateSearch: texts('expr', 'minutes'),
    }),
    createRoute({
      getParentRoute: inShell,
      path: '/alerts',
      component: lazyRouteComponent(() => import('./pages/alerts'), 'AlertsPage'),
    }),
    createRoute({
      getParentRoute: inShell,
      path: '/access',
      component: lazyRouteComponent(() => import('./pages/access'), 'AccessPage'),
    }),
    createRoute({
      getParentRoute: inShell,
      path: '/audit',
      component: lazyRouteComponent(() => import('./pages/audit'), 'AuditPage'),
      validateSearch: texts('action', 'actor', 'target', 'outcome', 'from', 'to'),
    }),
    createRoute({
      getParentRoute: inShell,
      path: '/health',
      component: lazyRouteComponent(() => import('./pages/health'), 'HealthPage'),
    }),
  ]),
]);

/** The console's pages; tests hand in a history that is not the browser's. */
export function makeRouter(history?: RouterHistory) {
  // Addresses carry plain text, so that people can read and write them.
  return createRouter({
    routeTree: routes,
    history,
    defaultErrorComponent: Broken,
    parseSearch: (search) => Object.fromEntries(new URLSearchParams(search)),
    stringifySearch: (search) => {
      const pairs = Object.entries(search).filter(([, value]) => typeof value === 'string');
      const written = new URLSearchParams(pairs as [string, string][]).toString();
      return written === '' ? '' : `?${written}`;
    },
  });
}

declare module '@tanstack/react-router' {
  interface Register {
    router: ReturnType<typeof makeRouter>;
  }
}
