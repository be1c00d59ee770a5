/** Text in pictures, with smooth edges. */
import { inflateSync } from 'node:zlib';
import type { Frames } from './frames.ts';
import { ADVANCES, GLYPH_HEIGHT, GLYPH_WIDTH, GLYPHS } from './font-data.ts';

/** Height of a line of text in pixels. */
export const LINE_HEIGHT = GLYPH_HEIGHT;

export type Colour = readonly [red: number, green: number, blue: number];

let glyphs: Uint8Array | null = null;

/** Width of one line in pixels. */
export function textWidth(text: string): number {
  return letters(text).reduce((sum, letter) => sum + ADVANCES[letter], 0);
}

/** Shortens with "..." to fit `width` pixels. */
export function fitText(text: string, width: number): string {
  if (textWidth(text) <= width) return text;
  let end = text.length;
  while (end > 0 && textWidth(`${text.slice(0, end)}...`) > width) end -= 1;
  return `${text.slice(0, end).trimEnd()}...`;
}

/** Lines of at most `width` pixels, broken at spaces. */
export function wrapText(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(/\s+/).filter((part) => part !== '')) {
    const last = lines[lines.length - 1];
    if (last !== undefined && textWidth(`${last} ${word}`) <= width) {
      lines[lines.length - 1] = `${last} ${word}`;
    } else {
      lines.push(fitText(word, width));
    }
  }
  return lines;
}

/** Draws one line into an RGB picture of one frame, its upper left corner at (x, y). */
export function drawText(
  picture: Frames<Uint8Array>,
  text: string,
  x: number,
  y: number,
  colour: Colour,
): void {
  glyphs ??= inflateSync(Buffer.from(GLYPHS, 'base64'));
  let left = Math.round(x);
  for (const letter of letters(text)) {
    blend(picture, glyphs, letter, left, Math.round(y), colour);
    left += ADVANCES[letter];
  }
}

function blend(
  picture: Frames<Uint8Array>,
  source: Uint8Array,
  letter: number,
  left: number,
  top: number,
  colour: Colour,
): void {
  const { height, width } = picture;
  for (let row = 0; row < GLYPH_HEIGHT; row++) {
    for (let column = 0; column < GLYPH_WIDTH; column++) {
      const cover = source[(letter * GLYPH_HEIGHT + row) * GLYPH_WIDTH + column] / 255;
      const [px, py] = [left + column - 1, top + row];
      if (cover === 0 || px < 0 || px >= width || py < 0 || py >= height) continue;
      for (let c = 0; c < 3; c++) {
        const at = (c * height + py) * width + px;
        picture.data[at] = Math.round(picture.data[at] * (1 - cover) + colour[c] * cover);
      }
    }
  }
}

// What the font lacks shows as a question mark.
function letters(text: string): number[] {
  return Array.from(text, (letter) => {
    const code = letter.codePointAt(0) as number;
    return (code >= 32 && code < 127 ? code : 63) - 32;
  });
}
