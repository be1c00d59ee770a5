/** Every picture of one patient in the model's square, by the same letterbox. */
import { letterbox } from '../frames/resize.ts';
import type { Letterbox } from '../frames/resize.ts';
import type { UserFiles } from './user-files.ts';

interface Placed {
  readonly where: string;
  readonly box: Letterbox;
}

/** Pictures whose shapes differ by less cover the same square: sizes are whole pixels. */
const SAME_SHAPE = 0.02;

/** Makes the letterboxes of one patient and says when two of them cannot cover the same. */
export class Square {
  readonly size: number;
  readonly #files: UserFiles;
  readonly #placed: Placed[] = [];

  constructor(size: number, files: UserFiles) {
    this.size = size;
    this.#files = files;
  }

  /** `spacing`: mm per pixel that the picture's own file says; null takes that of its equals. */
  box(
    picture: { readonly height: number; readonly width: number },
    spacing: readonly [number, number] | null,
    where: string,
  ): Letterbox {
    const { height, width } = picture;
    const known = spacing ?? this.#files.spacingOf(height, width) ?? [1, 1];
    const box = letterbox(height, width, this.size, known);
    this.#placed.push({ where, box });
    return box;
  }

  /** One sentence for each picture of another shape than the first; they may not lie on it. */
  differences(): string[] {
    const [first, ...others] = this.#placed;
    const shape = ({ squareWidth, squareHeight }: Letterbox) => squareWidth / squareHeight;
    return others
      .filter(({ box }) => Math.abs(shape(box) / shape(first.box) - 1) > SAME_SHAPE)
      .map(
        ({ where, box }) =>
          `${where} is ${box.squareWidth} x ${box.squareHeight} and ${first.where} ` +
          `${first.box.squareWidth} x ${first.box.squareHeight} in square pixels: ` +
          'each is centred in the square, so they may not lie on each other',
      );
  }
}
