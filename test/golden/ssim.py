"""Golden numbers of SSIM and PSNR: scikit-image 0.26 and torchmetrics 1.9, clip by clip.

Run: python ssim.py (numpy, scikit-image, torch, torchmetrics); writes ssim.json. A pixel of clip k is
0.5 + 0.3 sin(0.31 x + 0.17 y + 0.5 t + k) cos(0.23 y - 0.11 x) + 0.15 noise, cut to [0, 1].
"""
import numpy as np
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torchmetrics.functional.image import (
    peak_signal_noise_ratio as torch_psnr, structural_similarity_index_measure as torch_ssim,
)

from reference_fill import uniform, write

FRAMES, HEIGHT, WIDTH = 3, 23, 30


def clip(k):
    t, y, x = np.meshgrid(*map(np.arange, (FRAMES, HEIGHT, WIDTH)), indexing='ij')
    noise = uniform(f'clip {k}', (FRAMES, HEIGHT, WIDTH)).numpy().astype(np.float64)
    wave = np.sin(0.31 * x + 0.17 * y + 0.5 * t + k) * np.cos(0.23 * y - 0.11 * x)
    return np.clip(0.5 + 0.3 * wave + 0.15 * noise, 0, 1).astype(np.float32).astype(np.float64)


def scikit(a, b, **options):
    return float(np.mean([structural_similarity(p, q, **options) for p, q in zip(a, b)]))


def torchmetrics(a, b, data_range):
    p, q = (torch.from_numpy(c)[:, None] for c in (a, b))
    return torch_ssim(p, q, data_range=data_range).item()


def all_of(a, b, full=1.0):
    gaussian = dict(gaussian_weights=True, sigma=1.5)
    return {
        'wang': scikit(a, b, data_range=full, use_sample_covariance=False, **gaussian),
        'scikit-image': scikit(a, b, data_range=full),
        'scikit-image-uniform-population':
            scikit(a, b, data_range=full, use_sample_covariance=False),
        'scikit-image-gaussian': scikit(a, b, data_range=full, gaussian_weights=True),
        'torchmetrics': torchmetrics(a, b, full),
    }


a, b = clip(0), clip(1)
mixed = (0.8 * a + 0.2 * b).astype(np.float32).astype(np.float64)
bytes_a, bytes_m = np.round(255 * a), np.round(255 * mixed)
write(__file__, {
    'far': all_of(a, b), 'near': all_of(a, mixed), 'bytes': all_of(bytes_a, bytes_m, 255.0),
    'measured': torchmetrics(0.25 + 0.5 * a, 0.25 + 0.5 * mixed, None),
    'psnr': {
        'frames': float(np.mean([peak_signal_noise_ratio(p, q, data_range=1) for p, q in zip(a, mixed)])),
        'clip': torch_psnr(torch.from_numpy(a), torch.from_numpy(mixed), data_range=1.0).item(),
        'bytes': torch_psnr(torch.from_numpy(bytes_a), torch.from_numpy(bytes_m), data_range=255.0).item(),
    },
})
