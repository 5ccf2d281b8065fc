#!/usr/bin/env bash
# A launch script becomes a scenario that simulates, and says what it left out.
set -euo pipefail
moesim=$1
source=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cluster=$source/topologies/hgx-h100-ndr400.toml

fail() { echo "$1"; shift; for file in "$@"; do echo "--- $file"; cat "$file"; done; exit 1; }
# expect FILE TEXT: the file holds the text.
expect() { grep -qF -- "$2" "$1" || fail "expected in $1: $2" "$1"; }

cat >"$work/train.sh" <<'SCRIPT'
#!/bin/bash
TP=${TP:-2}
EP=8
MODEL=(--num-layers 8 --hidden-size 1024 --num-attention-heads 16 --swiglu
       --vocab-size 32000 --seq-length 2048 --position-embedding-type rope)
MOE=(--num-experts 16 --moe-router-topk 2 --moe-ffn-hidden-size 512)
if [ "$EP" -gt 1 ]; then
  MOE+=(--moe-token-dispatcher-type alltoall --expert-model-parallel-size $EP)
fi
torchrun --nproc_per_node 8 --nnodes 2 pretrain_gpt.py "${MODEL[@]}" "${MOE[@]}" \
  --tensor-model-parallel-size $TP --pipeline-model-parallel-size 1 --sequence-parallel \
  --expert-tensor-parallel-size 1 --use-distributed-optimizer --overlap-grad-reduce \
  --micro-batch-size 1 --global-batch-size 64 --bf16 --lr $LR --data-path $DATA \
  --fp4-recipe nvfp4 --frobnicate 3
SCRIPT

"$moesim" import megatron "$work/train.sh" --topology "$cluster" --out "$work/run/scenario.toml" \
  >"$work/out" 2>"$work/err"
[[ $(cat "$work/out") == "$work/run/scenario.toml" ]] || fail "stdout" "$work/out"
expect "$work/err" "not used: --frobnicate 3 ($work/train.sh:14)"
expect "$work/err" 'not modelled: --fp4-recipe nvfp4, line 14'
expect "$work/run/scenario.toml" '# not modelled: --fp4-recipe nvfp4, line 14'
expect "$work/run/scenario.toml" 'gpus = 16'
if grep -q 'does not simulate' "$work/err"; then fail "the scenario was refused" "$work/err"; fi

"$moesim" simulate "$work/run/scenario.toml" --format csv >"$work/result.csv"
expect "$work/result.csv" 'ok'
# 32,000 tokens up to a multiple of 128 for each of two ranks: 32,000 is 125 x 256.
"$moesim" show model "$work/run/scenario.toml" --format csv >"$work/model.csv"
expect "$work/model.csv" 'parameters_embedding,32768000,parameters'

# A definition stands above the file, and the import may be repeated.
"$moesim" import megatron "$work/train.sh" --topology "$cluster" --define TP=4 --gpus 32 \
  --with '--context-parallel-size 1 --seq-length 4096' --out "$work/run/scenario.toml" 2>"$work/err"
expect "$work/run/scenario.toml" 'tensor = 4'
expect "$work/run/scenario.toml" 'gpus = 32'
expect "$work/run/scenario.toml" 'sequence_length = 4096'
expect "$work/run/scenario.toml" 'given beside the file'

"$moesim" import megatron --help >"$work/help"
expect "$work/help" 'moesim import megatron train.sh --topology'
echo "a launch script was imported and simulated"
