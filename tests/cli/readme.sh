#!/usr/bin/env bash
# Runs every command of the README's list as it stands there. Sweeps run the first value of each of
# their axes alone, plans a small model, and a few cases are validated: validate.sh runs all of them.
set -euo pipefail
source=$2
work=$(mktemp -d)
moesim=$(realpath "$1")
export MOESIM_CALIBRATION=$work/calibration
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

cat >rank0.log <<'LOG'
------------------------ arguments ------------------------
  bf16 ............................................ True
  expert_model_parallel_size ...................... 8
  global_batch_size ............................... 64
  hidden_size ..................................... 1024
  micro_batch_size ................................ 1
  num_attention_heads ............................. 16
  num_experts ..................................... 16
  num_layers ...................................... 8
  padded_vocab_size ............................... 32000
  seq_length ...................................... 2048
  world_size ...................................... 16
-------------------- end of arguments ---------------------
 iteration 1/ 10 | elapsed time per iteration (ms): 100.0 |
LOG

mkdir h100-sxm
cat >h100-sxm/memory_bound.csv <<'TABLE'
operation,tokens,hidden,bytes,time_us,noise_percent,samples
rms_norm,16384,4096,268435456,105,0.3,100
adam,16384,4096,1879048192,700,0.3,100
TABLE
cat >all_reduce.log <<'LOG'
# nThread 1 nGpus 1 minBytes 8388608 maxBytes 134217728 step: 4(factor) warmup iters: 5 iters: 20
#  Rank  0 Group  0 Pid  1 on node-1 device  0 [0x01] NVIDIA H100 80GB HBM3
#  Rank  1 Group  0 Pid  2 on node-1 device  1 [0x02] NVIDIA H100 80GB HBM3
#       size         count      type   redop    root     time   algbw   busbw #wrong     time   algbw   busbw #wrong
     8388608       2097152     float     sum      -1    60.00  139.81  139.81      0    60.00  139.81  139.81      0
   134217728      33554432     float     sum      -1   500.00  268.44  268.44      0   500.00  268.44  268.44      0
LOG
cat >internode.log <<'LOG'
[config] num_tokens=4096, hidden=7168, num_topk_groups=4, num_topk=8
[tuning] Best dispatch (FP8): SMs 24, NVL chunk 32, RDMA chunk 32: 57.03 GB/s (RDMA), 114.50 GB/s (NVL)
[tuning] Best combine: SMs 24, NVL chunk 1, RDMA chunk 16: 57.18 GB/s (RDMA), 114.25 GB/s (NVL)
LOG

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
