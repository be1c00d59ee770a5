/** Weights as others publish them. */
import { readSafetensors } from '../tensor/safetensors.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { readCheckpoint } from '../weights/tensors.ts';

/** The tensors of a file of torch.save or safetensors, by their keys; the caller disposes of them. */
export function readPublished(file: string): Map<string, Tensor> {
  const { tensors } = file.endsWith('.safetensors') ? readSafetensors(file) : readCheckpoint(file);
  return tensors;
}
