import type { Tensor } from '../tensor/tensor.ts';

/**
 * @param network named in the error
 * @param pictures (n, 1 or 3, h, w)
 * @returns their shape
 * @throws one sentence for another shape
 */
export function expectPictures(network: string, pictures: Tensor): readonly number[] {
  const { rank, shape } = pictures;
  if (rank !== 4 || (shape[1] !== 1 && shape[1] !== 3)) {
    throw new Error(`${network}: expected pictures (n, 1 or 3, h, w), got ${shape.join('x')}`);
  }
  return shape;
}
