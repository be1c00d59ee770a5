"""Golden numbers of the autoencoder: diffusers' AutoencoderKL, forward and gradients.

Run: python vae.py (torch 2 and diffusers); writes vae.json.
"""
from diffusers import AutoencoderKL

from reference_fill import data, fill, gradients, summary, write

SMALL = dict(
    in_channels=1, out_channels=1, block_out_channels=(8, 16), layers_per_block=1,
    latent_channels=3, norm_num_groups=4,
)
DEEP = dict(
    in_channels=3, out_channels=2, block_out_channels=(8, 12, 16), layers_per_block=2,
    latent_channels=4, norm_num_groups=4, mid_block_add_attention=False,
)
WATCHED = [
    'encoder.conv_in.weight', 'encoder.down_blocks.0.resnets.0.norm1.weight',
    'encoder.down_blocks.0.downsamplers.0.conv.weight', 'encoder.conv_out.bias',
    'quant_conv.weight', 'post_quant_conv.bias', 'decoder.mid_block.resnets.1.conv2.weight',
    'decoder.up_blocks.0.upsamplers.0.conv.weight', 'decoder.up_blocks.1.resnets.0.conv1.weight',
    'decoder.conv_norm_out.weight', 'decoder.conv_out.weight',
]


def case(config, height, width):
    blocks = len(config['block_out_channels'])
    model = fill(AutoencoderKL(
        down_block_types=('DownEncoderBlock2D',) * blocks,
        up_block_types=('UpDecoderBlock2D',) * blocks, **config,
    )).eval()
    x = data('x', 2, config['in_channels'], height, width).requires_grad_(True)
    posterior = model.encode(x).latent_dist
    noise = data('noise', *posterior.mean.shape)
    z = posterior.mean + posterior.std * noise
    y = model.decode(z).sample
    (y * data('loss', *y.shape)).sum().backward()
    extra = [key for key in ['encoder.mid_block.attentions.0.to_q.weight',
                             'encoder.mid_block.attentions.0.group_norm.weight',
                             'decoder.mid_block.attentions.0.to_out.0.bias']
             if key in model.state_dict()]
    return {
        'config': config, 'size': [height, width],
        'keys': {key: list(value.shape) for key, value in model.state_dict().items()},
        'mean': summary(posterior.mean), 'logvar': summary(posterior.logvar),
        'sample': summary(z), 'decoded': summary(y), 'inputGradient': summary(x.grad),
        'gradients': gradients(model, WATCHED + extra),
    }


write(__file__, {'small': case(SMALL, 8, 12), 'deep': case(DEEP, 12, 8)})
