"""Golden numbers of LPIPS: the lpips package itself, filled by reference_fill.

Run: python lpips.py (torch, torchvision, lpips 0.1.4); writes lpips.json. Weights of the linear layers are made
positive, as the published ones are. The keys are those of the two published files: torchvision's trunk, of which
the package takes `features`, and the package's own linear layers.
"""
import os
import sys

import torch

# This program has the package's name.
sys.path = [p for p in sys.path if os.path.abspath(p or '.') != os.path.dirname(os.path.abspath(__file__))]
import lpips as reference  # noqa: E402
from torchvision import models  # noqa: E402

sys.path.append(os.path.dirname(os.path.abspath(__file__)))
from reference_fill import data, parameter, summary, uniform, write  # noqa: E402


def pictures(key, height, width):
    """Numbers in [-1, 1]."""
    return uniform(key, (2, 3, height, width))


golden = {}
for net, model, sizes in [('alex', models.alexnet, (31, 53)), ('vgg', models.vgg16, (16, 35))]:
    torch.manual_seed(0)
    whole = model(weights=None)
    distance = reference.LPIPS(pretrained=False, pnet_rand=True, net=net, verbose=False).eval()
    trunk = {key: value for key, value in whole.state_dict().items() if key.startswith('features.')}
    own = dict(distance.net.named_parameters())
    state = dict(distance.named_parameters())
    with torch.no_grad():
        for key in trunk:
            # slice2.3.weight stands for features.3.weight
            place = next(name for name in own if name.split('.', 1)[1] == key.removeprefix('features.'))
            own[place].copy_(parameter(key, trunk[key].shape))
        lines = {key: value for key, value in state.items() if key.startswith('lin') and 'lins' not in key}
        for key, value in lines.items():
            value.copy_(parameter(key, value.shape).abs())
        a, b = pictures('a', *sizes), pictures('b', *sizes)
        near = a + 0.1 * b
        golden[net] = {
            'keys': {k: list(v.shape) for k, v in {**trunk, **lines}.items()},
            'classifier': [k for k in whole.state_dict() if k.startswith('classifier.')],
            'size': sizes,
            'far': summary(distance(a, b).flatten()), 'near': summary(distance(a, near).flatten()),
            'same': summary(distance(a, a).flatten()),
            'grey': summary(distance((a[:, :1] + 1) / 2, (b[:, :1] + 1) / 2, normalize=True).flatten()),
        }
write(__file__, golden)
