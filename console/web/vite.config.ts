import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';
import { budget } from './budget.ts';

export default defineConfig({
  plugins: [react(), budget()],
  build: { assetsInlineLimit: 0, chunkSizeWarningLimit: 900 },
  // `npm run dev` shows the console of the sources on a server that runs.
  server: { proxy: { '^/(api|prometheus)/': { target: 'https://127.0.0.1:8443', secure: false } } },
  test: {
    environment: 'happy-dom',
    include: ['src/**/*.test.{ts,tsx}', '*.test.ts'],
    setupFiles: ['src/testing/setup.ts'],
  },
});
