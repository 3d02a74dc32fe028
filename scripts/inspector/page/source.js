// Asks the server once a look, and says when it does not answer.

/** Milliseconds after which a request is lost; a look takes some. */
const ANSWER_MS = 4_000;

/** Longest pause between two attempts. */
const RETRY_MS_MAX = 5_000;

/** Milliseconds between two requests of a page that nobody sees. */
const HIDDEN_MS = 10_000;

/** Looks again and again, for one chosen channel. */
export class Source {
  #handlers;
  #channel = "";
  #sinceMs = 0;
  #timer;
  #attempt = 0;
  #round = 0;

  /** `onState(state, retryMs)`: "live" or "lost"; `onLook(look, isContinued)`. */
  constructor(handlers) {
    this.#handlers = handlers;
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) this.look();
    });
  }

  /** Chooses a channel: "" for none. */
  choose(channel) {
    this.#channel = channel;
    this.#sinceMs = 0;
    this.look();
  }

  /** Looks now, and from then on. */
  async look() {
    clearTimeout(this.#timer);
    const round = ++this.#round;
    const isCurrent = () => round === this.#round; // Another one was chosen meanwhile.
    const query = new URLSearchParams({ channel: this.#channel, since: this.#sinceMs });
    try {
      const response = await fetch(`/api/look?${query}`, {
        signal: AbortSignal.timeout(ANSWER_MS),
      });
      const look = await response.json();
      if (!isCurrent()) return;
      this.#attempt = 0;
      this.#handlers.onLook(look, this.#sinceMs > 0);
      this.#sinceMs = look.chosen?.samples?.at(-1)?.[0] ?? this.#sinceMs;
      this.#handlers.onState("live");
      this.#again(document.hidden ? HIDDEN_MS : look.intervalMs);
    } catch (error) {
      if (!isCurrent()) return;
      if (!["TypeError", "TimeoutError", "SyntaxError"].includes(error.name)) throw error;
      const retryMs = Math.min(RETRY_MS_MAX, 500 * 2 ** this.#attempt++);
      this.#handlers.onState("lost", retryMs);
      this.#again(retryMs);
    }
  }

  #again(delayMs) {
    this.#timer = setTimeout(() => this.look(), delayMs);
  }
}
