"""Prints random-stream.json: the reference numbers of src/frames/random.ts (xoshiro128**)."""
import json
import math

M = 0xFFFFFFFF


def mix(data, start):
    h = start
    for byte in data:
        h = ((h ^ byte) * 0x01000193) & M
    h ^= h >> 16
    h = (h * 0x85EBCA6B) & M
    h ^= h >> 13
    h = (h * 0xC2B2AE35) & M
    return h ^ (h >> 16)


def rotl(x, k):
    return ((x << k) | (x >> (32 - k))) & M


class Stream:
    def __init__(self, key):
        data = json.dumps(key, separators=(",", ":")).encode()
        self.s = [mix(data, lane) for lane in (0x811C9DC5, 0x9E3779B9, 0x85EBCA6B, 0xC2B2AE35)]
        self.spare = None

    def next(self):
        s = self.s
        result = (rotl((s[1] * 5) & M, 7) * 9) & M
        t = (s[1] << 9) & M
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= t
        s[3] = rotl(s[3], 11)
        return result

    def uniform(self):
        return self.next() / 2**32

    def normal(self):
        if self.spare is not None:
            kept, self.spare = self.spare, None
            return kept
        while True:
            x, y = 2 * self.uniform() - 1, 2 * self.uniform() - 1
            r = x * x + y * y
            if 0 < r < 1:
                scale = math.sqrt(-2 * math.log(r) / r)
                self.spare = y * scale
                return x * scale

    def integer(self, n):
        limit = 2**32 - 2**32 % n
        while True:
            v = self.next()
            if v < limit:
                return v % n


rows = []
for key in ([0], ["phantom", 7, 1, "noise"], ["a", -3]):
    u, n, i = Stream(key), Stream(key), Stream(key)
    rows.append({"key": key, "uniform": [u.uniform() for _ in range(8)],
                 "normal": [n.normal() for _ in range(8)], "integer": [i.integer(10) for _ in range(12)]})
print(json.dumps(rows, indent=1))
