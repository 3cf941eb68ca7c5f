/** Text that would be markup and turn the reading order round, if it were not only text. */
export const HOSTILE = '<img src=x onerror=alert(1)>\u202e';
