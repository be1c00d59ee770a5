/** What most files need: the Tensor class and the ways to make one. */
export { Tensor } from './tensor-class.ts';
export type { Device } from './tensor-class.ts';
export type { DType } from './dtype.ts';
export {
  arange,
  empty,
  eye,
  full,
  linspace,
  ones,
  onesLike,
  rand,
  randint,
  randn,
  randperm,
  tensor,
  zeros,
  zerosLike,
} from './creation.ts';
export type { Data, Options, RandomOptions } from './creation.ts';
