"""Golden numbers of the text transformer: transformers' CLIPTextModel.

Run: python clip-text.py (torch 2 and transformers); writes clip-text.json.
"""
import torch
from transformers import CLIPTextConfig, CLIPTextModel

from reference_fill import data, gradients, parameter, summary, write

PREFIX = 'text_model.'


def checkpoint_key(key):
    """Published checkpoints keep the prefix that newer versions of the library drop."""
    return key if key.startswith(PREFIX) else PREFIX + key


def case(ids, watched, **config):
    settings = CLIPTextConfig(bos_token_id=0, eos_token_id=2, attn_implementation='eager', **config)
    model = CLIPTextModel(settings).eval()
    model.load_state_dict({
        key: parameter(checkpoint_key(key), value.shape) if value.is_floating_point() else value
        for key, value in model.state_dict().items()
    })
    y = model(torch.tensor(ids)).last_hidden_state
    (y * data('loss', *y.shape)).sum().backward()
    named = {checkpoint_key(key): value for key, value in model.named_parameters()}
    return {
        'config': config, 'ids': ids,
        'keys': {key: list(value.shape) for key, value in named.items()},
        'output': summary(y), 'gradients': {key: summary(named[key].grad, 12) for key in watched},
    }


TINY = dict(vocab_size=23, hidden_size=12, intermediate_size=20, num_hidden_layers=2,
            num_attention_heads=3, max_position_embeddings=9, hidden_act='quick_gelu')
WATCHED = [
    'text_model.embeddings.token_embedding.weight',
    'text_model.embeddings.position_embedding.weight',
    'text_model.encoder.layers.0.self_attn.q_proj.weight',
    'text_model.encoder.layers.0.mlp.fc1.bias',
    'text_model.encoder.layers.1.self_attn.out_proj.weight',
    'text_model.encoder.layers.1.layer_norm2.weight', 'text_model.final_layer_norm.bias',
]
GELU = {**TINY, 'hidden_act': 'gelu', 'layer_norm_eps': 1e-3}
FULL = [[21, 3, 7, 7, 0, 19, 22, 22, 22], [21, 1, 2, 3, 4, 5, 6, 8, 22]]
write(__file__, {
    'quickGelu': case(FULL, WATCHED, **TINY),
    'gelu': case([[4, 9, 2, 11]], WATCHED[:3], **GELU),
})
