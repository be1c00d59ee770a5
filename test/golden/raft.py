"""Golden numbers of RAFT-small, by torchvision's `raft_small`.

Run: python raft.py [raft-small.pth] (torch, torchvision); writes raft.json. Weights are
reference_fill's under the keys of princeton-vl/RAFT, which `princeton` makes of torchvision's. With
the published file also its flow of a texture that moves by (3, -2) pixels.
"""
import re
import sys

import torch
from torch.nn import functional as F
from torchvision.models.optical_flow import raft_small

from reference_fill import data, parameter, summary, write


def princeton(key):
    """torchvision's key as princeton-vl/RAFT has it."""
    key = re.sub(r'^feature_encoder\.', 'fnet.', re.sub(r'^context_encoder\.', 'cnet.', key))
    key = re.sub(r'^([fc]net)\.convnormrelu\.0\.', r'\1.conv1.', key)
    key = re.sub(r'^([fc]net)\.conv\.', r'\1.conv2.', key)
    key = re.sub(r'\.convnormrelu([123])\.0\.', r'.conv\1.', key)
    key = key.replace('.motion_encoder.', '.encoder.').replace('.recurrent_block.convgru1.', '.gru.')
    key = re.sub(r'\.convcorr1\.0\.', '.convc1.', re.sub(r'\.convflow([12])\.0\.', r'.convf\1.', key))
    return key.replace('.encoder.conv.0.', '.encoder.conv.')


def moving(height, width, dx, dy):
    """Two pictures of a smooth texture in [-1, 1], the second displaced by whole pixels."""
    coarse = data('texture', 1, 1, height // 8 + 4, width // 8 + 4) / 3**0.5
    fine = F.interpolate(coarse, scale_factor=8, mode='bilinear', align_corners=False)
    cut = lambda x, y: fine[:, :, y:y + height, x:x + width].expand(1, 3, height, width)
    return cut(16, 16), cut(16 - dx, 16 - dy)


network = raft_small().eval()
state = network.state_dict()
names = {key: princeton(key) for key in state}
with torch.no_grad():
    network.load_state_dict({key: parameter(names[key], x.shape) for key, x in state.items()})
    pictures = [data(name, 2, 3, 128, 136) / 3**0.5 for name in ('before', 'after')]
    flows = network(*pictures, num_flow_updates=12)
    content = {
        'keys': {names[key]: list(x.shape) for key, x in state.items()},
        'torchvision': {key: names[key] for key in state},
        'features': summary(network.feature_encoder(pictures[0])),
        'context': summary(network.context_encoder(pictures[0])),
        'flow': {str(n): summary(flows[n - 1]) for n in (1, 4, 12)},
    }
    if len(sys.argv) > 1:
        published = torch.load(sys.argv[1], map_location='cpu', weights_only=True)
        network.load_state_dict({key: published['module.' + names[key]] for key in state})
        content['published'] = summary(network(*moving(128, 160, 3, -2), num_flow_updates=12)[-1])
    write(__file__, content)
