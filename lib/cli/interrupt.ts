/** Ctrl-C as a question that long work asks itself: what is finished is still told. */

export interface Interrupt {
  /** Whether Ctrl-C was pressed. */
  readonly pressed: boolean;
  /** From now on Ctrl-C ends the process, as it does without this. */
  end(): void;
}

/** A second Ctrl-C ends the process at once. */
export function awaitInterrupt(): Interrupt {
  let pressed = false;
  const end = () => process.removeListener("SIGINT", press);
  const press = () => {
    if (pressed) {
      end();
      process.kill(process.pid, "SIGINT");
    }
    pressed = true;
  };
  process.on("SIGINT", press);
  return {
    get pressed() {
      return pressed;
    },
    end,
  };
}
