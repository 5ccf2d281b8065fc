#!/usr/bin/env bash
# Runs every command of the README's list as it stands there. Sweeps run the first value of each of
# their axes alone, plans a small model, and a few cases are validated: validate.sh runs all of them.
set -euo pipefail
source=$2
work=$(mktemp -d)
moesim="$(realpath "$1") --calibration $work/calibration"
trap 'rm -rf "$work"' EXIT
cd "$work"
cp -r "$source/workloads" "$source/topologies" "$source/calibration" .
grep -E '^case,|,(nccl|deepep)-?[a-z-]*,' "$source/calibration/reference/cases.csv" \
  >calibration/reference/cases.csv
cat >train.sh <<'SCRIPT'
torchrun --nproc_per_node 8 --nnodes 2 pretrain_gpt.py --num-layers 8 --hidden-size 1024 \
  --num-attention-heads 16 --swiglu --vocab-size 32000 --seq-length 2048 --num-experts 16 \
  --moe-router-topk 2 --moe-ffn-hidden-size 512 --expert-model-parallel-size 8 \
  --position-embedding-type rope --micro-batch-size 1 --global-batch-size 64 --bf16
SCRIPT

# first_values SWEEP: keeps the first value of each axis of a sweep.
first_values() {
  node -e '
    const fs = require("fs");
    const [head, axes] = fs.readFileSync(process.argv[1], "utf8").split("[axes]");
    const first = axes.replace(/= *\[\s*([^,\]]+)[^\]]*\]/g, "= [$1]");
    fs.writeFileSync(process.argv[1], head + "[axes]" + first);
  ' "$1"
}
for sweep in workloads/mixtral-8x7b/{sweep,skew,training}.toml; do first_values "$sweep"; done
# The shipped plan is long to search: four layers on 16 GPUs.
sed -i -e 's/^config = .*/&\nlayers = 4/' -e 's/^gpus = .*/gpus = 16/' \
  workloads/mixtral-8x22b/plan.toml

ran=0
while IFS= read -r line; do
  command=${line%%  #*}
  echo "$command"
  eval "$command" >out.txt 2>err.txt || { echo "exit status $?"; cat out.txt err.txt; exit 1; }
  ran=$((ran + 1))
done < <(grep '^\$moesim ' "$source/README.md")
((ran >= 15)) || { echo "only $ran commands found"; exit 1; }
for swept in out/mine out/skew out/trained; do
  if grep -v -e '^status,' -e '^ok,' -e '^illegal,' -e '^out-of-memory,' "$swept/results.csv"; then
    echo "$swept: a point has failed"
    exit 1
  fi
done
