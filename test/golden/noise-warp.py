"""Prints noise-warp.json: the material of every frame followed back to the first one along a smooth flow
(inverted to the last digit, unlike ours), and white noise gathered along it.

    python noise-warp.py > noise-warp.json        # needs numpy and scipy
"""
import json

import numpy as np
from scipy.ndimage import map_coordinates

FRAMES, HEIGHT, WIDTH, CELL = 4, 16, 24, 4
SIDE = max(HEIGHT, WIDTH)
y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float64)


def flow(t):
    """dx, dy over the longer side: a turn, a squeeze and a drift that differ from frame to frame."""
    dx = 0.05 * np.sin(0.25 * y + t) - 0.02 * (x - 12) / 12
    dy = 0.04 * np.cos(0.2 * x - t) + 0.03 * (y - 8) / 8
    return np.float32(dx), np.float32(dy)


def read(values, px, py):
    return map_coordinates(values, [py, px], order=1, mode="nearest")


origin_x, origin_y = x.copy(), y.copy()
origins = []
for t in range(FRAMES):
    origins.append(np.rint(origin_y) * WIDTH + np.rint(origin_x))
    dx, dy = (SIDE * component.astype(np.float64) for component in flow(t))
    px, py = x.copy(), y.copy()
    for _ in range(60):
        px, py = x - read(dx, px, py), y - read(dy, px, py)
    origin_x, origin_y = read(origin_x, px, py), read(origin_y, px, py)

fine = np.sin(1.7 * np.arange(FRAMES * 2 * HEIGHT * WIDTH)).reshape(FRAMES, 2, HEIGHT, WIDTH)
gathered = np.zeros((FRAMES, 2, HEIGHT // CELL, WIDTH // CELL))
for t, index in enumerate(origins):
    index = index.astype(int)
    for row in range(HEIGHT // CELL):
        for column in range(WIDTH // CELL):
            cell = index[row * CELL:(row + 1) * CELL, column * CELL:(column + 1) * CELL].ravel()
            _, counts = np.unique(cell, return_counts=True)
            values = fine[t].reshape(2, -1)[:, cell].sum(1)
            gathered[t, :, row, column] = values / np.sqrt((counts ** 2).sum())
print(json.dumps({
    "shape": [FRAMES, HEIGHT, WIDTH], "cell": CELL,
    "flow": np.float32([[flow(t)[c] for t in range(FRAMES)] for c in range(2)]).ravel().round(7).tolist(),
    "origins": np.int64(origins).ravel().tolist(), "gathered": gathered.ravel().round(6).tolist(),
}))
