const TONES: Record<string, string> = {
  online: 'good',
  succeeded: 'good',
  ready: 'good',
  resolved: 'good',
  inactive: 'good',
  lost: 'bad',
  failed: 'bad',
  firing: 'bad',
  critical: 'bad',
  timed_out: 'bad',
  pending: 'warn',
  warning: 'warn',
  sleeping: 'warn',
  interrupted: 'warn',
};

/** A state as a word, its colour only repeating it. */
export function State({ value }: { value: string }) {
  return (
    <span className="state" data-tone={TONES[value] ?? 'plain'}>
      {value.replaceAll('_', ' ')}
    </span>
  );
}
