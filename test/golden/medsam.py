"""Golden numbers of the image encoder: transformers' SamVisionEncoder, segment_anything's keys.

Run: python medsam.py (torch 2 and transformers); writes medsam.json.
"""
import re

import torch
from torch.nn import functional as F
from transformers import SamVisionConfig
from transformers.models.sam.modeling_sam import SamVisionEncoder

from reference_fill import data, parameter, summary, write

RENAMED = [
    (r'^patch_embed\.projection\.', 'patch_embed.proj.'), (r'^layers\.', 'blocks.'),
    (r'^neck\.conv1\.', 'neck.0.'), (r'^neck\.layer_norm1\.', 'neck.1.'),
    (r'^neck\.conv2\.', 'neck.2.'), (r'^neck\.layer_norm2\.', 'neck.3.'),
    (r'\.layer_norm(\d)\.', r'.norm\1.'),
]


def original_key(key):
    for pattern, name in RENAMED:
        key = re.sub(pattern, name, key)
    return key


def case(watched, *, img_size, patch_size, in_chans, embed_dim, depth, num_heads, mlp_ratio,
         out_chans, window_size, global_attn_indexes, use_rel_pos=True, qkv_bias=True):
    config = {k: v for k, v in locals().items() if k != 'watched'}
    model = SamVisionEncoder(SamVisionConfig(
        image_size=img_size, patch_size=patch_size, num_channels=in_chans, hidden_size=embed_dim,
        num_hidden_layers=depth, num_attention_heads=num_heads, mlp_ratio=float(mlp_ratio),
        output_channels=out_chans, window_size=window_size, global_attn_indexes=global_attn_indexes,
        use_rel_pos=use_rel_pos, qkv_bias=qkv_bias, attn_implementation='eager',
    )).eval()
    model.load_state_dict({
        key: parameter(original_key(key), value.shape) for key, value in model.state_dict().items()
    })
    x = data('x', 2, in_chans, img_size, img_size).requires_grad_(True)
    y = model(x).last_hidden_state
    (y * data('loss', *y.shape)).sum().backward()
    named = {original_key(key): value for key, value in model.named_parameters()}
    return {
        'config': config, 'keys': {key: list(value.shape) for key, value in named.items()},
        'output': summary(y), 'inputGradient': summary(x.grad),
        'gradients': {key: summary(named[key].grad, 12) for key in watched},
    }


WATCHED = ['pos_embed', 'patch_embed.proj.weight', 'blocks.0.attn.qkv.weight',
           'blocks.0.mlp.lin1.bias', 'blocks.1.norm2.weight', 'neck.0.weight', 'neck.3.bias']
# 7x7 tokens in windows of 3: two rows and columns of padding; 3 heads; a global block in between.
padded = case(WATCHED + ['blocks.0.attn.rel_pos_h', 'blocks.1.attn.rel_pos_w'],
              img_size=28, patch_size=4, in_chans=3, embed_dim=12, depth=3, num_heads=3,
              mlp_ratio=2.5, out_chans=5, window_size=3, global_attn_indexes=[1])
# Windows that fit; no relative positions, no bias of qkv; grey pictures.
plain = case(WATCHED, img_size=16, patch_size=2, in_chans=1, embed_dim=8, depth=2, num_heads=2,
             mlp_ratio=4, out_chans=6, window_size=4, global_attn_indexes=[1], use_rel_pos=False,
             qkv_bias=False)
# A window larger than the grid.
wide = case(['blocks.0.attn.rel_pos_h'], img_size=10, patch_size=2, in_chans=1, embed_dim=8,
            depth=1, num_heads=1, mlp_ratio=1, out_chans=4, window_size=7, global_attn_indexes=[])

pictures = data('pictures', 3, 1, 6, 8) * 40 + 100
pictures[1] = 7
resized = F.interpolate(pictures, size=(16, 16), mode='bicubic', align_corners=False)
low, high = resized.amin((1, 2, 3), keepdim=True), resized.amax((1, 2, 3), keepdim=True)
stretched = ((resized - low) / (high - low).clamp(min=1e-8)).expand(3, 3, 16, 16)
write(__file__, {
    'padded': padded, 'plain': plain, 'wide': wide, 'input': summary(stretched[[0, 2]]),
})
