"""Numbers that a Python program and a test make alike, so that goldens need not hold weights.

The i-th number of key k is a hash of (k, i), uniform in [-1, 1), exact in both languages.
The other side is test/support/reference-fill.ts.
"""
import json
import os

import numpy as np
import torch


def uniform(key, shape):
    h = 2166136261
    for byte in key.encode():
        h = ((h ^ byte) * 16777619) & 0xFFFFFFFF
    count = int(np.prod(shape, dtype=np.int64))
    with np.errstate(over='ignore'):
        x = np.uint32(h) + np.arange(count, dtype=np.uint32) * np.uint32(0x9E3779B9)
        x ^= x >> np.uint32(16)
        x *= np.uint32(0x85EBCA6B)
        x ^= x >> np.uint32(13)
        x *= np.uint32(0xC2B2AE35)
        x ^= x >> np.uint32(16)
    values = x.astype(np.float64) / 2**31 - 1
    return torch.from_numpy(values.astype(np.float32).reshape(shape))


def data(key, *shape):
    """An input of unit variance."""
    return uniform(key, shape) * float(np.float32(3**0.5))


def parameter(key, shape):
    """Weights of variance 1/fan-in, norms near 1, biases near 0."""
    shape = tuple(shape)
    values = uniform(key, shape)
    if len(shape) >= 2:
        return values * float(np.float32((3 / np.prod(shape[1:])) ** 0.5))
    if key.endswith('weight') or key.endswith('running_var'):
        return 1 + values * 0.25
    return values * 0.125


def fill(module):
    state = {
        key: parameter(key, value.shape) if value.is_floating_point() else value
        for key, value in module.state_dict().items()
    }
    module.load_state_dict(state)
    return module


def summary(x, samples=24):
    """Shape, sum, sum of magnitudes, and evenly spread values of a tensor."""
    flat = x.detach().double().flatten()
    at = [int(i * (len(flat) - 1) / max(1, samples - 1)) for i in range(min(samples, len(flat)))]
    return {
        'shape': list(x.shape),
        'sum': flat.sum().item(),
        'magnitude': flat.abs().sum().item(),
        'at': at,
        'values': [float(f'{v:.7g}') for v in flat[at].tolist()],
    }


def gradients(module, keys):
    named = dict(module.named_parameters())
    return {key: summary(named[key].grad, 12) for key in keys}


def write(program, content):
    with open(os.path.splitext(program)[0] + '.json', 'w') as file:
        json.dump(content, file, indent=None, separators=(',', ':'))
        file.write('\n')
