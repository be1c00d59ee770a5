#!/usr/bin/env bash
# npm run bench [-- FLAGS]: sets up what is missing, then measures this engine beside PyTorch.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bash scripts/setup.sh all
exec node --import tsx bench/engine.ts "$@"
