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
  --delay-wgrad-compute --frobnicate 3
SCRIPT

"$moesim" import megatron "$work/train.sh" --topology "$cluster" --out "$work/run/scenario.toml" \
  >"$work/out" 2>"$work/err"
[[ $(cat "$work/out") == "$work/run/scenario.toml" ]] || fail "stdout" "$work/out"
expect "$work/err" "not used: --frobnicate 3 ($work/train.sh:14)"
expect "$work/err" 'not modelled: --delay-wgrad-compute, line 14'
expect "$work/run/scenario.toml" '# not modelled: --delay-wgrad-compute, line 14'
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

# A guard is passed and named; a sourced file is followed; arrays alone are arguments.
mkdir "$work/models"
cat >"$work/models/small.sh" <<'SCRIPT'
layers=(0 1 1 1)
printf -v FREQ "[%s]" "$(IFS=,; echo "${layers[*]}")"
MODEL_ARGS=(--num-layers 4 --hidden-size 512 --num-attention-heads 8 --vocab-size 1024
            --num-experts 8 --moe-layer-freq "$FREQ")
SCRIPT
cat >"$work/guarded.sh" <<'SCRIPT'
if [ -z "$DATA" ]; then echo "set DATA"; exit 1; fi
source "$(dirname "$0")/models/small.sh"
torchrun --nproc-per-node 8 pretrain_gpt.py "${MODEL_ARGS[@]}" --seq-length 1024 --bf16 \
  --micro-batch-size 1 --global-batch-size $GBS --sequence-parallel --data-path "$DATA"
SCRIPT
"$moesim" import megatron "$work/guarded.sh" --topology "$cluster" --define GBS=32 \
  --out "$work/guarded/scenario.toml" 2>"$work/err" >"$work/out"
expect "$work/err" "a guard ends the script here where DATA is empty: passed; set it with --define DATA=VALUE ($work/guarded.sh:1)"
expect "$work/guarded/config.json" '"mlp_only_layers": [0]'
"$moesim" import megatron "$work/models/small.sh" --topology "$cluster" --gpus 8 \
  --with '--seq-length 1024 --micro-batch-size 1' --out "$work/arrays/scenario.toml" 2>"$work/err" >"$work/out"
expect "$work/err" 'no command: the arguments of MODEL_ARGS are taken'

# The log of a run gives its scenario, and stands beside the prediction.
cat >"$work/rank0.log" <<'LOG'
[default0]:------------------------ arguments ------------------------
[default0]:  add_bias_linear ................................. False
[default0]:  bf16 ............................................ True
[default0]:  expert_model_parallel_size ...................... 8
[default0]:  global_batch_size ............................... 64
[default0]:  hidden_size ..................................... 512
[default0]:  micro_batch_size ................................ 1
[default0]:  moe_layer_freq .................................. [0, 1, 1, 1]
[default0]:  num_attention_heads ............................. 8
[default0]:  num_experts ..................................... 8
[default0]:  num_layers ...................................... 4
[default0]:  optimizer ....................................... adam
[default0]:  seq_length ...................................... 1024
[default0]:  world_size ...................................... 8
[default0]:-------------------- end of arguments ---------------------
[default0]: > padded vocab (size: 1000) with 24 dummy tokens (new size: 1024)
LOG
for i in 1 2 3 4 5; do # the first two are warm-up: the median of 31, 41 and 51 is 41
  echo "[default0]: [2025-01-01] iteration $i/ 5 | elapsed time per iteration (ms): ${i}1.0 |" >>"$work/rank0.log"
done
"$moesim" import megatron-log "$work/rank0.log" --topology "$cluster" --format csv \
  --out "$work/log/scenario.toml" 2>"$work/err" >"$work/out"
expect "$work/log/scenario.toml" 'expert = 8'
expect "$work/log/scenario.toml" 'gpus = 8'
expect "$work/log/config.json" '"vocab_size": 1024'
expect "$work/out" 'quantity,measured,predicted,error_percent'
expect "$work/out" 'step_time_ms,41,'
expect "$work/err" 'median of 3 of 5 lines'
[[ $(wc -l <"$work/out") == 2 ]] || fail "one table, and nothing else" "$work/out"
predicted=$("$moesim" simulate "$work/log/scenario.toml" --no-twins --format csv 2>/dev/null | cut -d, -f3 | tail -n 1)
[[ $(grep '^step_time_ms' "$work/out" | cut -d, -f3) == "${predicted:0:4}"* ]] || fail "prediction" "$work/out"

"$moesim" import megatron --help >"$work/help"
expect "$work/help" 'moesim import megatron train.sh --topology'
# A node from its matrix, in the fabric of a file.
printf '\tGPU0\tGPU1\tNIC0\nGPU0\t X \tNV18\tPIX\nGPU1\tNV18\t X \tPIX\nNIC0\tPIX\tPIX\t X \n' >"$work/matrix.txt"
"$moesim" import nvidia-smi-topo "$work/matrix.txt" --gpu h100-sxm --fabric "$cluster" \
  --out "$work/mine.toml" >"$work/out" 2>"$work/err"
expect "$work/mine.toml" 'gpus_max = 4096' # 16,384 / 8 nodes of 2
expect "$work/mine.toml" 'kind = "rail-optimised"'
if grep -q 'assumed: fabric' "$work/err"; then fail "the fabric was given" "$work/err"; fi
# A model may be shown under a plan that it does not fit: experts of 8 ranks, and a dense model.
"$moesim" show model "$source/workloads/mixtral-8x7b/scenario.toml" --format csv \
  --set 'model.config="../llama-2-70b/config.json"' >"$work/out"
expect "$work/out" 'layers,80,layers'

"$moesim" import --help >"$work/help"
expect "$work/help" 'megatron-log'
echo "a launch script was imported and simulated"
