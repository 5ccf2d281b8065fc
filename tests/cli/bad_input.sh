#!/usr/bin/env bash
# Wrong input and usage give exit code 2 and a message with its place: no abort, no empty output.
set -euo pipefail
moesim=$1
source=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
scenario=$source/workloads/mixtral-8x7b/scenario.toml

# expect TEXT COMMAND...: the command fails with code 2, stderr holds TEXT, stdout is empty.
expect() {
  local text=$1 code=0
  shift
  "$@" >"$work/out" 2>"$work/err" || code=$?
  if [[ $code != 2 ]] || ! grep -qF -- "$text" "$work/err" || [[ -s $work/out ]]; then
    echo "command: $*"; echo "code: $code, expected text: $text"; cat "$work/err" "$work/out"; exit 1
  fi
}

expect 'did you mean "parallel"?' "$moesim" simulate "$scenario" --set paralel.expert=8
expect 'did you mean "expert"?' "$moesim" simulate "$scenario" --set parallel.exprt=8
expect 'the nearest number that can is 132' "$moesim" simulate "$scenario" --set cluster.gpus=130
expect '8 experts cannot be split over expert 3' "$moesim" simulate "$scenario" --set parallel.expert=3
expect 'GPUs are more than the 16384' "$moesim" simulate "$scenario" --set cluster.gpus=32768
expect 'cannot be split into micro-batches' "$moesim" simulate "$scenario" --set training.global_batch=1000
expect 'is not modelled yet' "$moesim" simulate "$scenario" --set parallel.schedule=dualpipe
expect 'must be a whole number' "$moesim" simulate "$scenario" --set cluster.gpus=many
expect 'cannot be read' "$moesim" simulate "$work/absent.toml"
expect 'is required' "$moesim" simulate
expect 'expected KEY=VALUE' "$moesim" simulate "$scenario" --set cluster.gpus

printf '[model\nconfig = 3\n' >"$work/broken.toml"
expect 'broken.toml:1:7: error: not TOML' "$moesim" simulate "$work/broken.toml"
sed "s|config.json|$work/config.json|; s|../../topologies|$source/topologies|" "$scenario" >"$work/scenario.toml"
printf '{"model_type": "mixtral",}' >"$work/config.json"
expect 'config.json:1:26: error: not JSON' "$moesim" simulate "$work/scenario.toml"
printf '{"model_type": "mixtral", "hidden_size": 8}' >"$work/config.json"
expect 'the key "vocab_size" is missing' "$moesim" simulate "$work/scenario.toml"

cp -r "$source/calibration" "$work/calibration"
sed -i '6s/,0\./,O./' "$work/calibration/network.csv"
expect 'is not a number' "$moesim" --calibration "$work/calibration" simulate "$scenario"
printf '# size count type time busbw\n 1024 8 float 3.0\n' >"$work/cut.log"
expect 'cut.log:2:15: error: the row has 4 columns' "$moesim" calibrate "$work/cut.log" --out "$work/c"

printf 'scenario = "%s"\n[axes]\ncluster.gpus = []\n' "$scenario" >"$work/sweep.toml"
expect 'a list with at least one value' "$moesim" sweep "$work/sweep.toml" --out "$work/out.d"
printf 'scenario = "%s"\n[axes]\ncluster.gpu = [8]\n' "$scenario" >"$work/sweep.toml"
expect 'did you mean "gpus"?' "$moesim" sweep "$work/sweep.toml" --out "$work/out.d"
expect 'expected I/N' "$moesim" sweep "$source/workloads/mixtral-8x7b/sweep.toml" --out "$work/o" --shard 3/2
[[ ! -e $work/out.d/results.csv ]]
expect 'results.csv' "$moesim" report "$work"
echo "every wrong input was refused"
