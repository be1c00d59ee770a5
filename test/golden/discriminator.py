"""Golden numbers of the patch discriminator: LDM's layout as a torch Sequential, with GroupNorm.

Run: python discriminator.py (torch 2); writes discriminator.json.
"""
from torch import nn

from reference_fill import data, fill, gradients, summary, write


class PatchDiscriminator(nn.Module):
    def __init__(self, channels, ndf, layers, groups):
        super().__init__()
        steps = [nn.Conv2d(channels, ndf, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
        width = ndf
        for n in range(1, layers + 1):
            before, width = width, ndf * min(2**n, 8)
            stride = 2 if n < layers else 1
            steps += [nn.Conv2d(before, width, 4, stride=stride, padding=1, bias=False),
                      nn.GroupNorm(groups, width), nn.LeakyReLU(0.2)]
        self.main = nn.Sequential(*steps, nn.Conv2d(width, 1, 4, stride=1, padding=1))

    def forward(self, x):
        return self.main(x)


def case(channels, ndf, layers, groups, size, watched):
    model = fill(PatchDiscriminator(channels, ndf, layers, groups))
    x = data('x', 2, channels, size, size).requires_grad_(True)
    y = model(x)
    (y * data('loss', *y.shape)).sum().backward()
    return {
        'config': {'input_nc': channels, 'ndf': ndf, 'n_layers': layers, 'norm_num_groups': groups},
        'size': size, 'keys': {key: list(value.shape) for key, value in model.state_dict().items()},
        'output': summary(y), 'inputGradient': summary(x.grad),
        'gradients': gradients(model, watched),
    }


write(__file__, {
    'two': case(1, 4, 2, 2, 20, ['main.0.weight', 'main.2.weight', 'main.3.bias', 'main.8.weight']),
    'five': case(3, 2, 5, 2, 96, ['main.0.bias', 'main.14.weight', 'main.17.weight']),
})
