"""Golden numbers of the local encoder and the global adapter, in plain torch (PAPER section 1).

Run: python conditioning.py (torch); writes conditioning.json.
"""
from torch import nn

from reference_fill import data, fill, gradients, summary, write


def record(module, run, names):
    y = run(module)
    (y * data('loss', *y.shape)).sum().backward()
    return {
        'keys': {key: list(value.shape) for key, value in module.state_dict().items()
                 if 'num_batches' not in key},
        'output': summary(y),
        'gradients': gradients(module, names),
    }


out = {}
encoder = fill(nn.Sequential(
    nn.Conv2d(3, 32, 3, padding=1), nn.SiLU(), nn.AdaptiveAvgPool2d((16, 16)),
    nn.Conv2d(32, 32, 3, stride=2, padding=1), nn.SiLU(), nn.Conv2d(32, 8, 3, stride=2, padding=1),
))
for name, side in (('localEncoder', 32), ('localEncoderOdd', 27)):
    encoder.zero_grad()
    x = data('x', 2, 3, side, side)
    out[name] = record(encoder, lambda net: net(x), ['0.weight', '3.bias', '5.weight'])


class Adapter(nn.Module):
    def __init__(self):
        super().__init__()
        self.batch_norm = nn.BatchNorm3d(5)
        self.conv = nn.Conv3d(5, 5, (1, 2, 2), stride=(1, 2, 2))
        self.linear = nn.Linear(5, 6)
        self.layer_norm = nn.LayerNorm(6)

    def forward(self, x):
        tokens = self.conv(self.batch_norm(x.unsqueeze(2))).flatten(2).transpose(1, 2)
        return self.layer_norm(self.linear(tokens))


watched = ['batch_norm.weight', 'conv.weight', 'linear.weight', 'layer_norm.bias']
for name, training in (('adapter', False), ('adapterTraining', True)):
    adapter = fill(Adapter()).train(training)
    out[name] = record(adapter, lambda net: net(data('features', 3, 5, 8, 8)), watched)
write(__file__, out)
