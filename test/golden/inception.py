"""Golden numbers of the FID Inception v3: pytorch-fid's own classes, filled by reference_fill.

Run: python inception.py (torch, torchvision, pytorch-fid 0.3); writes inception.json. Weights of
convolutions are sqrt 2 times the rule's, so that the input is still felt 48 layers deep. The
picture is not resized but just large enough that 2 x 1 positions are left at the end.
"""
import pytorch_fid.inception as reference
import torch
from torch.nn import functional as F

from reference_fill import data, fill, summary, write

torch.manual_seed(0)
# The weights that pytorch-fid would download are not wanted.
reference.load_state_dict_from_url = lambda *_, **__: {}
load = torch.nn.Module.load_state_dict
torch.nn.Module.load_state_dict = lambda *_, **__: None
inner = reference.fid_inception_v3()
torch.nn.Module.load_state_dict = load
fill(inner)
with torch.no_grad():
    for key, value in inner.named_parameters():
        if key.endswith('conv.weight'):
            value *= 2**0.5
reference.fid_inception_v3 = lambda: inner
network = reference.InceptionV3([0, 1, 2, 3], resize_input=False, normalize_input=False).eval()

with torch.no_grad():
    x = data('picture', 1, 3, 107, 75) / 3**0.5
    outputs = [y.mean((2, 3)) for y in network(x)]
    logits = F.linear(outputs[3], inner.fc.weight, inner.fc.bias)
    small = (data('small', 2, 1, 40, 33) / 3**0.5 + 1) / 2
    resized = 2 * F.interpolate(small.expand(2, 3, 40, 33), size=(299, 299), mode='bilinear',
                                align_corners=False) - 1
write(__file__, {
    'keys': {k: list(v.shape) for k, v in inner.state_dict().items() if 'num_batches' not in k},
    'layers': {str(y.shape[1]): summary(y) for y in outputs},
    'logits': summary(logits), 'input': summary(resized),
})
