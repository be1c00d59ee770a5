"""Prints test/golden/displacement.json: three displacement fields, followed one after another.

usage: python3 test/golden/displacement.py > test/golden/displacement.json
"""
import json

import numpy as np
from scipy.ndimage import map_coordinates

y, x = np.mgrid[0:8, 0:9].astype(float)
fields = [
    np.stack([1.5 * np.sin(0.5 * x + k), 1.2 * np.cos(0.4 * y - 0.3 * x + k)]).astype(np.float32)
    for k in range(3)
]
total = np.zeros((2, 8, 9))
for field in fields:
    at = [y + total[1], x + total[0]]
    total = total + np.stack(
        [map_coordinates(part.astype(float), at, order=1, mode="nearest") for part in field]
    )
print(json.dumps({
    "fields": np.stack(fields, axis=1).ravel().astype(float).round(7).tolist(),
    "total": total.ravel().round(6).tolist(),
}))
