"""Golden numbers of Frechet and kernel distances: pytorch-fid, torch-fidelity, numpy.

Run: python distances.py (numpy, scipy, torch, pytorch-fid 0.3, torch-fidelity 0.4); writes
distances.json. Row i, column j of a set is u[i, j] (1 + j / d) + u[i, j + 1] / 2 + shift j / d.
`exact` has the trace of sqrt(S1 S2) as the sum of the singular values of X1 X2^T, which is right
whatever the ranks; `fid` is pytorch-fid's.
"""
import numpy as np
from pytorch_fid.fid_score import calculate_frechet_distance
from torch_fidelity.metric_kid import mmd2

from reference_fill import uniform, write


def rows(key, n, d, shift=0.0):
    u = uniform(key, (n, d)).numpy().astype(np.float64)
    j = np.arange(d) / d
    return u * (1 + j) + np.roll(u, -1, 1) / 2 + shift * j


def frechet(a, b):
    fid = calculate_frechet_distance(
        a.mean(0), np.cov(a, rowvar=False), b.mean(0), np.cov(b, rowvar=False))
    x, y = ((c - c.mean(0)) / np.sqrt(len(c) - 1) for c in (a, b))
    trace = np.linalg.svd(x @ y.T, compute_uv=False).sum()
    exact = ((a.mean(0) - b.mean(0)) ** 2).sum() + (x**2).sum() + (y**2).sum() - 2 * trace
    ranks = [int(np.linalg.matrix_rank(np.cov(c, rowvar=False), hermitian=True)) for c in (a, b)]
    return {'fid': float(np.real(fid)), 'exact': float(exact), 'ranks': ranks}


def kernel(x, y):
    return (x @ y.T / x.shape[1] + 1) ** 3


def mmd(x, y):
    k, m = kernel(x, x), kernel(y, y)
    within = [(g.sum() - np.trace(g)) / (len(g) * (len(g) - 1)) for g in (k, m)]
    return float(sum(within) - 2 * kernel(x, y).mean())


full = rows('a', 200, 12), rows('b', 150, 12, 0.4)
both = rows('c', 20, 40), rows('d', 15, 40, 0.3)
one = rows('e', 90, 40), rows('f', 25, 40, 0.3)
x, y = rows('x', 30, 16), rows('y', 30, 16, 0.5)
fidelity = float(mmd2(kernel(x, x), kernel(x, y), kernel(y, y)))
write(__file__, {
    'full': frechet(*full), 'both': frechet(*both), 'one': frechet(*one),
    'mean': full[0].mean(0).tolist(), 'covariance': np.cov(full[0], rowvar=False).ravel().tolist(),
    'mmd': {'equal': mmd(x, y), 'fidelity': fidelity, 'unequal': mmd(x, y[:21])},
})
