"""Golden numbers of the full-size networks: Stable Diffusion 1.5's U-Net and autoencoder (diffusers),
CLIP ViT-L/14's text model (transformers), MedSAM's ViT-B image encoder (segment_anything).

No published weight is needed: every one is a hash of (key, index), reference_fill.py, the same in both
languages. Run: python parity.py (torch 2, diffusers, transformers, segment_anything);
writes parity.json. The other side is `npm run parity`.
"""
import functools
import gc

import torch
from torch import nn

from reference_fill import data, parameter, summary, write

SAMPLES = 400


def filled(module, key_of=lambda key: key):
    with torch.no_grad():
        for key, value in module.state_dict().items():
            if value.is_floating_point():
                value.copy_(parameter(key_of(key), value.shape))
    gc.collect()
    return module.eval()


def golden(y):
    return {**summary(y, SAMPLES), 'norm': y.detach().double().norm().item()}


def parameters(module):
    return sum(value.numel() for value in module.parameters())


def unet():
    from diffusers import UNet2DConditionModel
    net = filled(UNet2DConditionModel(
        sample_size=64, cross_attention_dim=768, attention_head_dim=8,
        block_out_channels=(320, 640, 1280, 1280), layers_per_block=2, norm_num_groups=32,
    ))
    z, text = data('z', 1, 4, 32, 32), data('text', 1, 77, 768)
    y = net(z, torch.tensor([501]), text).sample
    return {'parameters': parameters(net), 'output': golden(y)}


def vae():
    from diffusers import AutoencoderKL
    net = filled(AutoencoderKL(
        block_out_channels=(128, 256, 512, 512), layers_per_block=2, sample_size=512,
        down_block_types=('DownEncoderBlock2D',) * 4, up_block_types=('UpDecoderBlock2D',) * 4,
    ))
    posterior = net.encode(data('x', 1, 3, 128, 160)).latent_dist
    decoded = net.decode(data('latents', 1, 4, 16, 20)).sample
    return {
        'parameters': parameters(net), 'mean': golden(posterior.mean), 'logvar': golden(posterior.logvar),
        'decoded': golden(decoded),
    }


def text_encoder():
    from transformers import CLIPTextConfig, CLIPTextModel
    net = CLIPTextModel(CLIPTextConfig(
        vocab_size=49408, hidden_size=768, intermediate_size=3072, num_hidden_layers=12,
        num_attention_heads=12, max_position_embeddings=77, hidden_act='quick_gelu',
    ))
    prefix = 'text_model.'
    net = filled(net, lambda key: key if key.startswith(prefix) else prefix + key)
    ids = [49406, *((7919 * i) % 49406 for i in range(1, 60)), *([49407] * 17)]
    return {'parameters': parameters(net), 'ids': ids, 'output': golden(net(torch.tensor([ids])).last_hidden_state)}


def image_encoder():
    from segment_anything.modeling import ImageEncoderViT
    net = filled(ImageEncoderViT(
        img_size=1024, patch_size=16, in_chans=3, embed_dim=768, depth=12, num_heads=12, mlp_ratio=4,
        out_chans=256, qkv_bias=True, norm_layer=functools.partial(nn.LayerNorm, eps=1e-6),
        use_rel_pos=True, window_size=14, global_attn_indexes=(2, 5, 8, 11),
    ))
    picture = data('picture', 1, 3, 1024, 1024) / 4 + 0.5
    return {'parameters': parameters(net), 'output': golden(net(picture))}


out = {}
for network in (text_encoder, vae, image_encoder, unet):
    with torch.no_grad():
        out[network.__name__] = network()
    gc.collect()
    print(network.__name__, out[network.__name__]['parameters'], flush=True)
write(__file__, out)
