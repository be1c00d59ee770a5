"""Golden Clopper-Pearson intervals by SciPy (scipy.stats.binomtest, and the beta quantiles it takes).

Run: python binomial.py (scipy); writes binomial.json.
"""
import json
import os

from scipy.stats import beta, binomtest

exact = []
for k, n, level in [(0, 1, .95), (1, 1, .95), (0, 24, .95), (1, 24, .95), (3, 24, .95), (24, 24, .95),
                    (2, 50, .95), (17, 40, .9), (5, 1000, .99), (700, 1200, .95)]:
    interval = binomtest(k, n).proportion_ci(level, method='exact')
    exact.append([k, n, level, float(interval.low), float(interval.high)])
real = []
for k, n in [(.5, 24), (1.5, 12), (11.75, 12), (2.4, 19)]:
    real.append([k, n, .95, float(beta.ppf(.025, k, n - k + 1)), float(beta.ppf(.975, k + 1, n - k))])
path = os.path.splitext(os.path.abspath(__file__))[0] + '.json'
with open(path, 'w') as file:
    json.dump({'exact': exact, 'real': real}, file)
