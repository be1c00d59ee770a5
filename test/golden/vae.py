"""Golden numbers of the autoencoder: diffusers' AutoencoderKL, forward and gradients; and the same with
our linear shortcut, in torch's words.

Run: python vae.py (torch 2 and diffusers); writes vae.json.
"""
import torch
from diffusers import AutoencoderKL
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from reference_fill import data, fill, gradients, summary, write

SMALL = dict(
    in_channels=1, out_channels=1, block_out_channels=(8, 16), layers_per_block=1,
    latent_channels=3, norm_num_groups=4,
)
DEEP = dict(
    in_channels=3, out_channels=2, block_out_channels=(8, 12, 16), layers_per_block=2,
    latent_channels=4, norm_num_groups=4, mid_block_add_attention=False,
)
SHORTCUT = dict(
    in_channels=1, out_channels=2, block_out_channels=(8, 8, 16), layers_per_block=1,
    latent_channels=3, norm_num_groups=4, scaling_factor=0.7,
    latents_mean=[0.1, -0.4, 0.2], latents_std=[0.5, 1.5, 2.0],
)
WATCHED = [
    'encoder.conv_in.weight', 'encoder.down_blocks.0.resnets.0.norm1.weight',
    'encoder.down_blocks.0.downsamplers.0.conv.weight', 'encoder.conv_out.bias',
    'quant_conv.weight', 'post_quant_conv.bias', 'decoder.mid_block.resnets.1.conv2.weight',
    'decoder.up_blocks.0.upsamplers.0.conv.weight', 'decoder.up_blocks.1.resnets.0.conv1.weight',
    'decoder.conv_norm_out.weight', 'decoder.conv_out.weight',
]


def case(config, height, width, shortcut=False):
    blocks = len(config['block_out_channels'])
    model = AutoencoderKL(
        down_block_types=('DownEncoderBlock2D',) * blocks,
        up_block_types=('UpDecoderBlock2D',) * blocks, **config,
    )
    side = 2 ** (blocks - 1)
    if shortcut:
        pixels, latents = side * side, config['latent_channels']
        model.linear_encoder = torch.nn.Conv2d(config['in_channels'] * pixels, latents, 3, padding=1)
        model.linear_decoder = torch.nn.Conv2d(latents, config['out_channels'] * pixels, 3, padding=1)
    fill(model).eval()
    x = data('x', 2, config['in_channels'], height, width).requires_grad_(True)
    posterior = model.encode(x).latent_dist
    mean = posterior.mean
    if shortcut:
        mean = mean + model.linear_encoder(pixel_unshuffle(x, side))
    z = mean + posterior.std * data('noise', *mean.shape)
    y = model.decode(z).sample
    if shortcut:
        y = y + pixel_shuffle(model.linear_decoder(z), side)
    (y * data('loss', *y.shape)).sum().backward()
    extra = [key for key in ['encoder.mid_block.attentions.0.to_q.weight',
                             'encoder.mid_block.attentions.0.group_norm.weight',
                             'decoder.mid_block.attentions.0.to_out.0.bias',
                             'linear_encoder.weight', 'linear_decoder.weight']
             if key in model.state_dict()]
    scaled = z
    if 'latents_mean' in config:
        shift, deviation = (torch.tensor(config[f'latents_{name}']).view(1, -1, 1, 1) for name in ('mean', 'std'))
        scaled = (z - shift) * config['scaling_factor'] / deviation
    return {
        'config': {**config, 'linearShortcut': shortcut}, 'size': [height, width],
        'keys': {key: list(value.shape) for key, value in model.state_dict().items()},
        'mean': summary(mean), 'logvar': summary(posterior.logvar),
        'sample': summary(z), 'scaled': summary(scaled), 'decoded': summary(y), 'inputGradient': summary(x.grad),
        'gradients': gradients(model, WATCHED + extra),
    }


write(__file__, {'small': case(SMALL, 8, 12), 'deep': case(DEEP, 12, 8),
                 'shortcut': case(SHORTCUT, 8, 12, shortcut=True)})
