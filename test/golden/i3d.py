"""Golden numbers of I3D, written in PyTorch after Carreira and Zisserman 2017 (figure 3).

Run: python i3d.py (torch); writes i3d.json. Keys are those of i3d_pretrained_400.pt; `same` padding
is TensorFlow's rule, axis by axis. Weights of convolutions are sqrt 2 times reference_fill's. The
trunk sees a small clip of odd sizes, the head features of one frame more than the least, and
`whole` is the least clip that the network takes.
"""
import torch
from torch import nn
from torch.nn import functional as F

from reference_fill import data, fill, summary, write


def same(x, kernel, stride):
    sizes = []
    for size, k, s in zip(x.shape[2:], kernel, stride):
        total = max(0, (-(-size // s) - 1) * s + k - size)
        sizes = [total // 2, total - total // 2] + sizes
    return F.pad(x, sizes)


def pool(x, kernel, stride):
    return F.max_pool3d(same(x, kernel, stride), kernel, stride)


class Unit(nn.Module):
    def __init__(self, i, o, k, s=1):
        super().__init__()
        self.k, self.s = (k,) * 3, (s,) * 3
        self.conv3d = nn.Conv3d(i, o, k, s, bias=False)
        self.bn = nn.BatchNorm3d(o, eps=1e-3)

    def forward(self, x):
        return F.relu(self.bn(self.conv3d(same(x, self.k, self.s))))


class Mixed(nn.Module):
    def __init__(self, i, w):
        super().__init__()
        self.b0, self.b3b = Unit(i, w[0], 1), Unit(i, w[5], 1)
        self.b1a, self.b1b = Unit(i, w[1], 1), Unit(w[1], w[2], 3)
        self.b2a, self.b2b = Unit(i, w[3], 1), Unit(w[3], w[4], 3)

    def forward(self, x):
        pooled = pool(x, (3, 3, 3), (1, 1, 1))
        return torch.cat(
            [self.b0(x), self.b1b(self.b1a(x)), self.b2b(self.b2a(x)), self.b3b(pooled)], 1)


class I3D(nn.Module):
    def __init__(self):
        super().__init__()
        self.Conv3d_1a_7x7 = Unit(3, 64, 7, 2)
        self.Conv3d_2b_1x1, self.Conv3d_2c_3x3 = Unit(64, 64, 1), Unit(64, 192, 3)
        self.Mixed_3b = Mixed(192, (64, 96, 128, 16, 32, 32))
        self.Mixed_3c = Mixed(256, (128, 128, 192, 32, 96, 64))
        self.Mixed_4b = Mixed(480, (192, 96, 208, 16, 48, 64))
        self.Mixed_4c = Mixed(512, (160, 112, 224, 24, 64, 64))
        self.Mixed_4d = Mixed(512, (128, 128, 256, 24, 64, 64))
        self.Mixed_4e = Mixed(512, (112, 144, 288, 32, 64, 64))
        self.Mixed_4f = Mixed(528, (256, 160, 320, 32, 128, 128))
        self.Mixed_5b = Mixed(832, (256, 160, 320, 32, 128, 128))
        self.Mixed_5c = Mixed(832, (384, 192, 384, 48, 128, 128))
        self.logits = nn.ModuleDict({'conv3d': nn.Conv3d(1024, 400, 1)})

    def trunk(self, x):
        x = pool(self.Conv3d_1a_7x7(x), (1, 3, 3), (1, 2, 2))
        x = pool(self.Conv3d_2c_3x3(self.Conv3d_2b_1x1(x)), (1, 3, 3), (1, 2, 2))
        x = pool(self.Mixed_3c(self.Mixed_3b(x)), (3, 3, 3), (2, 2, 2))
        for name in 'bcdef':
            x = getattr(self, f'Mixed_4{name}')(x)
        return self.Mixed_5c(self.Mixed_5b(pool(x, (2, 2, 2), (2, 2, 2))))

    def head(self, x):
        x = self.logits['conv3d'](F.avg_pool3d(x, (2, 7, 7), 1))
        return x.squeeze(4).squeeze(3).mean(2)


network = fill(I3D()).eval()
with torch.no_grad():
    for key, value in network.named_parameters():
        if key.endswith('conv3d.weight') and not key.startswith('logits'):
            value *= 2**0.5
    clip = data('clip', 1, 3, 11, 70, 37) / 3**0.5
    head = network.head(data('features', 2, 1024, 3, 7, 7))
    whole = network.head(network.trunk(data('whole', 1, 3, 9, 193, 193) / 3**0.5))
    small = (data('small', 1, 1, 2, 30, 41) / 3**0.5 + 1) / 2
    frames = F.interpolate(small[0].transpose(0, 1), size=(224, 224), mode='bilinear',
                           align_corners=False)
    prepared = 2 * frames.transpose(0, 1)[None].expand(1, 3, 2, 224, 224) - 1
    write(__file__, {
        'keys': {k: list(v.shape) for k, v in network.state_dict().items() if 'num_b' not in k},
        'trunk': summary(network.trunk(clip)), 'head': summary(head), 'whole': summary(whole),
        'input': summary(prepared),
    })
