import { Button } from '@mantine/core';
import { useState } from 'react';

/** A secret that is shown once, and can be copied. */
export function Secret({ label, lead, text }: { label: string; lead: string; text?: string }) {
  const [copied, setCopied] = useState<string>();
  if (!text) return null;
  return (
    <div className="secret">
      <p role="status">{lead}</p>
      <pre className="output" tabIndex={0} aria-label={label}>
        {text}
      </pre>
      <Button
        size="compact-xs"
        variant="default"
        onClick={() => void navigator.clipboard.writeText(text).then(() => setCopied(text))}
      >
        {copied === text ? 'Copied' : 'Copy'}
      </Button>
    </div>
  );
}
