/** The console: the kit, the cache of what the platform has said, and the pages. */
import { createTheme, MantineProvider } from '@mantine/core';
import { MutationCache, QueryCache, QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { useState } from 'react';
import { ApiError, signedOut } from './api/client';
import type { makeRouter } from './router';

type Router = ReturnType<typeof makeRouter>;

const small = { defaultProps: { size: 'xs' } };
const theme = createTheme({
  components: {
    Button: small,
    NativeSelect: small,
    NumberInput: small,
    PasswordInput: small,
    TextInput: small,
    Textarea: small,
    Checkbox: small,
  },
});

/** To the sign-in page and, afterwards, back; unless one is on a page that needs no session. */
export function toSignIn(router: Router) {
  const { pathname, href } = router.state.location;
  if (['/sign-in', '/setup', '/password', '/forgot'].includes(pathname)) return;
  void router.navigate({ to: '/sign-in', search: href === '/' ? {} : { next: href } });
}

/** A cache that sends the reader to sign in as soon as any answer says that the session is over. */
export function makeClient(router: Router): QueryClient {
  const onError = (error: unknown) => {
    if (signedOut(error)) toSignIn(router);
  };
  return new QueryClient({
    queryCache: new QueryCache({ onError }),
    mutationCache: new MutationCache({ onError }),
    defaultOptions: {
      queries: {
        // A refusal stays one; only what may pass is tried again.
        retry: (tries, error) =>
          tries < 2 && !(error instanceof ApiError && error.status >= 400 && error.status < 500),
      },
    },
  });
}

export function App({ router }: { router: Router }) {
  const [client] = useState(() => makeClient(router));
  return (
    // The policy of the page allows no inline styles, so the kit's variables come as a file.
    <MantineProvider
      theme={theme}
      defaultColorScheme="auto"
      withCssVariables={false}
      withGlobalClasses={false}
    >
      <QueryClientProvider client={client}>
        <RouterProvider router={router} />
      </QueryClientProvider>
    </MantineProvider>
  );
}
