const TONES: Record<string, string> = {
  online: 'good',
  succeeded: 'good',
  ready: 'good',
  resolved: 'good',
  inactive: 'good',
  done: 'good',
  lost: 'bad',
  failed: 'bad',
  firing: 'bad',
  critical: 'bad',
  timed_out: 'bad',
  pending: 'warn',
  warning: 'warn',
  waiting: 'warn',
  sleeping: 'warn',
  interrupted: 'warn',
  refused: 'warn',
  expired: 'warn',
  disabled: 'warn',
  running: 'busy',
  queued: 'busy',
  sent: 'busy',
};

/** A state as a word, its colour only repeating it. */
export function State({ value }: { value: string }) {
  return (
    <span className="state" data-tone={TONES[value] ?? 'plain'}>
      {value.replaceAll('_', ' ')}
    </span>
  );
}
