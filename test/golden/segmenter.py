"""Golden numbers of the segmenter, its loss and the mask decoder, written in plain torch.

Run: python segmenter.py (torch 2); writes segmenter.json.
"""
import torch
from torch.nn import functional as F

from reference_fill import data, parameter, summary, write

used = {}


def conv(key, x, width, kernel, **options):
    shape = (width, x.shape[1], kernel, kernel)
    w = used.setdefault(f'{key}.weight', parameter(f'{key}.weight', shape))
    b = used.setdefault(f'{key}.bias', parameter(f'{key}.bias', (width,)))
    return F.conv2d(x, w.requires_grad_(True), b.requires_grad_(True), **options)


def norm(key, x, groups):
    w = used.setdefault(f'{key}.weight', parameter(f'{key}.weight', (x.shape[1],)))
    b = used.setdefault(f'{key}.bias', parameter(f'{key}.bias', (x.shape[1],)))
    return F.group_norm(x, groups, w.requires_grad_(True), b.requires_grad_(True))


def level(key, x, width, groups):
    for step in (0, 1):
        x = conv(f'{key}.conv.{step}', x, width, 3, padding=1)
        x = F.silu(norm(f'{key}.norm.{step}', x, groups))
    return x


def unet(x, widths, classes, groups):
    skips, x = [], 2 * x - 1
    for n, width in enumerate(widths):
        x = level(f'down.{n}', x if n == 0 else F.max_pool2d(x, 2), width, groups)
        skips.append(x)
    skips.pop()
    for n in reversed(range(len(widths) - 1)):
        x = torch.cat([F.interpolate(x, scale_factor=2), skips[n]], 1)
        x = level(f'up.{n}', x, widths[n], groups)
    return conv('logits', x, classes, 1)


def loss_of(logits, labels):
    p, g = logits.softmax(1), F.one_hot(labels, logits.shape[1]).permute(0, 3, 1, 2).float()
    dice = (2 * (p * g).sum((0, 2, 3)) + 1) / (p.sum((0, 2, 3)) + g.sum((0, 2, 3)) + 1)
    return F.cross_entropy(logits, labels) + 1 - dice.mean()


x = data('x', 2, 1, 8, 12)
logits = unet(x, (4, 6, 8), 3, 2)
labels = (torch.arange(2 * 8 * 12) * 7 // 5 % 3).reshape(2, 8, 12)
loss = loss_of(logits, labels)
loss.backward()
watched = ['down.0.conv.0.weight', 'down.2.norm.1.weight', 'up.0.conv.0.weight',
           'up.1.norm.0.bias', 'logits.weight']
segmenter = {
    'keys': {key: list(value.shape) for key, value in used.items()}, 'logits': summary(logits),
    'loss': loss.item(), 'gradients': {key: summary(used[key].grad, 12) for key in watched},
}

used = {}
embedding = data('embedding', 2, 5, 3, 3)
x = embedding
for n, width in enumerate((8, 4)):
    x = conv(f'up.{n}.conv', F.interpolate(x, scale_factor=2), width, 3, padding=1)
    x = F.silu(norm(f'up.{n}.norm', x, 2))
x = conv('logits', x, 4, 1)
decoder = {'keys': {key: list(value.shape) for key, value in used.items()}, 'logits': summary(x)}
write(__file__, {'segmenter': segmenter, 'decoder': decoder})
