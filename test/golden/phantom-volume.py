"""Prints phantom-volume.json: biplane volumes of src/data/phantom/volume.ts by dense integration.

Independent of the program's tables: profiles and motion are written out again from their formulas
and the method of discs, V = pi/4 sum(d2 d4) L / n, is taken at n = 40 on the moved long axis.
"""
import json

import numpy as np


def ease(u):
    u = np.clip(u, 0, 1)
    return 0.5 - 0.5 * np.cos(np.pi * u)


def half_width(v, side, z):
    widest, length = v["halfWidth"][side], v["length"]
    equator, n = v["equator"] * length, v["bluntness"]
    annulus = v["annulusRatio"] * widest
    apical = widest * (1 - np.clip((equator - z) / equator, 0, 1) ** n) ** (1 / n)
    basal = widest + (annulus - widest) * ((z - equator) / (length - equator)) ** 2
    return np.where(z <= equator, apical, basal)


def moved(v, z, a):
    u = z / v["length"]
    return z - v["descent"] * a * (0.55 * u + 0.45 * ease(u))


def factor(v, side, z, a):
    u = z / v["length"]
    s = v["scar"]
    weak = s["severity"] * np.exp(-(((u - s["centre"]) / s["width"]) ** 2)) if s["side"] == side else 0
    ventricle = (1 - weak) * np.where(u < 0.75, 1, 1 - 0.6 * ease((u - 0.75) / 0.35))
    return 1 - v["radial"] * a * ventricle * (1 - ease((u - 1) / 0.12))


def discs(v, a, n=40):
    z = np.linspace(0, v["length"], 200001)
    d = sum(half_width(v, side, z) * factor(v, side, z, a) for side in (0, 1))
    at = moved(v, z, a)
    return at[-1], np.interp((np.arange(n) + 0.5) / n * at[-1], at, d)


def volume(two, four, a):
    l2, d2 = discs(two, a)
    l4, d4 = discs(four, a)
    return float(np.pi / 4 * np.sum(d2 * d4) * max(l2, l4) / len(d2) / 1000)


base = {"length": 82.0, "halfWidth": [23.0, 25.0], "equator": 0.6, "bluntness": 2.2,
        "annulusRatio": 0.72, "descent": 12.5, "radial": 0.22,
        "scar": {"side": 1, "centre": 0.5, "width": 0.2, "severity": 0.0}}
rows = []
for two, four in (
    (base, base),
    (base, {**base, "length": 79.0, "halfWidth": [26.0, 24.5], "radial": 0.3, "bluntness": 1.9}),
    ({**base, "scar": {"side": 0, "centre": 0.4, "width": 0.2, "severity": 0.8}},
     {**base, "equator": 0.52, "annulusRatio": 0.65, "descent": 6.0}),
):
    rows.append({"two": two, "four": four, "contraction": [0, 0.4, 1],
                 "volume": [volume(two, four, a) for a in (0, 0.4, 1)]})
print(json.dumps(rows, indent=1))
