"""Golden numbers of what the baselines add (PAPER section 3), of diffusers' layers and plain torch.

VideoComposer: temporal convolution in the residual blocks, one cross-attention over the tokens of text and image, a
transformer layer over the frames in a local encoder, the image as one token. MoonShot: an image branch that shares
the text's query, with temporal attention. Run: python baselines.py (torch 2 and diffusers); writes baselines.json.
"""
import math

import torch
from diffusers import UNet2DConditionModel
from diffusers.models.resnet import TemporalConvLayer
from torch import nn

from reference_fill import data, fill, gradients, summary, write
from reference_unet import SMALL, WATCHED, add_convolution, add_temporal, heartbeat, record


def layer(module, run, *shape, names=None):
    fill(module)
    x = data('x', *shape).requires_grad_()
    y = run(module, x)
    (y * data('loss', *y.shape)).sum().backward()
    keys = [name for name, _ in module.named_parameters()] if names is None else names
    return {
        'keys': {key: list(value.shape) for key, value in module.state_dict().items()
                 if 'num_batches' not in key},
        'output': summary(y),
        'inputGradient': summary(x.grad),
        'gradients': gradients(module, keys),
    }


class Encoder(nn.Sequential):
    """The local encoder with a layer over the frames: TransformerEncoderLayer, whose attention sees positions."""

    def __init__(self):
        super().__init__(
            nn.Conv2d(3, 32, 3, padding=1), nn.SiLU(), nn.AdaptiveAvgPool2d((16, 16)),
            nn.Conv2d(32, 32, 3, stride=2, padding=1), nn.SiLU(), nn.Conv2d(32, 8, 3, stride=2, padding=1),
        )
        self.add_module('temporal', nn.TransformerEncoderLayer(
            8, 2, dim_feedforward=8, dropout=0, activation='gelu', batch_first=True, norm_first=True,
        ))

    def forward(self, x, clips, frames):
        for step in list(self)[:6]:
            x = step(x)
        n, c, h, w = x.shape
        x = x.reshape(clips, n // clips, c, h, w).expand(clips, frames, c, h, w)
        x = x.permute(0, 3, 4, 1, 2).reshape(-1, frames, c)
        phase = torch.arange(frames)[:, None] * torch.exp(torch.arange(0, c, 2) * (-math.log(10000) / c))
        own = self.temporal
        seen = own.norm1(x) + torch.stack([phase.sin(), phase.cos()], -1).flatten(1)
        x = x + own.self_attn(seen, seen, seen)[0]
        x = x + own.linear2(nn.functional.gelu(own.linear1(own.norm2(x))))
        x = x.reshape(clips, h, w, frames, c).permute(0, 3, 4, 1, 2)
        return x.reshape(clips * frames, c, h, w)


class Adapter(nn.Module):
    def __init__(self):
        super().__init__()
        self.batch_norm = nn.BatchNorm3d(5)
        self.conv = nn.Conv3d(5, 5, (1, 2, 2), stride=(1, 2, 2))
        self.linear = nn.Linear(5, 6)
        self.layer_norm = nn.LayerNorm(6)

    def forward(self, x):
        tokens = self.conv(self.batch_norm(x.unsqueeze(2))).flatten(2).transpose(1, 2)
        return self.layer_norm(self.linear(tokens.mean(1, keepdim=True)))


out = {
    'temporalConvolution': layer(
        TemporalConvLayer(8, norm_num_groups=4), lambda net, x: net(x, num_frames=3), 6, 8, 3, 5),
    'encoder': layer(Encoder(), lambda net, x: net(x, 2, 3), 6, 3, 20, 20),
    'encoderOfOne': layer(Encoder(), lambda net, x: net(x, 2, 3), 2, 3, 20, 20),
    'adapter': layer(Adapter().eval(), lambda net, x: net(x), 3, 5, 8, 8),
}

t = torch.tensor([7, 801])
text, image = data('text', 2, 5, 6), data('image', 2, 4, 6)
temporal_keys = [f'down_blocks.0.temporal_attentions.0.{name}' for name in ('to_q.weight', 'to_out.0.weight')]

WIDE = dict(SMALL, in_channels=12)
z = torch.cat([data('z', 6, 4, 8, 8), data('local', 6, 8, 8, 8)], 1)
net = UNet2DConditionModel(**WIDE)
add_convolution(net, WIDE, 3)
add_temporal(net, WIDE, True, 3, True)
convolution_keys = [
    f'{place}.{name}'
    for place in ('down_blocks.0.temp_convs.0', 'mid_block.temp_convs.1', 'up_blocks.0.temp_convs.1')
    for name in ('conv1.0.weight', 'conv1.2.weight', 'conv3.3.weight', 'conv4.3.bias')
]
out['videocomposer'] = {
    'keys': {key: list(value.shape) for key, value in net.state_dict().items()},
    'clips': record(net, z, t, torch.cat([text, image[:, :1]], 1), 3, WATCHED + temporal_keys + convolution_keys),
}

image_keys = [
    f'mid_block.attentions.0.transformer_blocks.0.attn2.{name}.weight'
    for name in ('to_q', 'to_k_image', 'to_v_image')
]
net = heartbeat(SMALL, False, True, 5, 3)
out['moonshot'] = {
    'keys': {key: list(value.shape) for key, value in net.state_dict().items()},
    'clips': record(net, data('z', 6, 4, 8, 8), t, torch.cat([text, image], 1), 3,
                    WATCHED + temporal_keys + image_keys),
}
write(__file__, out)
