"""Prints test/golden/tensor.json: results of operators in PyTorch, for test/tensor/operators.test.ts.

The i-th number of input k is sin(0.7 i + k), as float32. Run: python3 test/golden/tensor.py
"""
import json
import math
import os

import torch
import torch.nn.functional as F


def x(k, *shape):
    count = math.prod(shape)
    return torch.tensor([math.sin(0.7 * i + k) for i in range(count)], dtype=torch.float32).reshape(shape)


def ints(limit, *shape):
    return torch.tensor([(7 * i + 3) % limit for i in range(math.prod(shape))], dtype=torch.int64).reshape(shape)


a, b = x(1, 3, 1, 4), x(2, 2, 4)
picture, weight, bias = x(3, 2, 4, 6, 5), x(4, 6, 4, 3, 3), x(5, 6)
volume, weight3 = x(6, 1, 2, 3, 5, 4), x(7, 3, 2, 2, 3, 3)
positive = x(8, 3, 4).abs() + 0.5
q, k, v = x(9, 2, 2, 5, 4), x(10, 2, 2, 7, 4), x(11, 2, 2, 7, 3)


def attention(mask=None, causal=False, scale=None):
    scores = q @ k.transpose(-1, -2) * (scale or 1 / math.sqrt(4))
    if mask is not None:
        scores = scores + mask
    if causal:
        scores = scores.masked_fill(torch.ones(5, 7).triu(1).bool(), -math.inf)
    return scores.softmax(-1) @ v


results = {
    'add': a + b, 'addAlpha': torch.add(a, b, alpha=0.5), 'sub': a - b, 'mul': a * b, 'div': a / (b + 3),
    'rsubNumber': 2 - a, 'pow': positive ** 1.5, 'powTensor': positive ** x(1, 4), 'remainder': torch.remainder(a, 0.3),
    'exp': a.exp(), 'log': positive.log(), 'log1p': positive.log1p(), 'sqrt': positive.sqrt(), 'rsqrt': positive.rsqrt(),
    'sin': a.sin(), 'cos': a.cos(), 'tanh': a.tanh(), 'sigmoid': a.sigmoid(), 'relu': a.relu(), 'silu': F.silu(a),
    'gelu': F.gelu(a), 'geluTanh': F.gelu(a, approximate='tanh'), 'softplus': F.softplus(a), 'erf': a.erf(),
    'leakyRelu': F.leaky_relu(a, 0.2), 'clamp': a.clamp(-0.3, 0.4), 'clampMin': a.clamp(min=0.1),
    'softmax': b.softmax(-1), 'logSoftmax': b.log_softmax(0), 'logSumExp': b.logsumexp(1), 'lerp': torch.lerp(b, b * 2, 0.3),
    'sum': b.sum(), 'sumDim': b.sum(1, keepdim=True), 'mean': picture.mean([2, 3]), 'var': b.var(1), 'std0': b.std(0, unbiased=False),
    'amax': picture.amax([1, 2]), 'argmax': b.argmax(1), 'cumsum': b.cumsum(1), 'norm': b.norm(2, 1), 'norm1': b.norm(1),
    'matmul': x(1, 2, 3, 4) @ x(2, 4, 5), 'einsum': torch.einsum('bij,bkj->bik', x(1, 2, 3, 4), x(2, 2, 5, 4)),
    'baddbmm': torch.baddbmm(x(1, 2, 3, 5), x(2, 2, 3, 4), x(3, 2, 4, 5), beta=0.5, alpha=2),
    'linear': F.linear(x(1, 2, 3, 4), x(2, 5, 4), x(3, 5)), 'embedding': F.embedding(ints(7, 2, 3), x(1, 7, 4)),
    'conv1d': F.conv1d(x(1, 2, 3, 8), x(2, 4, 3, 3), None, padding=1),
    'conv2d': F.conv2d(picture, weight, bias, stride=(2, 1), padding=1),
    'conv2dGroups': F.conv2d(picture, x(4, 6, 2, 3, 3), bias, padding=2, dilation=2, groups=2),
    'convTranspose2d': F.conv_transpose2d(picture, x(4, 4, 3, 2, 2), None, stride=2),
    'conv3d': F.conv3d(volume, weight3, x(5, 3), padding=(0, 1, 1)),
    'groupNorm': F.group_norm(picture, 2, x(1, 4), x(2, 4), 1e-6), 'layerNorm': F.layer_norm(picture, [5], x(1, 5), x(2, 5)),
    'batchNorm': F.batch_norm(picture, x(1, 4), positive[0], x(3, 4), x(4, 4), False, 0.1, 1e-5),
    'batchNormTraining': F.batch_norm(picture, None, None, x(3, 4), x(4, 4), True, 0.1, 1e-5),
    'padConstant': F.pad(picture, [1, 2, 0, 1], value=0.5), 'padReflect': F.pad(picture, [2, 1, 1, 0], mode='reflect'),
    'padReplicate': F.pad(picture, [1, 1, 2, 2], mode='replicate'),
    'avgPool2d': F.avg_pool2d(picture, 2), 'avgPoolPadded': F.avg_pool2d(picture, 3, 1, 1, count_include_pad=False),
    'maxPool2d': F.max_pool2d(picture, 3, 2, 1), 'adaptiveAvgPool2d': F.adaptive_avg_pool2d(picture, (3, 2)),
    'nearest': F.interpolate(picture, (9, 10), mode='nearest'), 'bilinear': F.interpolate(picture, (9, 3), mode='bilinear'),
    'bilinearCorners': F.interpolate(picture, (9, 3), mode='bilinear', align_corners=True),
    'bicubic': F.interpolate(picture, (8, 8), mode='bicubic'),
    'gridSample': F.grid_sample(picture, x(1, 2, 3, 3, 2), mode='bilinear', padding_mode='border', align_corners=False),
    'mse': F.mse_loss(b, b * b), 'l1': F.l1_loss(b, b * b), 'huber': F.smooth_l1_loss(b, b * 3, beta=0.5),
    'crossEntropy': F.cross_entropy(x(1, 2, 4, 3), ints(4, 2, 3), label_smoothing=0.1),
    'binaryCrossEntropy': F.binary_cross_entropy_with_logits(b, b.abs()),
    'where': torch.where(b > 0, b, b * 10), 'tril': b.tril(-1), 'triu': b.triu(1), 'oneHot': F.one_hot(ints(4, 5), 4),
    'cat': torch.cat([b, b * 2], 1), 'stack': torch.stack([b, b * 2], 1), 'split': torch.split(b, [1, 3], 1)[1],
    'flip': picture.flip([2]), 'roll': b.roll([1], [1]), 'gather': b.gather(1, ints(4, 2, 3)),
    'indexSelect': b.index_select(1, ints(4, 3)), 'permute': picture.permute(0, 2, 3, 1).reshape(2, -1),
    'repeatInterleave': b.repeat_interleave(2, 1), 'arange': torch.arange(2, 9, 3), 'linspace': torch.linspace(-1, 1, 6),
    'rfft2': torch.fft.rfft2(picture).abs(), 'fft2': torch.fft.fft2(picture, norm='ortho').real,
    'svd': torch.linalg.svd(x(1, 4, 3))[1], 'eigh': torch.linalg.eigh(x(1, 4, 3).T @ x(1, 4, 3))[0],
    'attention': attention(), 'attentionMask': attention(x(12, 5, 7)), 'attentionCausal': attention(causal=True),
    'attentionScale': attention(scale=0.3), 'bfloat16': x(1, 8).bfloat16().float(), 'float16': x(1, 8).half().float(),
    'toInt': (x(1, 8) * 10).to(torch.int64), 'cumulativeProduct': positive.cumprod(0), 'topk': b.topk(2, 1)[0],
}
golden = {}
for name, result in results.items():
    digits = [round(float(value), 5) for value in result.flatten()]
    golden[name] = {'shape': list(result.shape), 'values': digits}
with open(os.path.join(os.path.dirname(__file__), 'tensor.json'), 'w') as file:
    rows = ('"%s":%s' % (name, json.dumps(entry, separators=(',', ':'))) for name, entry in golden.items())
    file.write('{\n' + ',\n'.join(rows) + '\n}\n')
