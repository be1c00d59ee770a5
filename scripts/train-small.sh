#!/usr/bin/env bash
# train-small.sh FOLDER: makes the released models again, from the phantom to models/small and
# models/echo-features. Goes on where it stopped; about two hours on two cores.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
folder=${1:?"expected a folder for data and run"}
data=$folder/phantom
run=$folder/run

[ -d "$data/database_split" ] || ./heartbeat phantom --patients 240 --seed 1 --output "$data"
for stage in vae image-encoder image video segmenter echo-video; do
  [ -d "$run/$stage/model" ] && continue
  ./heartbeat train "$stage" --preset small --data "$data" --output "$run" \
    --resume-from-checkpoint latest
done
node --import tsx scripts/release-model.ts "$run" models/small
node --import tsx scripts/release-echo-features.ts "$run" models/echo-features
