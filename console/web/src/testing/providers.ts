/** Another provider that people may sign in at. */
export const PROVIDER = {
  id: 'ip1',
  name: 'Corp',
  issuer: 'https://id.example.org',
  client_id: 'openframe',
  scopes: ['openid'],
  allowed_domains: ['example.org'],
  creates_people: 'technician',
  trusts_mfa: false,
  enabled: true,
  redirect_uri: 'https://of.example.org/login/upstream/callback',
  created_at: '2026-01-01T00:00:00Z',
};
