"""The U-Net of src/models/unet.ts as a PyTorch user writes it: same keys, sizes and arithmetic.

Fused attention where this torch has it, torch's own group norm, and whichever memory format is
the faster one here; everything else is the plain nn.Module.
"""
import math

import torch
from torch import nn
from torch.nn import functional as F

OLD = torch.__version__.startswith('1.')


class InFloat32:
    """torch 1's norms have slow bfloat16 kernels and none for float32 weights: there, casts."""

    def forward(self, x):
        if not OLD or x.dtype == torch.float32:
            return super().forward(x)
        weight, bias = self.weight.float(), self.bias.float()
        if isinstance(self, nn.GroupNorm):
            return F.group_norm(x.float(), self.num_groups, weight, bias, self.eps).to(x.dtype)
        return F.layer_norm(x.float(), self.normalized_shape, weight, bias, self.eps).to(x.dtype)


class GroupNorm(InFloat32, nn.GroupNorm):
    pass


class LayerNorm(InFloat32, nn.LayerNorm):
    pass


def attend(q, k, v, heads):
    """(b, n, c), (b, m, c), (b, m, c) -> (b, n, c)"""
    q, k, v = (x.unflatten(2, (heads, -1)).transpose(1, 2) for x in (q, k, v))
    if hasattr(F, 'scaled_dot_product_attention'):
        return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
    scores = (q / math.sqrt(q.shape[-1])) @ k.transpose(-1, -2)
    return (scores.softmax(-1) @ v).transpose(1, 2).flatten(2)


class Attention(nn.Module):
    def __init__(self, channels, context, heads):
        super().__init__()
        self.heads = heads
        self.to_q = nn.Linear(channels, channels, bias=False)
        self.to_k = nn.Linear(context, channels, bias=False)
        self.to_v = nn.Linear(context, channels, bias=False)
        self.to_out = nn.ModuleList([nn.Linear(channels, channels)])

    def forward(self, x):
        return self.to_out[0](attend(self.to_q(x), self.to_k(x), self.to_v(x), self.heads))


class CrossAttention(Attention):
    """An image branch with a query of its own; the frames of a clip share its context."""

    def __init__(self, channels, context, heads):
        super().__init__(channels, context, heads)
        self.to_q_image = nn.Linear(channels, channels, bias=False)
        self.to_k_image = nn.Linear(context, channels, bias=False)
        self.to_v_image = nn.Linear(context, channels, bias=False)

    def forward(self, x, text, image):
        shape = x.shape
        x = x.reshape(text.shape[0], -1, shape[2])
        h = attend(self.to_q(x), self.to_k(text), self.to_v(text), self.heads)
        if image is not None:
            k, v = self.to_k_image(image), self.to_v_image(image)
            h = h + attend(self.to_q_image(x), k, v, self.heads)
        return self.to_out[0](h).reshape(shape)


class Gated(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.proj = nn.Linear(channels, channels * 8)

    def forward(self, x):
        values, gates = self.proj(x).chunk(2, -1)
        return values * F.gelu(gates)


class FeedForward(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.net = nn.ModuleList(
            [Gated(channels), nn.Identity(), nn.Linear(channels * 4, channels)]
        )

    def forward(self, x):
        return self.net[2](self.net[0](x))


class TransformerBlock(nn.Module):
    def __init__(self, channels, context, heads):
        super().__init__()
        self.norm1 = LayerNorm(channels)
        self.attn1 = Attention(channels, channels, heads)
        self.norm2 = LayerNorm(channels)
        self.attn2 = CrossAttention(channels, context, heads)
        self.norm3 = LayerNorm(channels)
        self.ff = FeedForward(channels)

    def forward(self, x, text, image):
        x = x + self.attn1(self.norm1(x))
        x = x + self.attn2(self.norm2(x), text, image)
        return x + self.ff(self.norm3(x))


class SpatialTransformer(nn.Module):
    def __init__(self, channels, config):
        super().__init__()
        self.norm = GroupNorm(config['norm_num_groups'], channels, 1e-6)
        self.proj_in = nn.Conv2d(channels, channels, 1)
        context, heads = config['cross_attention_dim'], config['attention_head_dim']
        self.transformer_blocks = nn.ModuleList([TransformerBlock(channels, context, heads)])
        self.proj_out = nn.Conv2d(channels, channels, 1)

    def forward(self, x, text, image):
        n, c, h, w = x.shape
        tokens = self.proj_in(self.norm(x)).permute(0, 2, 3, 1).reshape(n, h * w, c)
        tokens = self.transformer_blocks[0](tokens, text, image)
        return x + self.proj_out(tokens.reshape(n, h, w, c).permute(0, 3, 1, 2))


class TemporalAttention(Attention):
    def __init__(self, channels, heads):
        super().__init__(channels, channels, heads)
        self.norm = LayerNorm(channels)

    def forward(self, x, frames):
        n, c, h, w = x.shape
        tokens = x.reshape(n // frames, frames, c, h, w).permute(0, 3, 4, 1, 2)
        tokens = tokens.reshape(-1, frames, c)
        position = torch.arange(frames)[:, None]
        phase = position * torch.exp(torch.arange(0, c, 2) * (-math.log(10000) / c))
        table = torch.stack([phase.sin(), phase.cos()], -1).flatten(1)
        mixed = super().forward(self.norm(tokens) + table.to(x.dtype))
        mixed = mixed.reshape(n // frames, h, w, frames, c).permute(0, 3, 4, 1, 2)
        return x + mixed.reshape(n, c, h, w)


class ResnetBlock(nn.Module):
    def __init__(self, inside, out, config):
        super().__init__()
        groups, eps = config['norm_num_groups'], config['norm_eps']
        self.norm1 = GroupNorm(groups, inside, eps)
        self.conv1 = nn.Conv2d(inside, out, 3, padding=1)
        self.time_emb_proj = nn.Linear(config['block_out_channels'][0] * 4, out)
        self.norm2 = GroupNorm(groups, out, eps)
        self.conv2 = nn.Conv2d(out, out, 3, padding=1)
        if inside != out:
            self.conv_shortcut = nn.Conv2d(inside, out, 1)

    def forward(self, x, time):
        h = self.conv1(F.silu(self.norm1(x)))
        rows = self.time_emb_proj(time).repeat_interleave(h.shape[0] // time.shape[0], 0)
        h = self.conv2(F.silu(self.norm2(h + rows[:, :, None, None])))
        return (self.conv_shortcut(x) if hasattr(self, 'conv_shortcut') else x) + h


class Sampling(nn.Module):
    def __init__(self, channels, stride):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride, 1)

    def forward(self, x):
        if self.conv.stride[0] == 1:
            x = F.interpolate(x, scale_factor=2.0, mode='nearest')
        return self.conv(x)


class Block(nn.Module):
    """Layers of [residual block, spatial transformer, temporal attention], then a resampling."""

    def __init__(self, widths, out, config, transformers, temporals, resample=None):
        super().__init__()
        self.resnets = nn.ModuleList(ResnetBlock(inside, out, config) for inside in widths)
        self.attentions = nn.ModuleList(
            SpatialTransformer(out, config) for _ in range(transformers)
        )
        heads = config['attention_head_dim']
        self.temporal_attentions = nn.ModuleList(
            TemporalAttention(out, heads) for _ in range(temporals)
        )
        if resample == 'down':
            self.downsamplers = nn.ModuleList([Sampling(out, 2)])
        if resample == 'up':
            self.upsamplers = nn.ModuleList([Sampling(out, 1)])

    def layer(self, index, x, time, text, image, frames):
        x = self.resnets[index](x, time)
        if index < len(self.attentions):
            x = self.attentions[index](x, text, image)
        if index < len(self.temporal_attentions):
            x = self.temporal_attentions[index](x, frames)
        return x


class UNet(nn.Module):
    """`config` is the preset's U-Net, in diffusers' names."""

    def __init__(self, config):
        super().__init__()
        widths, layers = config['block_out_channels'], config['layers_per_block']
        first, last = widths[0], len(widths) - 1
        self.width = first
        inside = config['in_channels'] + config['localChannels']
        self.conv_in = nn.Conv2d(inside, first, 3, padding=1)
        self.time_embedding = nn.ModuleDict({
            'linear_1': nn.Linear(first, first * 4), 'linear_2': nn.Linear(first * 4, first * 4),
        })
        everywhere = config['temporalWithoutSpatial']
        self.down_blocks = nn.ModuleList()
        skips, below = [first], first
        for level, width in enumerate(widths):
            inputs = [below] + [width] * (layers - 1)
            resample = 'down' if level < last else None
            attends = layers * config['down_block_types'][level].startswith('CrossAttn')
            meets = layers if everywhere else attends
            self.down_blocks.append(Block(inputs, width, config, attends, meets, resample))
            skips += [width] * (layers + (level < last))
            below = width
        self.mid_block = Block([below, below], below, config, 1, 1)
        self.up_blocks = nn.ModuleList()
        for level in range(last, -1, -1):
            inputs = []
            for _ in range(layers + 1):
                inputs.append((inputs and widths[level] or below) + skips.pop())
            resample = 'up' if level > 0 else None
            kind = config['up_block_types'][last - level]
            attends = (layers + 1) * kind.startswith('CrossAttn')
            meets = layers + 1 if everywhere else attends
            self.up_blocks.append(Block(inputs, widths[level], config, attends, meets, resample))
            below = widths[level]
        self.conv_norm_out = GroupNorm(config['norm_num_groups'], first, config['norm_eps'])
        self.conv_out = nn.Conv2d(first, config['out_channels'], 3, padding=1)

    def forward(self, z, t, text, image, local):
        frames = z.shape[0] // t.shape[0]
        half = self.width // 2
        phase = t[:, None] * torch.exp(torch.arange(half) * (-math.log(10000) / half))
        time = torch.cat([phase.cos(), phase.sin()], 1).to(z.dtype)
        linear = self.time_embedding
        time = F.silu(linear['linear_2'](F.silu(linear['linear_1'](time))))
        around = (time, text, image, frames)

        h = self.conv_in(torch.cat([z, local], 1))
        skips = [h]
        for block in self.down_blocks:
            for index in range(len(block.resnets)):
                h = block.layer(index, h, *around)
                skips.append(h)
            if hasattr(block, 'downsamplers'):
                h = block.downsamplers[0](h)
                skips.append(h)
        h = self.mid_block.layer(1, self.mid_block.layer(0, h, *around), *around)
        for block in self.up_blocks:
            for index in range(len(block.resnets)):
                h = block.layer(index, torch.cat([h, skips.pop()], 1), *around)
            if hasattr(block, 'upsamplers'):
                h = block.upsamplers[0](h)
        return self.conv_out(F.silu(self.conv_norm_out(h)))
