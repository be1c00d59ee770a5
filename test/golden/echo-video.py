"""Golden numbers of the video network of the echo features, written in plain torch.

Run: python echo-video.py (torch 2); writes echo-video.json.
"""
import torch
from torch.nn import functional as F

from reference_fill import data, parameter, summary, write

used = {}


def weight(key, *shape):
    return used.setdefault(key, parameter(key, shape).requires_grad_(True))


def conv(key, x, width, kernel, **options):
    w = weight(f'{key}.weight', width, x.shape[1], *kernel)
    return F.conv3d(x, w, weight(f'{key}.bias', width), **options)


def norm(key, x, groups):
    c = x.shape[1]
    return F.silu(F.group_norm(x, groups, weight(f'{key}.weight', c), weight(f'{key}.bias', c)))


def linear(key, x, width):
    return F.linear(x, weight(f'{key}.weight', width, x.shape[-1]), weight(f'{key}.bias', width))


clips = data('clips', 2, 1, 5, 20, 24).abs().clamp(0, 1)
size, widths, groups = 16, (4, 6), 2
x = torch.stack([F.adaptive_avg_pool2d(clip, size) for clip in clips.transpose(1, 2)])
x = 2 * x.transpose(1, 2) - 1
for n, width in enumerate(widths):
    at = f'levels.{n}'
    x = conv(f'{at}.spatial', x, width, (1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1))
    x = norm(f'{at}.norm.0', x, groups)
    x = conv(f'{at}.temporal', x, width, (3, 1, 1), padding=(1, 0, 0))
    x = norm(f'{at}.norm.1', x, groups)
course = x.mean((3, 4))
features = torch.cat([course.mean(2), (course.var(2, unbiased=False) + 1e-6).sqrt()], 1)
phase = linear('phase', course.transpose(1, 2), 2).transpose(1, 2)
ejection = linear('ejection', features, 1)[:, 0]
view = linear('view', features, 2)
loss = phase.square().mean() + ejection.square().mean() + F.cross_entropy(view, torch.tensor([0, 1]))
loss.backward()
watched = ['levels.0.spatial.weight', 'levels.1.temporal.weight', 'levels.0.norm.1.bias',
           'ejection.weight', 'phase.bias']
write(__file__, {
    'keys': {key: list(value.shape) for key, value in sorted(used.items())},
    'features': summary(features), 'phase': summary(phase), 'ejection': summary(ejection),
    'view': summary(view), 'loss': loss.item(),
    'gradients': {key: summary(used[key].grad, 12) for key in watched},
})
