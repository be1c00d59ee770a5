"""Golden numbers of PiDiNet, written in PyTorch after Su et al. 2021 (Pixel Difference Networks).

Run: python pidinet.py [pidinet.pth] (torch); writes pidinet.json. A pixel-difference convolution is
computed as the paper defines it, from differences of shifted pictures; `kernels` are the plain
kernels that do the same. Logits are those of the four sides and of the fused map. With the
published file also its edges of a picture.
"""
import sys

import torch
from torch import nn
from torch.nn import functional as F

from reference_fill import data, fill, summary, write

# The ring of a 3x3 window, clockwise from its upper left corner, as (row, column) from its centre.
RING = [(-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1)]
KINDS = ['central', 'angular', 'radial', 'plain']


def tap(x, row, column):
    """The pixel so far from each one, zero beyond the border."""
    height, width = x.shape[2:]
    return F.pad(x, (2, 2, 2, 2))[:, :, 2 + row:2 + row + height, 2 + column:2 + column + width]


def depthwise(kind, x, weight):
    """sum over the taps of weight times the difference that the kind asks for"""
    total = 0
    at = lambda row, column: weight[:, 0, row + 1, column + 1][None, :, None, None]
    if kind == 'radial':
        # The authors' order: row by row, with the first of the nine weights unused.
        for k, (row, column) in enumerate(sorted(RING), 1):
            difference = tap(x, 2 * row, 2 * column) - tap(x, row, column)
            total = total + at(k // 3 - 1, k % 3 - 1) * difference
        return total
    for k, (row, column) in enumerate(RING):
        here = tap(x, row, column)
        if kind == 'central':
            here = here - x
        elif kind == 'angular':
            here = here - tap(x, *RING[(k + 1) % 8])
        total = total + at(row, column) * here
    return total + at(0, 0) * x if kind == 'plain' else total


class Weight(nn.Module):
    def __init__(self, *shape):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(shape))


class Block(nn.Module):
    def __init__(self, kind, i, o, stride):
        super().__init__()
        self.kind, self.stride = kind, stride
        if stride == 2:
            self.shortcut = nn.Conv2d(i, o, 1)
        self.conv1, self.conv2 = Weight(i, 1, 3, 3), nn.Conv2d(i, o, 1, bias=False)

    def forward(self, x):
        if self.stride == 2:
            x = F.max_pool2d(x, 2, 2)
        y = self.conv2(F.relu(depthwise(self.kind, x, self.conv1.weight)))
        return y + (self.shortcut(x) if self.stride == 2 else x)


class CDCM(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.conv1 = nn.Conv2d(i, o, 1)
        for k, d in enumerate((5, 7, 9, 11), 1):
            setattr(self, f'conv2_{k}', nn.Conv2d(o, o, 3, padding=d, dilation=d, bias=False))

    def forward(self, x):
        x = self.conv1(F.relu(x))
        return self.conv2_1(x) + self.conv2_2(x) + self.conv2_3(x) + self.conv2_4(x)


class CSAM(nn.Module):
    def __init__(self, i):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(i, 4, 1), nn.Conv2d(4, 1, 3, padding=1, bias=False)

    def forward(self, x):
        return x * torch.sigmoid(self.conv2(self.conv1(F.relu(x))))


class PiDiNet(nn.Module):
    def __init__(self, width, dilation, attention):
        super().__init__()
        self.init_block = Weight(width, 3, 3, 3)
        widths, i, layer = [width, 2 * width, 4 * width, 4 * width], width, 1
        for s, o in enumerate(widths, 1):
            for k in range(1, 4 if s == 1 else 5):
                stride = 2 if s > 1 and k == 1 else 1
                setattr(self, f'block{s}_{k}', Block(KINDS[layer % 4], i, o, stride))
                i, layer = o, layer + 1
        if dilation:
            self.dilations = nn.ModuleList(CDCM(w, dilation) for w in widths)
        fused = [dilation or w for w in widths]
        if attention:
            self.attentions = nn.ModuleList(CSAM(w) for w in fused)
        self.conv_reduces = nn.ModuleList(nn.ModuleDict({'conv': nn.Conv2d(w, 1, 1)}) for w in fused)
        self.classifier = nn.Conv2d(4, 1, 1)

    def forward(self, x):
        size = x.shape[2:]
        # The central differences of the first layer, over 3 channels, as one convolution more.
        w = self.init_block.weight
        x = F.conv2d(x, w, padding=1) - F.conv2d(x, w.sum((2, 3), keepdim=True))
        sides = []
        for s in range(4):
            for k in range(1, 4 if s == 0 else 5):
                x = getattr(self, f'block{s + 1}_{k}')(x)
            y = self.dilations[s](x) if hasattr(self, 'dilations') else x
            y = self.attentions[s](y) if hasattr(self, 'attentions') else y
            y = self.conv_reduces[s]['conv'](y)
            sides.append(F.interpolate(y, size, mode='bilinear', align_corners=False))
        return torch.cat([*sides, self.classifier(torch.cat(sides, 1))], 1)


def kernels(kind, weight):
    """The plain kernel (1 channel) whose convolution is `depthwise`: its answer to single pixels."""
    points = torch.zeros(25, 1, 9, 9)
    for k in range(25):
        points[k, 0, 4 - 2 + k // 5, 4 - 2 + k % 5] = 1
    return depthwise(kind, points, weight)[:, 0, 4, 4].reshape(5, 5).tolist()


VARIANTS = {'tiny': (20, 8, True), 'tiny-l': (20, None, False), 'small': (30, 12, False),
            'small-sa': (30, None, True)}
with torch.no_grad():
    x = data('picture', 1, 3, 45, 61)
    content = {'kernels': {
        kind: kernels(kind, data('kernel', 1, 1, 3, 3)) for kind in KINDS
    }, 'variants': {}}
    for name, variant in VARIANTS.items():
        network = fill(PiDiNet(*variant)).eval()
        content['variants'][name] = {
            'width': variant[0], 'dilation': variant[1], 'attention': variant[2],
            'keys': {key: list(w.shape) for key, w in network.state_dict().items()},
            'logits': summary(network(x), 40),
        }
    if len(sys.argv) > 1:
        network = PiDiNet(60, 24, True).eval()
        published = torch.load(sys.argv[1], map_location='cpu', weights_only=True)['state_dict']
        network.load_state_dict({key.removeprefix('module.'): w for key, w in published.items()})
        grey = (data('grey', 1, 1, 12, 15) / 3**0.5 + 1) / 2
        grey = F.interpolate(grey, scale_factor=8, mode='bilinear', align_corners=False)
        mean, std = [torch.tensor(v).reshape(1, 3, 1, 1) for v in
                     ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))]
        content['published'] = summary(torch.sigmoid(network((grey - mean) / std)[:, 4:]), 40)
    write(__file__, content)
