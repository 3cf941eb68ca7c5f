import { useState } from 'react';

/** The token of the link that led here. It is behind `#`, so that it is in no server's log. */
export function useLinkToken(): string {
  const [token] = useState(
    () => new URLSearchParams(window.location.hash.replace(/^#/, '')).get('token') ?? '',
  );
  return token;
}
