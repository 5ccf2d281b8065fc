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
expect 'is not one of uniform' "$moesim" simulate "$scenario" --set routing.load=even
expect 'must be a whole number' "$moesim" simulate "$scenario" --set cluster.gpus=many
expect 'a step has 32 micro-batches' "$moesim" show routing "$scenario" --micro-batch 32
expect 'cannot be read' "$moesim" simulate "$work/absent.toml"
expect 'is required' "$moesim" simulate
expect 'expected KEY=VALUE' "$moesim" simulate "$scenario" --set cluster.gpus

expect "$work/absent/step.json: error: cannot be written" "$moesim" simulate "$scenario" --trace "$work/absent/step.json"
expect '/dev/full: error: cannot be written' "$moesim" simulate "$scenario" --trace /dev/full
expect '/dev/full: error: cannot be written' "$moesim" simulate "$scenario" --links /dev/full

expect 'File name too long' "$moesim" simulate "$scenario" --trace "$work/$(printf 'n%.0s' {1..300})"
expect 'Is a directory' "$moesim" simulate "$scenario" --links "$work"
expect 'is a file that this command reads' "$moesim" simulate "$scenario" --trace "$source/workloads/mixtral-8x7b/../mixtral-8x7b/config.json"
expect 'no key has more than 8 dots' "$moesim" simulate "$scenario" --set "$(printf 'a.%.0s' {1..5000})a=1"
expect 'a setting is one line' "$moesim" simulate "$scenario" --set $'cluster.gpus=16\nfoo=3'
expect '17179869185G is too large' "$moesim" collective all-to-all "$source/topologies/hgx-h100-ndr400.toml" --gpus 16 --bytes 17179869185G
{
  printf 'scenario = "%s"\n[axes]\n' "$scenario"
  for key in cluster.gpus cluster.nic_gbit_per_s model.layers model.experts routing.seed \
    training.global_batch training.sequence_length parallel.pipeline; do
    printf '%s = [%s]\n' "$key" "$(seq -s, 1 256)"
  done
} >"$work/huge.toml"
expect 'the grid has more than 1000000 points' "$moesim" sweep "$work/huge.toml" --out "$work/huge"
printf 'scenario = "%s"\n[axes]\ncluster.gpus = [16]\n"cluster.gpus" = [32]\n' "$scenario" >"$work/twice.toml"
expect 'cluster.gpus is in [axes] already' "$moesim" sweep "$work/twice.toml" --out "$work/huge"
expect 'cluster.gpus varies in this sweep' "$moesim" sweep "$source/workloads/mixtral-8x7b/sweep.toml" --set cluster.gpus=8 --out "$work/huge"
printf '[model\nconfig = 3\n' >"$work/broken.toml"
expect 'broken.toml:1:7: error: not TOML' "$moesim" simulate "$work/broken.toml"
sed "s|config.json|$work/config.json|; s|../../topologies|$source/topologies|" "$scenario" >"$work/scenario.toml"
printf '{"model_type": "mixtral",}' >"$work/config.json"
expect 'config.json:1:26: error: not JSON' "$moesim" simulate "$work/scenario.toml"
expect 'scenario.toml:3:10: the file is named here' "$moesim" simulate "$work/scenario.toml"
printf '{"model_type": "mixtral", "hidden_size": 8}' >"$work/config.json"
expect 'the key "vocab_size" is missing' "$moesim" simulate "$work/scenario.toml"
expect '--set model.config=confg.json:1:14: error: ' "$moesim" simulate "$scenario" --set model.config=confg.json
expect 'did you mean "config.json"?' "$moesim" simulate "$scenario" --set model.config=confg.json

cluster=$source/topologies/hgx-h100-ndr400.toml
# Names of rows of calibration tables are wrong where they stand, not in the table.
sed 's/kind = "h100-sxm"/kind = "h100-smx"/' "$cluster" >"$work/odd.toml"
expect 'odd.toml:6:8: error: gpu.kind: "h100-smx" is not one of' "$moesim" simulate "$scenario" \
  --set "cluster.topology=$work/odd.toml"
expect 'did you mean "h100-sxm"?' "$moesim" simulate "$scenario" --set "cluster.topology=$work/odd.toml"
# Another name with other peaks is a GPU of one's own, marked as such.
sed 's/kind = "h100-sxm"/kind = "own"/; s/^bf16_tflops = .*/bf16_tflops = 500/' "$cluster" >"$work/own.toml"
"$moesim" simulate "$scenario" --no-twins --set "cluster.topology=$work/own.toml" --format csv \
  >"$work/out" 2>"$work/err"
grep -q '^warning: gpu.kind "own" is not in gpus.csv: .* of h100-sxm' "$work/err"
grep -q 'the table of h100-sxm' "$work/out"
expect '--set cluster.host=graze:1:14: error: host: "graze" is not one of' "$moesim" simulate \
  "$scenario" --set cluster.host=graze
expect 'did you mean "grace"?' "$moesim" simulate "$scenario" --set cluster.host=graze
cat >"$work/own-plan.toml" <<TOML
model = {config = "$source/workloads/mixtral-8x7b/config.json"}
training = {tokens = 1e9, sequence_length = 4096, global_batch = 64}
candidate = [{topology = "own.toml", gpus = 16, price_per_gpu_hour = 1}]
TOML
expect 'own.toml:6:8: error: gpu.kind: gpus.csv has no row "own" that says its board power' \
  "$moesim" plan "$work/own-plan.toml" --out "$work/no"
cat >"$work/odd-plan.toml" <<TOML
model = {config = "$source/workloads/mixtral-8x7b/config.json"}
training = {tokens = 1e9, sequence_length = 4096, global_batch = 64}
candidate = [{topology = "odd.toml", gpus = 16, price_per_gpu_hour = 1}]
TOML
expect '--set candidate=[{topology="odd.toml",gpus=0,price_per_gpu_hour=1}]:1:11: error: gpus must be' \
  "$moesim" plan "$work/odd-plan.toml" --out "$work/no" \
  --set 'candidate=[{topology="odd.toml",gpus=0,price_per_gpu_hour=1}]'
expect '--jobs: Value 0 not in range' "$moesim" plan "$work/odd-plan.toml" --out "$work/no" --jobs 0
expect '--format: xml not in {table,csv,json}' "$moesim" simulate "$scenario" --format xml
expect 'odd.toml:6:8: error: gpu.kind: "h100-smx"' "$moesim" plan "$work/odd-plan.toml" --out "$work/no"
expect 'did you mean "all-to-all"?' "$moesim" collective all-to-al "$cluster" --gpus 16 --bytes 1M
expect '"1X" is not a size' "$moesim" collective all-to-all "$cluster" --gpus 16 --bytes 1X
expect 'no size is given' "$moesim" collective all-to-all "$cluster" --gpus 16
expect 'a collective takes 2 GPUs or more' "$moesim" collective all-to-all "$cluster" --gpus 1 --bytes 1M
expect '"ring" is not one of flat, hierarchical' "$moesim" collective all-to-all "$cluster" --gpus 16 --bytes 1M --set collective.algorithm=ring
expect 'did you mean "nics"?' "$moesim" collective all-to-all "$cluster" --gpus 16 --bytes 1M --set cluster.nix=2
expect 'there is no NIC "Node[2].Nic[1]"' "$moesim" collective all-to-all "$cluster" --gpus 16 --bytes 1M --set 'cluster.fault=[{nic="Node[2].Nic[1]"}]'
expect 'a dispatch needs collective.tokens' "$moesim" collective dispatch "$cluster" --gpus 16
expect 'a dispatch takes its bytes from its tokens' "$moesim" collective dispatch "$cluster" --gpus 16 --bytes 1M
tokens=(--set collective.tokens=64 --set collective.hidden=7168 --set collective.experts=256
  --set collective.experts_per_token=8)
expect '256 experts cannot be split over 24 GPUs' "$moesim" collective dispatch "$cluster" --gpus 24 "${tokens[@]}"
expect 'more than the' "$moesim" collective all-to-all "$cluster" --gpus 1000000 --bytes 1M

printf '<graphs version="1"/>\n' >"$work/graph.xml"
expect 'graph.xml:1:1: error: <graphs> are the rings and trees' "$moesim" import nccl-xml "$work/graph.xml" --out "$work/t.toml"
printf 'no matrix\n' >"$work/matrix.txt"
expect 'matrix.txt' "$moesim" import nvidia-smi-topo "$work/matrix.txt" --out "$work/t.toml"
printf '\tGPU0\tGPU1\nGPU0\t X \tPHB\nGPU1\tPHB\t X \n' >"$work/mp.txt"
expect 'was it `nvidia-smi topo -mp`?' "$moesim" import nvidia-smi-topo "$work/mp.txt" --gpu h100-sxm --out "$work/t.toml"
printf 'Switch 36 "S-1"\n' >"$work/fabric.txt"
expect 'fabric.txt' "$moesim" import ibnetdiscover "$work/fabric.txt" --out "$work/t.toml"
printf '\tGPU0\tGPU1\nGPU0\t X \tNV18\nGPU1\tNV18\t X \n' >"$work/matrix.txt"
expect 'it is a folder' "$moesim" import nvidia-smi-topo "$work/matrix.txt" --out "$work"
printf 'run.py --num-layers $L\n' >"$work/train.sh"
expect 'train.sh:1:21: error: 7 values are not in this file: L, the number of GPUs, --hidden-size' "$moesim" import megatron "$work/train.sh" --topology "$cluster" --out "$work/t.toml"
printf 'run.py --num-layers "$L\n' >"$work/open.sh"
expect 'open.sh:1:21: error: reached EOF without closing quote' "$moesim" import megatron "$work/open.sh" --topology "$cluster" --out "$work/t.toml"
expect 'install the Debian package shfmt' env PATH="$work" "$moesim" import megatron "$work/train.sh" --topology "$cluster" --out "$work/t.toml"
expect 'has no block of arguments' "$moesim" import megatron-log "$work/train.sh" --topology "$cluster" --out "$work/t.toml"
expect 'expected NAME=VALUE' "$moesim" import megatron "$work/train.sh" --topology "$cluster" --define L --out "$work/t.toml"
printf 'MODEL_ARGS: [\n' >"$work/recipe.yaml"
expect 'recipe.yaml:2:1: error: not YAML' "$moesim" import megatron "$work/recipe.yaml" --topology "$cluster" --out "$work/t.toml"
[[ ! -e $work/t.toml ]]

expect 'nosuch is no folder' "$moesim" simulate "$scenario" --calibration nosuch
expect 'did you mean "nic_gbit_per_s"?' "$moesim" simulate "$scenario" --set cluster.nic_gbit=200
cp -r "$source/calibration" "$work/calibration"
sed -i '6s/,0\./,O./' "$work/calibration/network.csv"
expect 'is not a number' "$moesim" --calibration "$work/calibration" simulate "$scenario"
printf '# size count type time busbw\n 1024 8 float 3.0\n' >"$work/cut.log"
mkdir "$work/new-gpu"
printf 'precision,m,n,k,time_us\nbf16,64,64,64,1.' >"$work/new-gpu/gemm.csv"
expect 'gemm.csv:2:17: error: the last line has no end' "$moesim" calibrate "$work/new-gpu/gemm.csv" --out "$work/c"
printf 'precision,m,n,k,time_us\nbf16,64,64,64,-1\n' >"$work/new-gpu/gemm.csv"
expect 'gemm.csv:2:15: error' "$moesim" calibrate "$work/new-gpu/gemm.csv" --out "$work/c"
[[ ! -e $work/c ]]
expect 'cut.log:2:15: error: the row has 4 columns' "$moesim" calibrate "$work/cut.log" --out "$work/c"

printf 'scenario = "%s"\n[axes]\ncluster.gpus = []\n' "$scenario" >"$work/sweep.toml"
expect 'a list with at least one value' "$moesim" sweep "$work/sweep.toml" --out "$work/out.d"
printf 'scenario = "%s"\n[axes]\ncluster.gpu = [8]\n' "$scenario" >"$work/sweep.toml"
expect 'did you mean "gpus"?' "$moesim" sweep "$work/sweep.toml" --out "$work/out.d"
printf 'scenario = "%s"\n[axes]\ncluster.gpus = [8, "x"]\n' "$scenario" >"$work/sweep.toml"
expect 'sweep.toml:3:20: error: gpus must be a whole number' "$moesim" sweep "$work/sweep.toml" --out "$work/out.d"
expect 'expected I/N' "$moesim" sweep "$source/workloads/mixtral-8x7b/sweep.toml" --out "$work/o" --shard 3/2
[[ ! -e $work/out.d/results.csv ]]
expect 'results.csv' "$moesim" report "$work"
echo "every wrong input was refused"
