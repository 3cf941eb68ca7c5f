/** What went wrong, in the platform's own words. */
export function Problem({ error }: { error: unknown }) {
  if (!error) return null;
  const text = error instanceof Error ? error.message : String(error);
  return (
    <p role="alert" className="problem">
      {text}
    </p>
  );
}
