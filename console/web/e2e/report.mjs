/** What the run has found out, one line each. */

export const problems = [];

/** Says whether something is as it should be; what is not fails the run at its end. */
export function check(what, good) {
  console.log(`${good ? 'ok  ' : 'FAIL'} ${what}`);
  if (!good) problems.push(what);
}
