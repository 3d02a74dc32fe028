// The connection to /stream, and what it tells: one market's book and trades, and the stats.

/** Trades that are kept to be shown. */
const TRADES_MAX = 60;

/** Milliseconds without a message after which a connection is lost: stats come each second. */
const SILENCE_MS = 4_000;

/** Milliseconds to wait before another attempt: doubled each time. */
const RETRY_MS = 250;
const RETRY_MS_MAX = 5_000;

/** A market as the messages tell it. Sizes are numbers by the price's text. */
class Market {
  epoch = "";
  sequence = 0;
  isComplete = true;
  bids = new Map();
  asks = new Map();
  /** The newest first. */
  trades = [];

  /** Takes a snapshot. */
  replace({ epoch, sequence, isComplete, bids, asks, trades }) {
    Object.assign(this, { epoch, sequence, isComplete });
    this.bids = new Map(bids.map(([price, size]) => [price, Number(size)]));
    this.asks = new Map(asks.map(([price, size]) => [price, Number(size)]));
    this.trades = trades.toReversed().slice(0, TRADES_MAX);
  }

  /** Takes an update; returns false if it does not follow. */
  apply({ from, to, bids, asks, trades }) {
    if (from !== this.sequence) return false;
    for (const [side, changes] of [[this.bids, bids], [this.asks, asks]]) {
      for (const [price, size] of changes) {
        if (size === "0") side.delete(price);
        else side.set(price, Number(size));
      }
    }
    this.trades = [...trades.toReversed(), ...this.trades].slice(0, TRADES_MAX);
    this.sequence = to;
    return true;
  }
}

/** Stays connected: after a loss it tries again, sooner at first, and goes on where it was. */
export class MarketStream {
  #symbol;
  #socket;
  #handlers;
  #attempt = 0;
  #silence;
  market = new Market();

  /** `onState(state, retryMs)`: "connecting", "live" or "lost"; `onMarket()`; `onStats(stats)`. */
  constructor(handlers) {
    this.#handlers = handlers;
  }

  /** Shows another market. */
  show(symbol) {
    const before = this.#symbol;
    this.#symbol = symbol;
    this.market = new Market();
    if (this.#socket?.readyState !== WebSocket.OPEN) return;
    this.#send({ type: "unsubscribe", symbols: [before] });
    this.#subscribe();
  }

  /** Connects, and keeps connected. */
  connect() {
    // Later attempts go on under "lost": a reader is told once, and not at each of them.
    if (this.#attempt === 0) this.#handlers.onState("connecting");
    const socket = new WebSocket(
      `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/stream`,
    );
    this.#socket = socket;
    socket.onopen = () => this.#subscribe();
    socket.onmessage = ({ data }) => this.#take(socket, JSON.parse(data));
    socket.onclose = () => this.#lose(socket);
    this.#listen(socket);
  }

  /** Gives a connection up that is silent. */
  #listen(socket) {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => {
      this.#lose(socket);
      socket.close();
    }, SILENCE_MS);
  }

  #lose(socket) {
    if (this.#socket !== socket) return;
    this.#socket = undefined;
    clearTimeout(this.#silence);
    const longest = Math.min(RETRY_MS_MAX, RETRY_MS * 2 ** this.#attempt++);
    const retryMs = longest * (0.5 + Math.random() / 2);
    this.#handlers.onState("lost", retryMs);
    setTimeout(() => this.connect(), retryMs);
  }

  #subscribe() {
    if (this.#symbol === undefined) return;
    const { epoch, sequence } = this.market;
    const resume = epoch === "" ? undefined : { [this.#symbol]: sequence, epoch };
    this.#send({ type: "subscribe", symbols: [this.#symbol], resume });
  }

  #send(request) {
    this.#socket?.send(JSON.stringify(request));
  }

  #take(socket, message) {
    if (this.#socket !== socket) return;
    this.#listen(socket);
    if (message.type === "stats") {
      if (this.#symbol === undefined) this.#handlers.onState("live");
      return this.#handlers.onStats(message);
    }
    if (message.symbol !== this.#symbol) return; // Of the market that was shown before.
    if (message.type === "snapshot") {
      this.market.replace(message);
    } else if (message.type === "update" && !this.market.apply(message)) {
      this.market = new Market();
      return this.#subscribe();
    }
    this.#attempt = 0;
    this.#handlers.onState("live");
    this.#handlers.onMarket();
  }
}
