/** A stream of server-sent events that a test speaks on. */
export class Stream extends EventTarget {
  static readonly CLOSED = 2;
  static all: Stream[] = [];
  readyState = 1;
  onopen: (() => void) | null = null;
  onerror: (() => void) | null = null;
  onmessage: ((event: MessageEvent<string>) => void) | null = null;

  constructor(readonly url: string) {
    super();
    Stream.all.push(this);
  }

  close() {
    this.readyState = Stream.CLOSED;
  }

  tell(data: unknown, kind = 'message') {
    const event = new MessageEvent(kind, { data: JSON.stringify(data) });
    if (kind === 'message') this.onmessage?.(event);
    this.dispatchEvent(event);
  }

  /** The open stream of an address. */
  static of(url: string): Stream {
    const found = Stream.all.find((it) => it.url === url && it.readyState !== Stream.CLOSED);
    if (!found) throw new Error(`nobody listens to ${url}`);
    return found;
  }
}
