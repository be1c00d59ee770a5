"""Golden numbers of the autoencoder's loss: LDM's formulas and the two texture terms in torch.

The "decoder" is one convolution, the "discriminator" another, so that the adaptive weight has its
gradient norms. Run: python vae-loss.py (torch 2 and numpy); writes vae-loss.json.
"""
import numpy as np
import torch
from torch.nn import functional as F

from reference_fill import data, parameter, summary, write


def spectrum(x):
    """Radial power by numpy's full FFT: an independent road to the half-plane sums of the code."""
    x = x.detach().double().numpy()
    h, w = x.shape[-2:]
    window = np.outer(0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(h) + 0.5) / h),
                      0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(w) + 0.5) / w))
    power = np.abs(np.fft.fft2(x * window)) ** 2 / (h * w)
    fy, fx = np.abs(np.fft.fftfreq(h))[:, None], np.abs(np.fft.fftfreq(w))[None]
    radius = np.floor(np.hypot(fy, fx) * min(h, w) + 0.5).astype(int)
    means = [power[..., radius == r].mean(-1) for r in range(1, min(h, w) // 2 + 1)]
    return torch.from_numpy(np.stack(means, -1))


def torch_spectrum_loss(x, y):
    h, w = x.shape[-2:]
    axis = lambda n: 0.5 - 0.5 * torch.cos(2 * torch.pi * (torch.arange(n).double() + 0.5) / n)
    window = axis(h)[:, None] * axis(w)[None]
    fy, fx = torch.fft.fftfreq(h).abs()[:, None], torch.fft.fftfreq(w).abs()[None]
    radius = torch.floor(torch.hypot(fy, fx) * min(h, w) + 0.5).long()

    def log(p):
        power = torch.fft.fft2(p.double() * window).abs() ** 2 / (h * w)
        return torch.stack([torch.log(power[..., radius == r].mean(-1) + 1e-4)
                            for r in range(1, min(h, w) // 2 + 1)], -1)
    return (log(x) - log(y)).abs().mean()


target = data('target', 2, 1, 10, 12)
mean, logvar = data('mean', 2, 3, 5, 6), data('logvar', 2, 3, 5, 6)
features = data('features', 2, 4, 10, 12)
weight = parameter('decoder.weight', (1, 4, 3, 3)).requires_grad_(True)
judge = parameter('judge.weight', (1, 1, 4, 4))
for value in (mean, logvar, features):
    value.requires_grad_(True)

reconstruction = F.conv2d(features, weight, padding=1)
fake = F.conv2d(reconstruction, judge, stride=2)
real = F.conv2d(target, judge, stride=2)
pixels = 120
l1 = (reconstruction - target).abs().mean()
dx = (reconstruction - target)[..., 1:] - (reconstruction - target)[..., :-1]
dy = (reconstruction - target)[..., 1:, :] - (reconstruction - target)[..., :-1, :]
gradient = dx.abs().mean() + dy.abs().mean()
spectral = torch_spectrum_loss(reconstruction, target).float()
kl = 0.5 * (mean**2 + logvar.exp() - 1 - logvar).sum((1, 2, 3)).mean() / pixels
adversarial = -fake.mean()
discriminator = 0.5 * (F.relu(1 - real).mean() + F.relu(1 + fake).mean())


def adaptive(fit):
    of = lambda loss: torch.autograd.grad(loss, weight, retain_graph=True)[0].norm()
    return (of(fit) / (of(adversarial) + 1e-4)).clamp(0, 1e4).detach()


def total(fit, kl_weight, adversarial_weight):
    loss = fit + kl_weight * kl + adversarial_weight * adaptive(fit) * adversarial
    watched = {'features': features, 'weight': weight, 'mean': mean, 'logvar': logvar}
    found = torch.autograd.grad(loss, list(watched.values()), retain_graph=True)
    return {'total': loss.item(), 'adaptiveWeight': adaptive(fit).item(),
            'gradients': {key: summary(g) for key, g in zip(watched, found)}}


write(__file__, {
    'reconstruction': l1.item(), 'gradient': gradient.item(), 'spectrum': spectral.item(),
    'kl': kl.item(), 'adversarial': adversarial.item(), 'discriminator': discriminator.item(),
    'power': summary(spectrum(target)), 'oddPower': summary(spectrum(data('odd', 1, 2, 7, 9))),
    'plain': total(l1, 1e-3, 0.7),
    'textured': total(l1 + 0.3 * gradient + 0.2 * spectral, 1e-3, 0.7),
})
