#!/usr/bin/env bash
# npm run parity [-- NETWORK...]: sets up what is missing, then compares the full-size upstream networks
# with their references' answers (test/parity/full-size.ts). Minutes, and up to 7 GB of memory.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bash scripts/setup.sh all
exec node --import tsx test/parity/full-size.ts "$@"
