"""Golden Hausdorff distances of label maps, by medpy 0.5.2 (hd and hd95), frame by frame.

Run: python hausdorff.py (numpy, scipy, medpy); writes hausdorff.json.
"""
import json
import os

import numpy as np
from medpy.metric.binary import hd, hd95


def labels(shift):
    """Two frames of 24 x 30: a disc (1) that touches the edge in frame 1, and a box (2)."""
    y, x = np.mgrid[:24, :30]
    frames = []
    for t in range(2):
        frame = np.zeros((24, 30), np.uint8)
        frame[((x - 12 - shift) ** 2 + (1.3 * (y - 8 + 5 * t)) ** 2) < (6 + t) ** 2] = 1
        frame[17 + shift:22, 3 + t:20 - 2 * shift] = 2
        frames.append(frame)
    return np.stack(frames)


a, b = labels(0), labels(2)
out = {}
for label in (1, 2):
    pairs = [(a[t] == label, b[t] == label) for t in range(2)]
    out[str(label)] = {
        'most': float(np.mean([hd(p, q, 0.7, 1) for p, q in pairs])),
        'percentile95': float(np.mean([hd95(p, q, 0.7, 1) for p, q in pairs])),
    }
path = os.path.splitext(os.path.abspath(__file__))[0] + '.json'
with open(path, 'w') as file:
    json.dump({'a': a.flatten().tolist(), 'b': b.flatten().tolist(), 'distances': out}, file)
