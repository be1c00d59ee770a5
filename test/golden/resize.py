"""Prints test/golden/resize.json: OpenCV's INTER_AREA, INTER_LINEAR and INTER_NEAREST_EXACT.

usage: python3 test/golden/resize.py > test/golden/resize.json
"""
import json

import cv2
import numpy as np

y, x = np.mgrid[0:7, 0:10]
picture = np.sin(0.7 * x + 1.3 * y).astype(np.float32)
shrunk = cv2.resize(picture, (4, 3), interpolation=cv2.INTER_AREA)
grown = cv2.resize(picture, (13, 9), interpolation=cv2.INTER_LINEAR)
labels = ((x // 3 + y // 2) % 4).astype(np.uint8)
larger = cv2.resize(labels, (13, 9), interpolation=cv2.INTER_NEAREST_EXACT)
# The vote: the label whose indicator has the largest area average, the larger label when equal.
shares = np.stack(
    [cv2.resize((labels == k).astype(np.float64), (4, 3), interpolation=cv2.INTER_AREA) for k in range(4)]
)
best = 3 - np.argmax(np.round(shares[::-1], 9), axis=0)
print(json.dumps({
    "picture": picture.ravel().round(7).tolist(),
    "shrunk": shrunk.ravel().astype(float).round(6).tolist(),
    "grown": grown.ravel().astype(float).round(6).tolist(),
    "labels": labels.ravel().tolist(),
    "larger": larger.ravel().tolist(),
    "voted": best.ravel().tolist(),
}))
