import '@mantine/core/styles.css';
import '@mantine/core/styles/default-css-variables.css';
import 'uplot/dist/uPlot.min.css';
import './app.css';

import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from './app';
import { makeRouter } from './router';

const root = document.getElementById('root');
if (root) {
  createRoot(root).render(
    <StrictMode>
      <App router={makeRouter()} />
    </StrictMode>,
  );
}
