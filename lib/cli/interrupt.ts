/** Ctrl-C as a signal that long work listens to: what is finished is still told. */

export interface Interrupt {
  /** Aborted at the first Ctrl-C. */
  readonly signal: AbortSignal;
  /** From now on Ctrl-C ends the process, as it does without this. */
  end(): void;
}

/** A second Ctrl-C ends the process at once. */
export function awaitInterrupt(): Interrupt {
  const controller = new AbortController();
  const { signal } = controller;
  const end = () => process.removeListener("SIGINT", press);
  const press = () => {
    if (signal.aborted) {
      end();
      process.kill(process.pid, "SIGINT");
      return;
    }
    controller.abort();
    // Two that came while JavaScript was busy are told one after the other, in this turn of the event loop. From the
    // next turn on nobody listens, so that the system ends the process, however busy it is.
    setImmediate(end);
  };
  process.on("SIGINT", press);
  return { signal, end };
}
