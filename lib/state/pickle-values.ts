/** What the reader of pickles makes of what is not plain data. */

/** A global that the list allows, such as a storage class. */
export class PickleGlobal {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }
}

/** `function(*args)`, not called. */
export class PickleCall {
  readonly function: string;
  readonly args: readonly unknown[];

  constructor(name: string, args: readonly unknown[]) {
    this.function = name;
    this.args = args;
  }
}

/** What the file outside of the pickle has under an id. */
export class PersistentId {
  readonly id: unknown;

  constructor(id: unknown) {
    this.id = id;
  }
}

/** A Python dict; its keys can be of any type. */
export type PickleDict = Map<unknown, unknown>;
