"""PyTorch's side of bench/engine.ts: `python engine.py JOB`, a JSON object; prints one as well.

The measurements are those of bench/engine-side.ts, one for one.
"""
import contextlib
import json
import os
import resource
import sys
import time

import numpy as np
import torch

here = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [here, os.path.join(here, '..', 'test', 'golden')]
from engine_network import UNet, attend  # noqa: E402
from reference_fill import data  # noqa: E402

job = json.loads(sys.argv[1])
torch.set_num_threads(job['threads'])
dtype = {'float32': torch.float32, 'bfloat16': torch.bfloat16}[job['dtype']]
layout = torch.channels_last if job['channelsLast'] else torch.contiguous_format


def resident(key):
    """Bytes of VmRSS or VmHWM; the process's largest where the system has no such file."""
    try:
        with open('/proc/self/status') as file:
            line = next(line for line in file if line.startswith(key))
        return int(line.split()[1]) * 1024
    except OSError:
        unit = 1 if sys.platform == 'darwin' else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def forget_peak():
    with contextlib.suppress(OSError), open('/proc/self/clear_refs', 'w') as file:
        file.write('5')


def weights():
    """The float32 tensors of job.folder's safetensors file."""
    with open(os.path.join(job['folder'], 'weights.safetensors'), 'rb') as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), 'little')))
        out = {}
        for key, entry in header.items():
            if key != '__metadata__':
                begin, end = entry['data_offsets']
                flat = np.fromfile(file, '<f4', (end - begin) // 4)
                out[key] = torch.from_numpy(flat.reshape(entry['shape']))
    return out


def timed(work, repeats=1):
    """Wall and processor milliseconds of one `work`, medians of the job's iterations."""
    for _ in range(job['warmUp']):
        work()
    wall, processor = [], []
    for _ in range(job['iterations']):
        began, used = time.perf_counter(), time.process_time()
        for _ in range(repeats):
            work()
        wall.append((time.perf_counter() - began) * 1000 / repeats)
        processor.append((time.process_time() - used) * 1000 / repeats)
    return {'wall': float(np.median(wall)), 'processor': float(np.median(processor))}


def convolution_cases():
    out = {}
    for n, c, side in job['convolutions']:
        x = data('x', n, c, side, side).to(dtype).contiguous(memory_format=layout)
        weight = data('weight', c, c, 3, 3).to(dtype).contiguous(memory_format=layout)
        seed = data('seed', n, c, side, side).to(dtype).contiguous(memory_format=layout)
        name = f'convolution {n}x{c}x{side}x{side}'

        def forward():
            with torch.no_grad():
                torch.conv2d(x, weight, None, 1, 1)

        def both():
            a, b = x.detach().requires_grad_(), weight.detach().requires_grad_()
            torch.conv2d(a, b, None, 1, 1).backward(seed)

        out[f'{name}, forward'] = timed(forward)
        out[f'{name}, forward and backward'] = timed(both)
    return out


def attention_cases():
    out = {}
    for b, heads, n, m, d in job['attentions']:
        q = data('q', b, n, heads * d).to(dtype)
        k, v = (data(key, b, m, heads * d).to(dtype) for key in 'kv')
        seed = data('seed', b, n, heads * d).to(dtype)
        name = f'attention {b}x{heads}x{n}x{d} on {m}'

        def forward():
            with torch.no_grad():
                attend(q, k, v, heads)

        def both():
            attend(*(x.detach().requires_grad_() for x in (q, k, v)), heads).backward(seed)

        out[f'{name}, forward'] = timed(forward)
        out[f'{name}, forward and backward'] = timed(both)
    return out


def overhead():
    a, b = data('a', 8), data('b', 8)

    def adds():
        for _ in range(100):
            a + b

    one = timed(adds, 20)
    return {key: value / 100 for key, value in one.items()}


class Steps:
    """The network, its inputs, and one training and one sampling step."""

    def __init__(self, training):
        # Half-precision training keeps float32 weights and casts at use; sampling casts them once.
        self.net = UNet(job['unet'])
        self.net.load_state_dict(weights())
        self.mixed = training and dtype == torch.bfloat16
        self.inner = dtype if not training else torch.float32
        self.net.to(self.inner).to(memory_format=layout)
        clips, frames = (job['clips'] if training else 1), job['frames']
        c, side = job['unet']['in_channels'], job['unet']['sample_size']
        latents = (clips * frames, c, side, side)
        width = job['unet']['cross_attention_dim']
        self.z0, self.noise = data('z0', *latents), data('noise', *latents)
        self.local = data('local', latents[0], job['unet']['localChannels'], side, side)
        self.text = data('text', clips, job['textTokens'], width).to(self.inner)
        self.empty = data('empty', clips, job['textTokens'], width).to(self.inner)
        self.image = data('image', clips, job['imageTokens'], width).to(self.inner)
        self.local = self.local.to(self.inner)
        self.t = torch.tensor(job['t'][:clips])
        if training:
            self.parameters = dict(sorted(self.net.named_parameters()))
            version = tuple(int(part) for part in torch.__version__.split('.')[:2])
            how = {'fused': True} if version >= (2, 4) else {'foreach': True}
            self.adam = torch.optim.Adam(self.parameters.values(), lr=job['lr'], **how)
            self.ema = [p.detach().clone() for p in self.parameters.values()]
            self.updates = 0
            frames_of = lambda values: torch.tensor(  # noqa: E731
                [value for value in values[:clips] for _ in range(frames)]
            )[:, None, None, None]
            self.signal, self.sigma = frames_of(job['signal']), frames_of(job['noise'])

    def predict(self, z, t, text, image, local):
        z = z.to(self.inner).contiguous(memory_format=layout)
        if not self.mixed:
            return self.net(z, t, text, image, local).float()
        with torch.autocast('cpu', torch.bfloat16):
            return self.net(z, t, text, image, local).float()

    def loss(self):
        zt = self.z0 * self.signal + self.noise * self.sigma
        prediction = self.predict(zt, self.t, self.text, self.image, self.local)
        return torch.nn.functional.mse_loss(prediction, self.noise)

    def train(self):
        loss = self.loss()
        loss.backward()
        parameters = list(self.parameters.values())
        norm = torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        self.adam.step()
        self.adam.zero_grad(set_to_none=True)
        decay = min(job['emaDecay'], (1 + self.updates) / (10 + self.updates))
        self.updates += 1
        with torch.no_grad():
            torch._foreach_mul_(self.ema, decay)
            torch._foreach_add_(self.ema, parameters, alpha=1 - decay)
        return loss.item(), norm.item()

    @torch.no_grad()
    def sample(self):
        """DDIM with guidance, from job.sampling.from to .to."""
        step = job['sampling']
        z, t = self.z0, torch.tensor([step['from']])
        free = self.predict(z, t, self.empty, None, self.local)
        told = self.predict(z, t, self.text, self.image, self.local)
        epsilon = free + (told - free) * step['guidance']
        clean = (z - epsilon * step['noiseFrom']) / step['signalFrom']
        return clean * step['signalTo'] + epsilon * step['noiseTo']


def tensor_peak(work):
    """The most bytes of tensors beyond those that were there before, during one `work`."""
    with torch.profiler.profile(profile_memory=True) as profile:
        work()
    now = most = 0
    events = [e for e in profile.profiler.kineto_results.events() if e.name() == '[memory]']
    clock = 'start_ns' if hasattr(events[0], 'start_ns') else 'start_us'
    for event in sorted(events, key=lambda e: getattr(e, clock)()):
        now += event.nbytes()
        most = max(most, now)
    return most


def step_case(name):
    steps = Steps(name == 'train')
    work = steps.train if name == 'train' else steps.sample
    forget_peak()
    measured = timed(work)
    measured['resident'] = resident('VmHWM') - baseline
    if job['memory']:
        measured['tensors'] = tensor_peak(work)
    return {f'{name} step': measured}


def check():
    """Outputs for the comparison, as flat float32 files in job.folder."""
    def write(name, *tensors):
        flat = np.concatenate([x.detach().float().numpy().ravel() for x in tensors])
        flat.astype('<f4').tofile(os.path.join(job['folder'], f'python-{name}.f32'))

    write('sample', Steps(False).sample())
    steps = Steps(True)
    steps.loss().backward()
    write('gradients', *(p.grad for p in steps.parameters.values()))
    steps.net.zero_grad(set_to_none=True)
    write('loss', torch.tensor(steps.train()))
    write('weights', *steps.parameters.values())
    write('average', *steps.ema)
    return {}


torch.zeros(8) + 1
baseline = resident('VmRSS')
results = {}
for part in job['parts']:
    if part == 'operators':
        if dtype == torch.float32:
            results['add of 8 elements'] = overhead()
        results.update(convolution_cases())
        results.update(attention_cases())
    else:
        results.update(check() if part == 'check' else step_case(part))
print(json.dumps({'torch': torch.__version__, 'results': results}))
