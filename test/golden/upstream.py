"""Upstream files as their libraries write them, and what the reference networks answer to them.

Small networks with the weights of reference_fill.py (by our keys): configuration files, names of the
tensors, outputs; and, where a format is PyTorch's own, the file itself.
Run: python upstream.py (torch 2, diffusers, transformers, segment_anything); writes upstream.json and
upstream/*.{pth,bin}.
"""
import functools
import json
import pathlib
import re
import tempfile

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import load_file
from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, Sam, TwoWayTransformer
from torch import nn
from transformers import CLIPConfig, CLIPModel, CLIPTextConfig, CLIPTextModel
from transformers import SamConfig, SamMaskDecoderConfig, SamModel, SamPromptEncoderConfig, SamVisionConfig

from reference_fill import data, parameter, summary, write

FILES = pathlib.Path(__file__).with_suffix('')
FILES.mkdir(exist_ok=True)

# The files of stable-diffusion-v1-5/stable-diffusion-v1-5, word for word (their git ids are pinned in
# src/hub/catalogue.ts).
REAL = {
    'unet/config.json': {
        '_class_name': 'UNet2DConditionModel', '_diffusers_version': '0.6.0', 'act_fn': 'silu',
        'attention_head_dim': 8, 'block_out_channels': [320, 640, 1280, 1280], 'center_input_sample': False,
        'cross_attention_dim': 768, 'down_block_types': ['CrossAttnDownBlock2D'] * 3 + ['DownBlock2D'],
        'downsample_padding': 1, 'flip_sin_to_cos': True, 'freq_shift': 0, 'in_channels': 4,
        'layers_per_block': 2, 'mid_block_scale_factor': 1, 'norm_eps': 1e-05, 'norm_num_groups': 32,
        'out_channels': 4, 'sample_size': 64, 'up_block_types': ['UpBlock2D'] + ['CrossAttnUpBlock2D'] * 3,
    },
    'vae/config.json': {
        '_class_name': 'AutoencoderKL', '_diffusers_version': '0.6.0', 'act_fn': 'silu',
        'block_out_channels': [128, 256, 512, 512], 'down_block_types': ['DownEncoderBlock2D'] * 4,
        'in_channels': 3, 'latent_channels': 4, 'layers_per_block': 2, 'norm_num_groups': 32,
        'out_channels': 3, 'sample_size': 512, 'up_block_types': ['UpDecoderBlock2D'] * 4,
    },
    'scheduler/scheduler_config.json': {
        '_class_name': 'PNDMScheduler', '_diffusers_version': '0.6.0', 'beta_end': 0.012,
        'beta_schedule': 'scaled_linear', 'beta_start': 0.00085, 'num_train_timesteps': 1000,
        'set_alpha_to_one': False, 'skip_prk_steps': True, 'steps_offset': 1, 'trained_betas': None,
        'clip_sample': False,
    },
    'text_encoder/config.json': {
        '_name_or_path': 'openai/clip-vit-large-patch14', 'architectures': ['CLIPTextModel'],
        'attention_dropout': 0.0, 'bos_token_id': 0, 'dropout': 0.0, 'eos_token_id': 2,
        'hidden_act': 'quick_gelu', 'hidden_size': 768, 'initializer_factor': 1.0, 'initializer_range': 0.02,
        'intermediate_size': 3072, 'layer_norm_eps': 1e-05, 'max_position_embeddings': 77,
        'model_type': 'clip_text_model', 'num_attention_heads': 12, 'num_hidden_layers': 12,
        'pad_token_id': 1, 'projection_dim': 768, 'torch_dtype': 'float32',
        'transformers_version': '4.22.0.dev0', 'vocab_size': 49408,
    },
}


def filled(module, key_of=lambda key: key):
    with torch.no_grad():
        for key, value in module.state_dict().items():
            if value.is_floating_point():
                value.copy_(parameter(key_of(key), value.shape))
    return module.eval()


def saved(module):
    """config.json and the names in the safetensors, as the library writes a folder."""
    with tempfile.TemporaryDirectory() as folder:
        module.save_pretrained(folder)
        folder = pathlib.Path(folder)
        config = json.loads((folder / 'config.json').read_text())
        [file] = folder.glob('*.safetensors')
        shapes = {key: list(value.shape) for key, value in load_file(file).items()}
    return {'config': config, 'shapes': shapes}


def unet():
    net = filled(UNet2DConditionModel(
        sample_size=8, in_channels=4, out_channels=4, block_out_channels=(16, 32), layers_per_block=1,
        down_block_types=('CrossAttnDownBlock2D', 'DownBlock2D'),
        up_block_types=('UpBlock2D', 'CrossAttnUpBlock2D'),
        attention_head_dim=2, cross_attention_dim=12, norm_num_groups=8, norm_eps=1e-3,
    ))
    y = net(data('z', 2, 4, 6, 5), torch.tensor([3, 640]), data('text', 2, 7, 12)).sample
    return {**saved(net), 'output': summary(y)}


def old_name(key):
    """diffusers before 0.18, which is what most published autoencoders are stored in."""
    for new, old in (('to_q', 'query'), ('to_k', 'key'), ('to_v', 'value'), ('to_out.0', 'proj_attn')):
        key = key.replace(f'attentions.0.{new}.', f'attentions.0.{old}.')
    return key


def vae():
    net = filled(AutoencoderKL(
        in_channels=3, out_channels=3, block_out_channels=(8, 8), layers_per_block=1, latent_channels=4,
        norm_num_groups=4, sample_size=32, scaling_factor=0.5,
        down_block_types=('DownEncoderBlock2D',) * 2, up_block_types=('UpDecoderBlock2D',) * 2,
    )).half().float()
    state = {old_name(key): value.half() for key, value in net.state_dict().items()}
    torch.save(state, FILES / 'vae-old-names.bin')
    x = data('x', 1, 3, 8, 12)
    mean = net.encode(x).latent_dist.mean
    return {**saved(net), 'mean': summary(mean), 'decoded': summary(net.decode(mean).sample)}


PREFIX = 'text_model.'


def our_text_key(key):
    return key if key.startswith(PREFIX) else PREFIX + key


def text_encoder():
    config = dict(vocab_size=40, hidden_size=12, intermediate_size=20, num_hidden_layers=2, bos_token_id=38,
                  eos_token_id=39, num_attention_heads=3, max_position_embeddings=9, projection_dim=6,
                  layer_norm_eps=1e-4)
    ids = [38, 3, 7, 7, 0, 19, 39, 39, 39]
    net = filled(CLIPTextModel(CLIPTextConfig(**config)), our_text_key)
    whole = CLIPModel(CLIPConfig(
        text_config=config, projection_dim=6,
        vision_config=dict(hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2,
                           image_size=8, patch_size=4),
    ))
    y = net(torch.tensor([ids])).last_hidden_state
    return {**saved(net), 'whole': saved(whole), 'ids': ids, 'output': summary(y)}


SAM = dict(image_size=20, patch_size=4, hidden_size=8, num_heads=2, depth=2, out=8, window=3)


def sam_original():
    """segment_anything's own modules, saved as `medsam_vit_b.pth` is: the state of a Sam."""
    grid = SAM['image_size'] // SAM['patch_size']
    net = Sam(
        image_encoder=ImageEncoderViT(
            img_size=SAM['image_size'], patch_size=SAM['patch_size'], embed_dim=SAM['hidden_size'],
            depth=SAM['depth'], num_heads=SAM['num_heads'], mlp_ratio=2, out_chans=SAM['out'], qkv_bias=True,
            norm_layer=functools.partial(nn.LayerNorm, eps=1e-6), use_rel_pos=True,
            window_size=SAM['window'], global_attn_indexes=(1,),
        ),
        prompt_encoder=PromptEncoder(embed_dim=8, image_embedding_size=(grid, grid),
                                     input_image_size=(20, 20), mask_in_chans=4),
        mask_decoder=MaskDecoder(
            num_multimask_outputs=1, transformer=TwoWayTransformer(depth=1, embedding_dim=8, mlp_dim=8, num_heads=2),
            transformer_dim=8, iou_head_depth=1, iou_head_hidden_dim=8,
        ),
    )
    filled(net.image_encoder).half().float()
    torch.save({key: value.half() for key, value in net.state_dict().items()}, FILES / 'medsam.pth')
    return {'output': summary(net.image_encoder(data('picture', 2, 3, 20, 20)))}


RENAMED = [
    (r'^patch_embed\.projection\.', 'patch_embed.proj.'), (r'^layers\.', 'blocks.'),
    (r'^neck\.conv1\.', 'neck.0.'), (r'^neck\.layer_norm1\.', 'neck.1.'),
    (r'^neck\.conv2\.', 'neck.2.'), (r'^neck\.layer_norm2\.', 'neck.3.'), (r'\.layer_norm(\d)\.', r'.norm\1.'),
]


def original_key(key):
    for pattern, name in RENAMED:
        key = re.sub(pattern, name, key)
    return key


def sam_transformers():
    net = SamModel(SamConfig(
        vision_config=SamVisionConfig(
            image_size=SAM['image_size'], patch_size=SAM['patch_size'], hidden_size=SAM['hidden_size'],
            num_hidden_layers=SAM['depth'], num_attention_heads=SAM['num_heads'], mlp_ratio=2.0, mlp_dim=16,
            output_channels=SAM['out'], window_size=SAM['window'], global_attn_indexes=[1], num_pos_feats=4,
        ).to_dict(),
        prompt_encoder_config=SamPromptEncoderConfig(
            hidden_size=8, image_size=20, patch_size=4, mask_input_channels=4).to_dict(),
        mask_decoder_config=SamMaskDecoderConfig(
            hidden_size=8, mlp_dim=8, num_hidden_layers=1, num_attention_heads=2, iou_head_depth=2,
            iou_head_hidden_dim=8, num_multimask_outputs=1).to_dict(),
    ))
    filled(net.vision_encoder, original_key).half().float()
    torch.save({key: value.half() for key, value in net.state_dict().items()}, FILES / 'sam-transformers.bin')
    y = net.vision_encoder(data('picture', 2, 3, 20, 20)).last_hidden_state
    return {'config': saved(net)['config'], 'output': summary(y)}


with torch.no_grad():
    write(__file__, {
        'real': REAL, 'unet': unet(), 'vae': vae(), 'text_encoder': text_encoder(),
        'sam': {'original': sam_original(), 'transformers': sam_transformers()},
    })
