/**
 * Services as processes of their own: started with no more permissions than they need, started
 * again when they die, and ended in any case.
 *
 * @module
 */

import { ScriptError } from "../_command.ts";
import { readLines } from "./_lines.ts";
import { type AnyService, type Facts, spawnService } from "./_service.ts";

/** How a service is supervised. */
export interface SuperviseOptions {
  /** Flags of the service. */
  args: string[];
  /** Start it again when it has died, with the port that it had. Default: false. */
  isRestarted?: boolean;
}

/** One death of a service, and what followed. */
export interface Restart {
  /** Name of the service. */
  name: string;
  /** How it died, such as `SIGKILL`. */
  found: string;
  /** Milliseconds from the death's news to the ready line of its next process. */
  downMs: number;
  /** That line. */
  ready: Facts;
}

/** Deaths in a row, without being ready in between, after which a service is given up. */
const DEATHS_MAX = 5;

/**
 * Milliseconds that a service may take to end after SIGTERM, before it is killed: as systemd's
 * default. Its last checkpoint and its log's end are some ten syncs, of a disk that may be slow.
 */
const STOP_MS_MAX = 90_000;

/** A service under supervision. Made by {@linkcode Supervisor.start}. */
export class Supervised {
  /** The service's name. */
  readonly name: string;
  readonly #service: AnyService;
  readonly #args: string[];
  readonly #isRestarted: boolean;
  readonly #onRestart: (restart: Restart) => void;
  #process: Deno.ChildProcess;
  #ready = Promise.withResolvers<Facts>();
  #nextRestart = Promise.withResolvers<Restart>();
  #stopped: Facts | undefined;
  #isStopping = false;
  #isGone = false;
  /** Since it was ready last. One that never was does not begin again: it is told wrong. */
  #deaths = DEATHS_MAX;
  /** Rejects when the service has failed for good. */
  readonly failure: Promise<never>;
  /** Resolves when it has ended as it was told to, or by itself with everything done. */
  readonly ended: Promise<Facts>;

  /** Starts the first process. */
  constructor(
    service: AnyService,
    { args, isRestarted = false }: SuperviseOptions,
    onRestart: (restart: Restart) => void,
  ) {
    this.name = service.name;
    this.#service = service;
    this.#args = [...args, "--json", "--tied"];
    this.#isRestarted = isRestarted;
    this.#onRestart = onRestart;
    this.#process = this.#spawn();
    this.ended = this.#watch();
    this.failure = this.ended.then(() => new Promise<never>(() => {}));
    // Heard by whoever waits for them; nobody may be waiting just then.
    this.failure.catch(() => {});
    this.#ready.promise.catch(() => {});
  }

  /** Id of the process that runs now. */
  get pid(): number {
    return this.#process.pid;
  }

  /** What the newest process has told when it was ready: waits for that where it is not yet. */
  get ready(): Promise<Facts> {
    return this.#ready.promise;
  }

  /** Resolves when its next process is ready, after this one has died. */
  get restarted(): Promise<Restart> {
    return this.#nextRestart.promise;
  }

  #spawn(): Deno.ChildProcess {
    return spawnService(this.#service, this.#args, "piped");
  }

  /** Follows one process after the other. */
  async #watch(): Promise<Facts> {
    for (;;) {
      const found = await this.#follow();
      const diedMs = performance.now();
      if (this.#stopped !== undefined) {
        this.#isGone = true;
        return this.#stopped;
      }
      if (this.#isStopping || !this.#isRestarted || ++this.#deaths > DEATHS_MAX) {
        this.#isGone = true;
        const error = new ScriptError(`Cannot go on as ${this.name} has ended: found ${found}`);
        this.#ready.reject(error);
        throw error;
      }
      this.#ready = Promise.withResolvers();
      this.#ready.promise.then((ready) => {
        const downMs = performance.now() - diedMs;
        const restart = { name: this.name, found, downMs, ready };
        this.#onRestart(restart);
        this.#nextRestart.resolve(restart);
        this.#nextRestart = Promise.withResolvers();
      }, () => {});
      this.#process = this.#spawn();
    }
  }

  /** Reads the lines of the process until it has ended; how it ended. */
  async #follow(): Promise<string> {
    const process = this.#process;
    for await (const line of readLines(process.stdout)) {
      const { event, service: _, ...facts } = JSON.parse(line) as Facts;
      if (event === "ready") this.#takeReady(facts);
      if (event === "stopped") this.#stopped = facts;
    }
    const { code, signal } = await process.status;
    await process.stdin.abort().catch(() => {}); // Its other end has gone.
    return signal ?? `exit status ${code}`;
  }

  #takeReady(facts: Facts): void {
    this.#deaths = 0;
    // The next process listens where this one did, or nobody would find it.
    for (const name of ["port", "tcpPort"]) {
      const flag = `--${name === "port" ? name : "tcp-port"}`;
      if (typeof facts[name] === "number" && !this.#args.includes(flag)) {
        this.#args.push(flag, `${facts[name]}`);
      }
    }
    this.#ready.resolve(facts);
  }

  /** Sends a signal to the process that runs now, if it is still there. */
  kill(signal: Deno.Signal = "SIGKILL"): void {
    if (this.#isGone) return;
    try {
      this.#process.kill(signal);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // It has ended, which is about to be seen.
    }
  }

  /**
   * Ends it in good order. Returns what it has counted.
   *
   * @throws {ScriptError} If it failed, or hung and was killed.
   */
  async stop(): Promise<Facts> {
    this.#isStopping = true;
    this.kill("SIGTERM");
    const overdue = setTimeout(() => this.kill(), STOP_MS_MAX);
    try {
      return await this.ended;
    } finally {
      clearTimeout(overdue);
    }
  }

  /** Ends it at once, whatever it is doing. */
  async abort(): Promise<void> {
    this.#isStopping = true;
    this.kill();
    await this.ended.catch(() => {});
    await this.#process.status;
  }
}

/** Starts services, and ends those that still run with its scope. */
export class Supervisor implements AsyncDisposable {
  /** Deaths, and what followed, in their order. */
  readonly restarts: Restart[] = [];
  readonly #lockFile: string;
  readonly #onRestart: (restart: Restart) => void;
  readonly #all: Supervised[] = [];
  readonly #failure = Promise.withResolvers<never>();

  /**
   * @param lockFile A file that every process keeps locked as long as it lives.
   * @param onRestart Told of every death that was mended.
   */
  constructor(lockFile: string, onRestart: (restart: Restart) => void = () => {}) {
    this.#lockFile = lockFile;
    this.#onRestart = onRestart;
    this.#failure.promise.catch(() => {});
  }

  /** Rejects when a service has failed for good. */
  get failure(): Promise<never> {
    return this.#failure.promise;
  }

  /** Starts a service. It may not be ready yet. */
  start(service: AnyService, options: SuperviseOptions): Supervised {
    const args = [...options.args, "--lock-file", this.#lockFile];
    const supervised = new Supervised(service, { ...options, args }, (restart) => {
      this.restarts.push(restart);
      this.#onRestart(restart);
    });
    supervised.failure.catch(this.#failure.reject);
    this.#all.push(supervised);
    return supervised;
  }

  /** Ends at once what still runs. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#all.map((service) => service.abort()));
  }
}
