"""Prints what huggingface_hub writes into its cache for the files of test/hub/hub-stand-in.ts.

    pip install huggingface_hub && python test/golden/hub_cache.py > test/golden/hub_cache.json
"""

import hashlib
import json
import os
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

REPOSITORY, COMMIT = "echo/heart", "c0ffee".ljust(40, "0")
LARGE = bytes((at * 31 + (at >> 8) * 17 + 101) & 255 for at in range(300_000))
FILES = {"unet/config.json": b'{"sample_size": 64}\n', "unet/weights.safetensors": LARGE, "empty.txt": b""}


def etag(path):
    data = FILES[path]
    if data is LARGE:
        return hashlib.sha256(data).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


class Hub(BaseHTTPRequestHandler):
    def do_HEAD(self):
        if "/resolve/" not in self.path:
            self.send_error(404)
            return b""
        path = self.path.split(f"/{REPOSITORY}/resolve/", 1)[1].split("/", 1)[1]
        self.send_response(200)
        for name, value in {
            "ETag": f'"{etag(path)}"',
            "X-Repo-Commit": COMMIT,
            "Content-Length": len(FILES[path]),
        }.items():
            self.send_header(name, str(value))
        self.end_headers()
        return FILES[path]

    def do_GET(self):
        self.wfile.write(self.do_HEAD())

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
threading.Thread(target=server.serve_forever, daemon=True).start()
os.environ["HF_ENDPOINT"] = f"http://127.0.0.1:{server.server_port}"
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
import huggingface_hub  # noqa: E402 (it reads the environment when it is imported)

with tempfile.TemporaryDirectory() as cache:
    for name in FILES:
        huggingface_hub.hf_hub_download(REPOSITORY, name, cache_dir=cache, token=False)
    tree = {}
    for folder, _, names in os.walk(os.path.join(cache, "models--echo--heart")):
        for name in names:
            path = os.path.join(folder, name)
            if os.path.islink(path):
                entry = {"link": os.readlink(path)}
            else:
                with open(path, "rb") as file:
                    entry = {"sha256": hashlib.sha256(file.read()).hexdigest()}
            tree[os.path.relpath(path, cache)] = entry
    print(json.dumps({"huggingface_hub": huggingface_hub.__version__, "tree": dict(sorted(tree.items()))}, indent=1))
