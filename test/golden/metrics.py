"""Golden numbers of the metrics: SSIM by scikit-image, all else in plain numpy and scipy.

Run: python metrics.py (numpy, scipy, scikit-image); writes metrics.json. The pictures are those of
reference_fill.py, made smooth so that they have structure.
"""
import numpy as np
from scipy.ndimage import distance_transform_edt, uniform_filter
from skimage.metrics import structural_similarity

from reference_fill import uniform, write


def picture(key, *shape):
    """In [0, 1]: noise averaged over 3 x 3 (borders repeated), stretched."""
    values = (uniform(key, shape).numpy().astype(np.float64) + 1) / 2
    size = (1,) * (len(shape) - 2) + (3, 3)
    smooth = uniform_filter(values, size=size, mode='nearest')
    return np.clip(2.5 * (smooth - 0.5) + 0.5, 0, 1).astype(np.float32).astype(np.float64)


a, b = picture('a', 2, 20, 24), picture('b', 2, 20, 24)
mixed = (0.7 * a + 0.3 * b).astype(np.float32).astype(np.float64)
ssim = [
    float(np.mean([
        structural_similarity(p, q, gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
                              data_range=1.0)
        for p, q in zip(a, other)
    ]))
    for other in (b, mixed)
]

# radial power spectrum under a window
side = 16
video = picture('video', 3, side, side)
y, x = np.mgrid[0:side, 0:side]
depth = 7.0 - np.hypot(x - 7.5, y - 7.5)
window = (np.sin(np.pi / 2 * np.clip(depth / 3, 0, 1)) ** 2).astype(np.float32).astype(np.float64)
radii = side // 2
fy = np.fft.fftfreq(side)[:, None] * side
fx = np.fft.fftfreq(side)[None, :] * side
r = np.round(np.hypot(fx, fy)).astype(int)
power = []
for frame in video:
    mean = (window * frame).sum() / window.sum()
    power.append(np.abs(np.fft.fft2(window * (frame - mean))) ** 2 / (window ** 2).sum())
power = np.mean(power, 0)
spectrum = [float(power[r == k].mean()) for k in range(1, radii + 1)]
shares = np.arange(1, radii + 1) / radii
bands = [
    float(np.mean(np.array(spectrum)[(shares > low) & (shares <= high)]))
    for low, high in ((0.25, 0.5), (0.5, 0.75), (0.75, 1))
]

# flow: two fields over the side, labels in 0..3
flows = uniform('flows', (2, 2, 3, 10, 12)).numpy().astype(np.float64) / 16
labels = np.floor((uniform('labels', (3, 10, 12)).numpy() + 1) * 2).astype(int)
found, asked = 12 * flows
within = labels[:2] == 2
error = np.hypot(*(found - asked))[:2][within].mean()
still = np.hypot(*asked)[:2][within].mean()
dot = (found * asked).sum(0)[:2][within].sum() / (asked * asked).sum(0)[:2][within].sum()
inside = labels[0] > 0
difference = np.mean([((video[t + 1] - video[t]) ** 2)[depth > 0] for t in range(2)])

# edges
edges = [picture(key, 24, 24) for key in ('edges found', 'edges asked')]
region = np.zeros((24, 24), bool)
region[3:21, 2:22] = True
e_found, e_asked = [e >= 0.75 for e in edges]
near_asked = distance_transform_edt(~e_asked) <= 1.5
near_found = distance_transform_edt(~e_found) <= 1.5
precision = near_asked[e_found & region].mean()
recall = near_found[e_asked & region].mean()

# grey levels
histograms = [np.histogram(v[:, depth > 0], bins=64, range=(0, 1))[0] for v in (video, video ** 2)]
p, q = [h / h.sum() for h in histograms]
emd = 255 * np.abs(np.cumsum(p - q)).sum() / 64

write(__file__, {
    'ssim': ssim, 'spectrum': spectrum, 'bands': bands,
    'flow': {'error': error, 'still': still, 'following': dot, 'pixels': int(within.sum())},
    'frameDifference': float(difference),
    'edges': {'precision': float(precision), 'recall': float(recall),
              'f1': float(2 * precision * recall / (precision + recall)),
              'found': int((e_found & region).sum()), 'asked': int((e_asked & region).sum())},
    'histogramDistance': float(emd),
    'quantiles': [float(np.quantile([1.0, 2.0, 4.0, 8.0, 16.0], s)) for s in (0.025, 0.5, 0.9)],
})
