"""Golden numbers of the U-Net: diffusers' UNet2DConditionModel, plain and with our additions.

The additions are those of reference_unet.py (PAPER section 1).
Run: python unet.py (torch 2 and diffusers); writes unet.json.
"""
import torch
from diffusers import UNet2DConditionModel

from reference_fill import data, write
from reference_unet import SMALL, WATCHED, heartbeat, record

DEEP = dict(
    SMALL, block_out_channels=(8, 12, 16), layers_per_block=2, attention_head_dim=(2, 3, 4),
    down_block_types=('CrossAttnDownBlock2D', 'CrossAttnDownBlock2D', 'DownBlock2D'),
    up_block_types=('UpBlock2D', 'CrossAttnUpBlock2D', 'CrossAttnUpBlock2D'),
    use_linear_projection=True, norm_eps=1e-6, in_channels=3, out_channels=2,
)
t = torch.tensor([7, 801])
text, image = data('text', 2, 5, 6), data('image', 2, 4, 6)
out = {'small': {}, 'deep': {}, 'own': {}, 'shared': {}}

net = UNet2DConditionModel(**SMALL)
out['small'] = {
    'keys': {key: list(value.shape) for key, value in net.state_dict().items()},
    'even': record(net, data('z', 2, 4, 8, 8), t, text),
}
net = UNet2DConditionModel(**SMALL)
out['small']['odd'] = record(net, data('z', 2, 4, 5, 7), t, text)

net = UNet2DConditionModel(**DEEP)
out['deep'] = {
    'keys': {key: list(value.shape) for key, value in net.state_dict().items()},
    'odd': record(net, data('z', 2, 3, 11, 6), t, text, watched=WATCHED[:12]),
}

image_keys = [
    f'mid_block.attentions.0.transformer_blocks.0.attn2.to_{letter}_image.weight'
    for letter in 'qkv'
]
temporal_keys = [
    f'down_blocks.0.temporal_attentions.0.{name}'
    for name in ('norm.weight', 'to_q.weight', 'to_v.weight', 'to_out.0.weight', 'to_out.0.bias')
]
WIDE = dict(SMALL, in_channels=12)
z = torch.cat([data('z', 6, 4, 8, 8), data('local', 6, 8, 8, 8)], 1)
both = torch.cat([text, image], 1)
net = heartbeat(WIDE, True, True, 5, 3)
out['own'] = {
    'keys': {key: list(value.shape) for key, value in net.state_dict().items()},
    'clips': record(net, z, t, both, 3, WATCHED + image_keys + temporal_keys),
}
net = heartbeat(WIDE, True, True, 5, 3, everywhere=True)
out['everywhere'] = {
    'keys': {key: list(value.shape) for key, value in net.state_dict().items()},
    'clips': record(net, z, t, both, 3, WATCHED + [
        f'{block}.temporal_attentions.{layer}.{name}'
        for block, layer in (('down_blocks.1', 0), ('up_blocks.0', 0), ('up_blocks.0', 1))
        for name in ('to_q.weight', 'to_out.0.weight')
    ]),
}
net = heartbeat(WIDE, False, False, 5, 1)
out['shared'] = {
    'clips': record(net, z[:2], t, both, 1, WATCHED + image_keys[1:]),
}
write(__file__, out)
