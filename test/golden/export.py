"""What the reference libraries see in a folder that `heartbeat export` wrote, and answer with it.

    node --import tsx test/heartbeat/exported-model.ts FOLDER
    python export.py FOLDER          (torch 2, diffusers, transformers); writes export.json

sha256 of every file that they read stands in the golden, so that the test knows that it compares the
same folder.
"""
import hashlib
import json
import pathlib
import sys
import tempfile

import torch
from diffusers import StableDiffusionPipeline, UNet2DConditionModel

from reference_fill import data, summary, write

FOLDER = pathlib.Path(sys.argv[1])
PROMPTS = ['An ECHO with 2-chamber view.', '', 'An ECHO with 4-chamber view.']


def hashes():
    files = sorted(path for path in FOLDER.rglob('*') if path.is_file())
    names = [(path, path.relative_to(FOLDER).as_posix()) for path in files]
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for path, name in names
            if not name.startswith('heartbeat/')}


def resaved(module):
    with tempfile.TemporaryDirectory() as folder:
        module.save_pretrained(folder)
        return json.loads((pathlib.Path(folder) / 'config.json').read_text())


with torch.no_grad():
    unet, info = UNet2DConditionModel.from_pretrained(
        FOLDER, subfolder='unet', output_loading_info=True, low_cpu_mem_usage=False)
    wrong = {key: [str(name) for name in names] for key, names in info.items() if names}
    assert not wrong, wrong
    z, local, text = data('z', 6, 4, 8, 8), data('local', 6, 8, 8, 8), data('text', 2, 5, 12)
    epsilon = unet(torch.cat([z, local], 1), torch.tensor([7, 801]).repeat_interleave(3),
                   text.repeat_interleave(3, 0)).sample

    pipeline = StableDiffusionPipeline.from_pretrained(FOLDER)
    assert all(torch.equal(a, b) for a, b in zip(unet.parameters(), pipeline.unet.parameters()))
    ids = pipeline.tokenizer(PROMPTS, padding='max_length', truncation=True, return_tensors='pt').input_ids
    context = pipeline.text_encoder(ids).last_hidden_state
    mean = pipeline.vae.encode(data('x', 2, 1, 16, 16)).latent_dist.mean
    decoded = pipeline.vae.decode(mean).sample
    schedule = pipeline.scheduler
    schedule.set_timesteps(10)
    write(__file__, {
        'files': hashes(), 'unetParameters': sum(p.numel() for p in unet.parameters()),
        'epsilon': summary(epsilon), 'prompts': PROMPTS, 'ids': ids.tolist(), 'context': summary(context),
        'mean': summary(mean), 'decoded': summary(decoded), 'scalingFactor': pipeline.vae.config.scaling_factor,
        'prediction': schedule.config.prediction_type, 'timesteps': schedule.timesteps.tolist(),
        'alphas': [schedule.alphas_cumprod[t].item() for t in (0, 500, 999)],
        'resaved': {'unet': resaved(unet), 'vae': resaved(pipeline.vae), 'text_encoder': resaved(pipeline.text_encoder)},
    })
