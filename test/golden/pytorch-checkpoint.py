"""Checkpoints that PyTorch wrote, and what is in them.

Run: python pytorch-checkpoint.py (torch 2 and numpy); writes pytorch-checkpoint/*.pt and
pytorch-checkpoint.json: for each file the dtype, shape and bytes (row by row, little-endian) of
every tensor, and the plain values.
"""
import collections
import io
import json
import pathlib
import pickle
import struct
import warnings
import zipfile

import numpy
import torch

warnings.simplefilter('ignore')
HERE = pathlib.Path(__file__).parent
FILES = HERE / 'pytorch-checkpoint'
FILES.mkdir(exist_ok=True)
DTYPES = ['float32', 'float64', 'float16', 'bfloat16', 'uint8', 'int8', 'int16', 'int32', 'int64', 'bool',
          'complex64', 'complex128']


def bytes_of(tensor):
    plain = tensor.detach().clone(memory_format=torch.contiguous_format).reshape(-1)
    return bytes(plain.view(torch.uint8).tolist()).hex() if plain.numel() else ''


def tensors_of(value, path=()):
    if torch.is_tensor(value):
        entry = {'dtype': str(value.dtype).split('.')[1], 'shape': list(value.shape), 'bytes': bytes_of(value)}
        if value.requires_grad:
            entry['requiresGrad'] = True
        return {'.'.join(path): entry}
    items = []
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, (list, tuple)):
        items = enumerate(value)
    return {
        name: entry for key, item in items
        for name, entry in tensors_of(item, (*path, str(key))).items()
    }


def dtypes():
    out = {}
    for name in DTYPES:
        dtype = getattr(torch, name)
        if name == 'bool':
            out[name] = torch.tensor([[True, False, True], [False, False, True]])
        elif dtype.is_complex:
            out[name] = torch.tensor([[1.5 - 2j, 3j, -1], [0, 1e-3 + 1e3j, float('inf')]], dtype=dtype)
        elif dtype.is_floating_point:
            out[name] = torch.tensor([[1.5, -0.0, 3.14159], [float('nan'), float('-inf'), 1e-7]], dtype=dtype)
        else:
            info = torch.iinfo(dtype)
            out[name] = torch.tensor([[info.min, info.max, 0], [1, 2, 100]], dtype=dtype)
    return out


def views():
    base = torch.arange(24, dtype=torch.float32)
    grid = base.reshape(4, 6)
    half = torch.arange(12).to(torch.bfloat16).reshape(3, 4)
    long = torch.arange(100, 130)
    tied = torch.tensor([7, 8], dtype=torch.int16)
    wide = torch.arange(48, dtype=torch.float64).reshape(1, 3, 4, 4)
    return {
        'base': base, 'grid': grid, 'transposed': grid.t(), 'tail': base[20:], 'column': grid[:, 2],
        'window': grid[1:3, 2:5], 'steps': base[1::5], 'half.transposed': half.t(),
        'long.permuted': long.reshape(2, 3, 5).permute(2, 0, 1), 'diagonal': grid.diagonal(),
        'channels_last': wide.to(memory_format=torch.channels_last),
        'zero': torch.zeros(0, 3), 'scalar': torch.tensor(2.5), 'one': grid[2, 3],
        'expanded': base[:2, None].expand(2, 3), 'tied.first': tied, 'tied.second': tied,
        'ones': torch.ones(1, 5, 1)[:, ::2], 'c': torch.tensor([[1 + 1j, 2], [3, 4j]]).t(),
        'bytes': torch.arange(9, dtype=torch.uint8).reshape(3, 3).t(),
        'far': torch.arange(400, dtype=torch.int16)[::199],
    }


def network():
    torch.manual_seed(1)
    layers = (torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2), torch.nn.Linear(2, 2, bias=False))
    return torch.nn.Sequential(*layers)


def training():
    net = torch.nn.Linear(3, 2)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, [3, 3, 5])
    net(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    return {'epoch': 7, 'state_dict': net.state_dict(), 'optimizer': optimizer.state_dict(),
            'schedule': schedule.state_dict(), 'rng': torch.arange(5, dtype=torch.uint8)}


PLAIN = {
    'small': 200, 'negative': -129, 'large': 70000, 'exact': 2 ** 53 - 1, 'past': 2 ** 53 + 1, 'huge': -(2 ** 200) + 5,
    'float': 0.1, 'text': 'caf\u00e9 \u5fc3 \U0001fac0 "q"\n', 'long': 'x' * 300, 'yes': True, 'no': False,
    'none': None,
    'list': [1, [2, 'b'], []], 'tuple': (1, (2, 3, 4), ()), 'nested': {'a': {'b': 1}, 5: 'five', (1, 2): 'pair'},
    '__proto__': {'polluted': True}, 'constructor': 'c', 'toString': 't',
}
SPECIAL = {
    'size': torch.Size([2, 3]), 'device': torch.device('cuda', 1), 'cpu': torch.device('cpu'),
    'dtype': torch.bfloat16,
    'bytes': bytes(range(250, 256)), 'bytearray': bytearray(b'abc'), 'set': {1, 2}, 'frozen': frozenset(['a']),
    'counter': collections.Counter('aab'),
    'f8': numpy.float64(2.5), 'f4': numpy.float32(0.5), 'i8': numpy.int64(-7),
    'u1': numpy.uint8(255), 'big': numpy.float64(1.25).astype('>f8'),
    'b1': numpy.bool_(True), 'u8': numpy.uint64(2 ** 64 - 1),
    'i2': numpy.int16(-2), 'empty': b'',
}

expected = {}


def write(name, value, make=None, **options):
    """One file and its entry; `make` writes the file where torch.save does not."""
    path = FILES / f'{name}.pt'
    (make or torch.save)(value, path, **options)
    expected[name] = {'tensors': tensors_of(value)}


def deflated(value, path):
    plain = io.BytesIO()
    torch.save(value, plain)
    with zipfile.ZipFile(plain) as given, zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as made:
        for name in given.namelist():
            made.writestr(name, given.read(name))


def old_views(value, path):
    """The storage views of old files, which torch.load still reads and torch.save no longer writes."""
    class Pickler(pickle.Pickler):
        def persistent_id(self, item):
            if isinstance(item, torch.storage.TypedStorage):
                first = item._untyped_storage.data_ptr() - base.data_ptr()
                view = None if item._size() == 10 else (f'v{first}', first // 4, item._size())
                return ('storage', torch.FloatStorage, 'root', 'cpu', 10, view)
            return None

    with open(path, 'wb') as file:
        for plain in (0x1950a86a20f9469cfc6c, 1001, {'little_endian': True}):
            pickle.dump(plain, file, protocol=2)
        Pickler(file, protocol=2).dump(value)
        pickle.dump(['root'], file, protocol=2)
        file.write(struct.pack('<q', 10) + struct.pack('<10f', *base.tolist()))
    read = torch.load(path, weights_only=True)
    assert all(torch.equal(read[key], item) for key, item in value.items())


def piece(first, count):
    """A tensor whose storage is a part of the base's storage."""
    storage = base.untyped_storage()[4 * first:4 * (first + count)]
    typed = torch.storage.TypedStorage(wrap_storage=storage, dtype=torch.float32, _internal=True)
    return torch.tensor([]).set_(typed)


base = torch.arange(10, dtype=torch.float32)
for form, options in (('zip', {}), ('legacy', {'_use_new_zipfile_serialization': False})):
    write(f'dtypes-{form}', dtypes(), **options)
    write(f'views-{form}', views(), **options)
    write(f'network-{form}', network().state_dict(), **options)
    write(f'parameters-{form}', dict(network().named_parameters()), **options)
    torch.manual_seed(2)
    write(f'training-{form}', training(), **options)
    write(f'plain-{form}', PLAIN, **options)
    write(f'special-{form}', SPECIAL, **options)
    for protocol in (4, 5):
        everything = {**training(), 'special': SPECIAL, 'plain': PLAIN}
        write(f'protocol{protocol}-{form}', everything, pickle_protocol=protocol, **options)
write('list-zip', [torch.ones(2), (torch.zeros(1, dtype=torch.int32), {'deep': torch.eye(2)})])
write('tensor-zip', torch.tensor([1, 2, 3]))
write('deflated', {'a': torch.arange(60, dtype=torch.float32).reshape(6, 10), 'b': torch.zeros(500)}, deflated)
write('old-views', {'whole': base, 'middle': piece(3, 4), 'end': piece(8, 2)}, old_views)

for name, value, options in (
    ('refused-module-zip', torch.nn.Linear(1, 1), {}),
    ('refused-float8', {'x': torch.zeros(2).to(torch.float8_e4m3fn)}, {}),
    ('refused-array', {'x': numpy.zeros(2)}, {}),
    ('refused-conjugate', {'x': torch.tensor([1j]).conj()}, {}),
    ('refused-storage', {'x': torch.zeros(2).untyped_storage()}, {}),
):
    torch.save(value, FILES / f'{name}.pt', **options)
torch.jit.save(torch.jit.script(torch.nn.Identity()), str(FILES / 'refused-script.pt'))

(HERE / 'pytorch-checkpoint.json').write_text(json.dumps(expected, indent=1) + '\n')
