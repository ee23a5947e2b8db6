/** An emulator computes what a GPU would, in a time that says nothing. */

export const emulatorNote = "an emulator computes what a GPU would; its times say nothing about one";

/** `model`: what the maker of the device calls it. */
export function isEmulated({ model }: { readonly model: string }): boolean {
  return /emulator/i.test(model);
}
