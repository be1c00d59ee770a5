/** The part of gifenc that is used here; the package brings no types. */
declare module 'gifenc' {
  export type Palette = number[][];
  export interface Encoder {
    writeFrame(
      index: Uint8Array,
      width: number,
      height: number,
      options?: { palette?: Palette; delay?: number; repeat?: number },
    ): void;
    finish(): void;
    bytes(): Uint8Array;
  }
  interface Gifenc {
    GIFEncoder(): Encoder;
    quantize(
      rgba: Uint8Array,
      colours: number,
      options?: { format?: 'rgb565' | 'rgb444' },
    ): Palette;
    applyPalette(rgba: Uint8Array, palette: Palette, format?: 'rgb565' | 'rgb444'): Uint8Array;
  }
  const gifenc: Gifenc;
  export default gifenc;
}
