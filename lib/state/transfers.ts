/** Tensors on their way from a checkpoint into an optimizer. */

import { dtypes } from "../dtypes.js";
import { AdamWError } from "../errors.js";
import { makeArray } from "../host-array.js";
import { checkMemory, dtypeOf as memoryDtype, setElements } from "../memory.js";
import type { Tensor, TransferOptions } from "./checkpoint.js";
import { dtypeOf, toFloat32 } from "./dtypes.js";
import { checkSignal } from "./errors.js";
import type { Transfer } from "./load-plan.js";
import { stepName, valueName } from "./names.js";
import { bytesOf, elementsIn, type OptimizerState } from "./optimizer-state.js";
import { type Destination, PieceReader, readPieceBytes } from "./pieces.js";
import { readTensor, verifyTensor } from "./verify.js";

type Elements = Exclude<Transfer, { slot: typeof stepName }>;
type Values = Extract<Transfer, { slot: typeof valueName }>;
type Slots = Exclude<Elements, Values>;

const isElements = (transfer: Transfer): transfer is Elements => transfer.slot !== stepName;
const isSlot = (transfer: Elements): transfer is Slots => transfer.slot !== valueName;

/** In three stages: of them only the last can leave anything but the old state or the new one. */
export class Transfers {
  readonly #state: OptimizerState;
  readonly #path: string;
  readonly #options: TransferOptions;
  readonly #reader = new PieceReader();
  /** Into slots that hold zeros, which zeros can take the place of again. */
  readonly #new: readonly Slots[];
  /** Over what is gone then. */
  readonly #others: readonly Elements[];
  readonly #total: number;
  #done = 0;

  constructor(state: OptimizerState, path: string, transfers: readonly Transfer[], options: TransferOptions) {
    const elements = transfers.filter(isElements);
    this.#state = state;
    this.#path = path;
    this.#options = options;
    const { isNew } = state.engine.slots;
    this.#new = isNew ? elements.filter(isSlot) : [];
    this.#others = isNew ? elements.filter((transfer) => !isSlot(transfer)) : elements;
    this.#total = elements.reduce((sum, { tensor }) => sum + tensor.byteLength, 0);
  }

  /** Looks at everything that replaces something. @throws CHECKPOINT, FILE, ABORTED; nothing was changed */
  async verify(): Promise<void> {
    for (const { tensor, parameter, slot } of this.#others) {
      if (slot === valueName) checkMemory(parameter.value, `the value of ${parameter.name}`, parameter.length);
      this.#checkSignal();
      await verifyTensor(this.#path, tensor, this.#reader, (bytes) => this.#advance(bytes));
    }
  }

  /** Fills new slots. @throws CHECKPOINT, FILE, ABORTED; the slots are as new then */
  async fill(): Promise<void> {
    try {
      for (const transfer of this.#new) {
        this.#checkSignal();
        await this.#transfer(transfer, (bytes) => this.#advance(bytes));
      }
    } catch (error) {
      for (const transfer of this.#new) this.#clear(transfer);
      throw error;
    }
  }

  /** Replaces what was verified. @throws CHECKPOINT, FILE for a file that is not what it was a moment ago */
  async replace(): Promise<void> {
    for (const transfer of this.#others) await this.#transfer(transfer);
  }

  #transfer(transfer: Elements, onBytes: (count: number) => void = () => {}): Promise<void> {
    const { tensor } = transfer;
    const slot = this.#slotMemory(transfer);
    const use = (piece: Uint8Array, start: number) => {
      if (!slot) this.#put(transfer, tensor, piece, start);
      onBytes(piece.length);
    };
    return readTensor(this.#path, tensor, this.#reader, use, slot);
  }

  /** The slot's own memory, where a tensor can be read into it as it is. */
  #slotMemory(transfer: Elements): Destination | undefined {
    const { slots } = this.#state.engine;
    const { bytes, stored } = dtypes[slots.dtype];
    if (!isSlot(transfer) || transfer.tensor.dtype !== stored) return undefined;
    const { parameter, slot } = transfer;
    const lend = (start: number, length: number) => {
      const elements = slots.lend(parameter, slot, start / bytes, length / bytes);
      return elements && bytesOf(elements);
    };
    const one = lend(0, Math.min(parameter.length, 1) * bytes);
    if (!one) return undefined;
    const takeBack = (piece: Uint8Array) => slots.takeBack(piece);
    takeBack(one);
    return {
      lend(start, length) {
        const piece = lend(start, length);
        if (!piece) throw new AdamWError("NATIVE", "A part of the state could be reached, and now another cannot");
        return piece;
      },
      takeBack,
    };
  }

  #put(transfer: Elements, { dtype: name }: Tensor, piece: Uint8Array, start: number): void {
    const dtype = dtypeOf(name);
    if (!dtype) return;
    const { slots } = this.#state.engine;
    const target = isSlot(transfer) ? slots.dtype : memoryDtype(transfer.parameter.value);
    const isAsStored = dtype.name === dtypes[target].stored;
    const elements = isAsStored ? elementsIn(piece, target) : toFloat32(dtype, piece);
    const offset = start / dtype.bytes;
    if (isSlot(transfer)) slots.write(transfer.parameter, transfer.slot, elements, offset);
    else setElements(transfer.parameter.value, elements, offset);
  }

  #clear({ parameter, slot }: Slots): void {
    const { slots } = this.#state.engine;
    const { dtype } = slots;
    const zeros = makeArray(dtype, Math.min(parameter.length, readPieceBytes / dtypes[dtype].bytes));
    for (let start = 0; start < parameter.length; start += zeros.length) {
      const piece = zeros.subarray(0, parameter.length - start);
      slots.write(parameter, slot, piece, start);
    }
  }

  #advance(bytes: number): void {
    this.#checkSignal();
    this.#done += bytes;
    this.#options.progress?.({ done: this.#done, total: this.#total });
  }

  #checkSignal(): void {
    checkSignal(this.#options.signal, "Loading");
  }
}
