"""Reference numbers for src/conditions: prints conditions.json.

python3 test/golden/conditions.py > test/golden/conditions.json   (numpy, scipy, opencv-python)
"""
import json

import cv2
import numpy as np
from scipy.interpolate import RBFInterpolator
from scipy.ndimage import distance_transform_edt, gaussian_filter


def rounded(values, digits=6):
    return [round(float(v), digits) for v in np.asarray(values).ravel()]


def shape(height, width):
    """A ring with a notch: convex and concave borders, a hole, a part at the picture's edge."""
    y, x = np.mgrid[0:height, 0:width].astype(float)
    r = np.hypot(x - 6.2, y - 5.1)
    return ((r < 4.6) & (r > 1.7) & ~((x > 8) & (np.abs(y - 5) < 1))) | (x + y > 19)


def distances():
    inside = shape(11, 14)
    signed = np.where(
        inside, distance_transform_edt(inside) - 0.5, 0.5 - distance_transform_edt(~inside))
    return {"inside": inside.astype(int).ravel().tolist(), "signed": rounded(signed)}


def gaussian():
    values = shape(11, 14).astype(float)
    return {str(s): rounded(gaussian_filter(values, s, mode="reflect", truncate=4)) for s in (0.8, 2.5)}


def thin_plate():
    before = np.array([[3, 4], [20, 5], [11, 18], [6, 12], [17, 13.5], [12, 2]], float)
    after = before + np.array([[1, 0.5], [-2, 1], [0.3, -3], [2, 2], [-1, -1], [0, 1.5]])
    asked = np.array([[0, 0], [10, 10], [25, 3], [3, 4], [14.5, 22]], float)
    maps = {
        str(s): rounded(RBFInterpolator(before, after, kernel="thin_plate_spline", smoothing=s)(asked))
        for s in (0, 2.0)
    }
    return {"from": before.tolist(), "to": after.tolist(), "asked": asked.tolist(), "maps": maps}


def wheel_colours():
    """The colour coding of Middlebury's computeColor, from its description."""
    steps = dict(ry=15, yg=6, gc=4, cb=11, bm=13, mr=6)
    rows = []
    for k, (name, n) in enumerate(steps.items()):
        up = np.floor(255 * np.arange(n) / n)
        row = np.zeros((n, 3))
        full, change = [(0, 1), (1, 0), (1, 2), (2, 1), (2, 0), (0, 2)][k]
        row[:, full] = 255
        row[:, change] = up if k % 2 == 0 else 255 - up
        rows.append(row)
    wheel = np.concatenate(rows)
    flows = [(1, 0), (0, 1), (-0.6, 0.2), (0.3, -0.9), (0, 0), (1.5, 1.5), (-0.01, -0.7)]
    colours = []
    for u, v in np.array(flows, float):
        radius = np.hypot(u, v)
        place = (np.arctan2(-v, -u) / np.pi + 1) / 2 * (len(wheel) - 1)
        low = int(np.floor(place))
        share = place - low
        hue = ((1 - share) * wheel[low] + share * wheel[(low + 1) % len(wheel)]) / 255
        value = 1 - radius * (1 - hue) if radius <= 1 else hue * 0.75
        colours.append(np.floor(255 * value).astype(int).tolist())
    return {"flows": flows, "colours": colours}


def texture(side, dx, dy):
    """Incommensurable waves moved by (dx, dy), in [0,1]."""
    y, x = np.mgrid[0:side, 0:side].astype(float)
    x, y = x - dx, y - dy
    waves = (np.sin(0.61 * x + 0.13 * y) + np.sin(0.29 * x - 0.47 * y + 1)
             + np.sin(-0.17 * x + 0.71 * y + 2) + np.sin(0.43 * x + 0.39 * y + 3))
    return 0.5 + waves / 8


def farneback():
    side = 64
    grey = [np.floor(255 * texture(side, dx, dy) + 0.5).astype(np.uint8)
            for dx, dy in ((0, 0), (1.5, -0.8))]
    window = max(5, 2 * int(np.floor((0.2 * side - 1) / 2 + 0.5)) + 1)
    flow = cv2.calcOpticalFlowFarneback(
        grey[0], grey[1], None, 0.5, 3, window, 3, 5, 1.1, cv2.OPTFLOW_FARNEBACK_GAUSSIAN)
    picked = flow[4::8, 4::8]
    return {"side": side, "dx": rounded(picked[..., 0], 4), "dy": rounded(picked[..., 1], 4)}


print(json.dumps({
    "distance": distances(),
    "gaussian": gaussian(),
    "thin_plate": thin_plate(),
    "wheel": wheel_colours(),
    "farneback": farneback(),
}))
