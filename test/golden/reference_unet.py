"""The U-Net of HeartBeat and of its baselines, of diffusers' layers and plain torch (PAPER sections 1 and 3).

An image branch with a query of its own (or the text's) in every cross-attention; temporal attention after every
transformer, or after every residual block of the ways down and up where there is none; temporal convolution
(diffusers' TemporalConvLayer) after every residual block. Used by unet.py and baselines.py.
"""
import math

import torch
from diffusers import UNet2DConditionModel
from diffusers.models.resnet import TemporalConvLayer
from torch import nn
from torch.nn import functional as F

from reference_fill import data, fill, gradients, summary

SMALL = dict(
    sample_size=8, in_channels=4, out_channels=4, block_out_channels=(8, 16), layers_per_block=1,
    down_block_types=('CrossAttnDownBlock2D', 'DownBlock2D'),
    up_block_types=('UpBlock2D', 'CrossAttnUpBlock2D'),
    attention_head_dim=2, cross_attention_dim=6, norm_num_groups=4,
)
WATCHED = [
    'conv_in.weight', 'conv_in.bias', 'time_embedding.linear_1.weight',
    'down_blocks.0.resnets.0.conv1.weight', 'down_blocks.0.resnets.0.time_emb_proj.weight',
    'down_blocks.0.attentions.0.norm.weight', 'down_blocks.0.attentions.0.proj_in.weight',
    'down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q.weight',
    'down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight',
    'down_blocks.0.attentions.0.transformer_blocks.0.ff.net.0.proj.weight',
    'down_blocks.0.downsamplers.0.conv.weight', 'mid_block.attentions.0.proj_out.bias',
    'up_blocks.0.resnets.1.conv_shortcut.weight', 'up_blocks.0.upsamplers.0.conv.weight',
    'up_blocks.1.attentions.1.transformer_blocks.0.attn2.to_out.0.weight', 'conv_out.weight',
]



class TwoBranches:
    """A diffusers attention processor: the context is the text's tokens, then the image's."""

    def __init__(self, text_tokens):
        self.text_tokens = text_tokens

    def __call__(self, attn, x, encoder_hidden_states=None, attention_mask=None, **_):
        def attend(q, k, v):
            q, k, v = (t.unflatten(2, (attn.heads, -1)).transpose(1, 2) for t in (q, k, v))
            return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)

        q = attn.to_q(x)
        if encoder_hidden_states is None:
            return attn.to_out[0](attend(q, attn.to_k(x), attn.to_v(x)))
        text = encoder_hidden_states[:, : self.text_tokens]
        image = encoder_hidden_states[:, self.text_tokens :]
        h = attend(q, attn.to_k(text), attn.to_v(text))
        own = attn.to_q_image(x) if hasattr(attn, 'to_q_image') else q
        h = h + attend(own, attn.to_k_image(image), attn.to_v_image(image))
        return attn.to_out[0](h)


class Temporal(nn.Module):
    def __init__(self, channels, heads):
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(channels)
        self.to_q, self.to_k, self.to_v = (nn.Linear(channels, channels, bias=False) for _ in 'qkv')
        self.to_out = nn.ModuleList([nn.Linear(channels, channels)])

    def forward(self, x, frames):
        n, c, h, w = x.shape
        clips = x.reshape(n // frames, frames, c, h, w)
        tokens = clips.permute(0, 3, 4, 1, 2).reshape(-1, frames, c)
        position = torch.arange(frames)[:, None]
        phase = position * torch.exp(torch.arange(0, c, 2) * (-math.log(10000) / c))
        t = self.norm(tokens) + torch.stack([phase.sin(), phase.cos()], -1).flatten(1)
        q, k, v = (
            to(t).unflatten(2, (self.heads, -1)).transpose(1, 2)
            for to in (self.to_q, self.to_k, self.to_v)
        )
        scores = (q @ k.transpose(-1, -2) / math.sqrt(c // self.heads)).softmax(-1)
        tokens = tokens + self.to_out[0]((scores @ v).transpose(1, 2).flatten(2))
        pixels = tokens.reshape(n // frames, h, w, frames, c)
        return pixels.permute(0, 3, 4, 1, 2).reshape(n, c, h, w)


def heartbeat(config, own_query, temporal, text_tokens, frames, everywhere=False):
    net = UNet2DConditionModel(**config)
    add_temporal(net, config, temporal, frames, everywhere)
    for block in [*net.down_blocks, net.mid_block, *net.up_blocks]:
        for transformer in getattr(block, 'attentions', []):
            attn = transformer.transformer_blocks[0].attn2
            width, context = attn.to_q.weight.shape[0], config['cross_attention_dim']
            if own_query:
                attn.to_q_image = nn.Linear(width, width, bias=False)
            attn.to_k_image = nn.Linear(context, width, bias=False)
            attn.to_v_image = nn.Linear(context, width, bias=False)
            attn.set_processor(TwoBranches(text_tokens))
    return net


def add_convolution(net, config, frames):
    for block in [*net.down_blocks, net.mid_block, *net.up_blocks]:
        block.temp_convs = nn.ModuleList()
        for resnet in block.resnets:
            layer = TemporalConvLayer(
                resnet.conv2.weight.shape[0], norm_num_groups=config['norm_num_groups']
            )
            block.temp_convs.append(layer)
            resnet.register_forward_hook(
                lambda _module, _inputs, out, layer=layer: layer(out, num_frames=frames)
            )


def add_temporal(net, config, temporal, frames, everywhere):
    for block in [*net.down_blocks, net.mid_block, *net.up_blocks]:
        attentions = getattr(block, 'attentions', [])
        if temporal and (len(attentions) > 0 or everywhere):
            block.temporal_attentions = nn.ModuleList()
        if temporal and everywhere and len(attentions) == 0:
            for resnet in block.resnets:
                layer = Temporal(resnet.conv2.weight.shape[0], config['attention_head_dim'])
                block.temporal_attentions.append(layer)
                resnet.register_forward_hook(
                    lambda _module, _inputs, out, layer=layer: layer(out, frames)
                )
        for transformer in attentions:
            attn = transformer.transformer_blocks[0].attn2
            if temporal:
                layer = Temporal(attn.to_q.weight.shape[0], attn.heads)
                block.temporal_attentions.append(layer)
                transformer.register_forward_hook(
                    lambda _module, _inputs, out, layer=layer: (layer(out[0], frames),)
                )


def record(net, z, t, context, frames=1, watched=WATCHED):
    fill(net)
    z = z.clone().requires_grad_()
    y = net(z, t.repeat_interleave(frames), context.repeat_interleave(frames, 0)).sample
    (y * data('loss', *y.shape)).sum().backward()
    return {
        'output': summary(y),
        'inputGradient': summary(z.grad),
        'gradients': gradients(net, watched),
    }
