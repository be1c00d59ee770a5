"""Golden numbers of src/nn: torch's own layers and optimizers, diffusers' timestep embedding.

Run: python layers.py (torch 2 and diffusers); writes layers.json.
"""
import math

import torch
from diffusers.models.embeddings import get_timestep_embedding
from torch import nn
from torch.nn import functional as F

from reference_fill import data, fill, gradients, parameter, summary, write

torch.manual_seed(0)
out = {}


def layer(name, module, x, loss_key):
    """Output, and the gradients of sum(output * fixed numbers)."""
    fill(module)
    x = x.clone().requires_grad_(x.is_floating_point())
    y = module(x)
    (y * data(loss_key, *y.shape)).sum().backward()
    out[name] = {
        'keys': list(module.state_dict()),
        'output': summary(y),
        'gradients': gradients(module, dict(module.named_parameters())),
    }
    if x.grad is not None:
        out[name]['inputGradient'] = summary(x.grad)


layer('linear', nn.Linear(6, 5), data('x', 3, 4, 6), 'loss')
layer('linearWithoutBias', nn.Linear(6, 5, bias=False), data('x', 3, 4, 6), 'loss')
conv = nn.Conv2d(3, 4, (3, 2), stride=(2, 1), padding=(1, 0))
layer('conv2d', conv, data('x', 2, 3, 7, 6), 'loss')
layer('conv3d', nn.Conv3d(3, 4, (1, 2, 2), stride=(1, 2, 2)), data('x', 2, 3, 3, 6, 4), 'loss')
layer('groupNorm', nn.GroupNorm(3, 6, eps=1e-6), data('x', 2, 6, 5, 4), 'loss')
layer('layerNorm', nn.LayerNorm(8), data('x', 2, 3, 8), 'loss')
layer('embedding', nn.Embedding(7, 4), torch.tensor([[0, 3], [6, 3]]), 'loss')

norm = fill(nn.BatchNorm3d(4))
norm.train()
layer('batchNormTraining', norm, data('x', 3, 4, 1, 5, 5), 'loss')
out['batchNormTraining']['running'] = {
    'mean': summary(norm.running_mean), 'variance': summary(norm.running_var),
}
norm = fill(nn.BatchNorm3d(4)).eval()
out['batchNormEvaluation'] = summary(norm(data('x', 3, 4, 1, 5, 5)))

steps = torch.tensor([0, 1, 499, 999])
out['timestepEmbedding'] = summary(
    get_timestep_embedding(steps, 16, flip_sin_to_cos=True, downscale_freq_shift=0), 64
)
position = torch.arange(5).double()[:, None]
phase = position * torch.exp(torch.arange(0, 8, 2).double() * (-math.log(10000) / 8))
table = torch.zeros(5, 8, dtype=torch.float64)
table[:, 0::2], table[:, 1::2] = phase.sin(), phase.cos()
out['sinusoidalPositions'] = summary(table, 40)

x = data('x', 2, 3, 8)
values, gates = x.chunk(2, -1)
out['geglu'] = summary(values * F.gelu(gates))
out['quickGelu'] = summary(x * torch.sigmoid(1.702 * x))

q, k, v = data('q', 2, 5, 12), data('k', 2, 7, 12), data('v', 2, 7, 12)


def heads(t):
    return t.unflatten(2, (3, 4)).transpose(1, 2)


mask = torch.triu(torch.full((5, 7), -torch.inf), 1)
for name, m in (('attention', None), ('maskedAttention', mask)):
    y = F.scaled_dot_product_attention(heads(q), heads(k), heads(v), attn_mask=m)
    out[name] = summary(y.transpose(1, 2).flatten(2))

variants = {
    'adam': lambda p: torch.optim.Adam(p, lr=1, betas=(0.8, 0.95), eps=1e-6),
    'adamWithL2': lambda p: torch.optim.Adam(p, lr=1, weight_decay=0.1),
    'adamW': lambda p: torch.optim.AdamW(p, lr=1, weight_decay=0.1),
}
for name, make in variants.items():
    a = nn.Parameter(parameter('a.weight', (3, 4)))
    b = nn.Parameter(parameter('b.bias', (5,)))
    optimizer = make([a, b])
    norms = []
    for step in range(4):
        optimizer.param_groups[0]['lr'] = 0.1 / (1 + step)
        optimizer.zero_grad()
        first = (a * data(f'a{step}', 3, 4)).sin().sum()
        (first + (b * data(f'b{step}', 5)).square().sum()).backward()
        norms.append(nn.utils.clip_grad_norm_([a, b], 2.0).item())
        optimizer.step()
    out[name] = {'a': summary(a), 'b': summary(b), 'norms': norms}

w = nn.Parameter(torch.zeros(3))
shadow, shadows = w.detach().clone(), []
for n in range(5):
    w.data += data(f'w{n}', 3)
    d = min(0.35, (1 + n) / (10 + n))
    shadow = d * shadow + (1 - d) * w.detach()
    shadows.append(shadow.tolist())
out['ema'] = shadows

write(__file__, out)
