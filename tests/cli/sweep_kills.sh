#!/usr/bin/env bash
# Kills a sharded sweep at random, its workers and its parents, and compares the bytes in the end.
#   tests/cli/sweep_kills.sh MOESIM SOURCE [KILLS [POINTS [SEED]]]
# The gate runs 12 kills over 60 points; `tests/cli/sweep_kills.sh build/release/moesim . 100 2000`
# takes some minutes.
set -euo pipefail
moesim=$1
source=$(realpath "$2")
kills=${3:-12}
points=${4:-60}
RANDOM=${5:-1}
shards=3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'echo "line $LINENO: $BASH_COMMAND"' ERR

cat >"$work/sweep.toml" <<TOML
scenario = "$source/workloads/mixtral-8x7b/scenario.toml"
[set]
model.layers = 2
cluster.gpus = 8
parallel.pipeline = 1
parallel.expert = 8
training.global_batch = 16
[axes]
training.sequence_length = [$(for ((i = 1; i <= points; ++i)); do printf '%d, ' $((i * 8)); done)]
TOML
"$moesim" sweep "$work/sweep.toml" --no-twins --jobs 2 --out "$work/whole" >/dev/null 2>&1

declare -a parents
# start SHARD: goes on with a shard in the background.
start() {
  "$moesim" sweep "$work/sweep.toml" --no-twins --jobs 2 --shard "$1/$shards" \
    --out "$work/part$1" >/dev/null 2>"$work/log$1" &
  parents[$1]=$!
}
# child_of PROCESS: one of its children.
child_of() {
  local stat state parent rest
  for stat in /proc/[0-9]*/stat; do
    { read -r rest <"$stat"; } 2>/dev/null || continue
    read -r state parent _ <<<"${rest##*) }"
    if [[ $parent == "$1" && $state != Z ]]; then
      echo "${rest%% *}"
      return
    fi
  done
  return 1
}
killed_parents=0
killed_workers=0
runs=0
while ((killed_parents + killed_workers < kills)); do
  shard=$((RANDOM % shards + 1))
  start "$shard"
  runs=$((runs + 1))
  parent=${parents[$shard]}
  sleep "0.0$((RANDOM % 90 + 10))"
  if ((RANDOM % 2)); then
    kill -KILL "$parent" 2>/dev/null && killed_parents=$((killed_parents + 1))
    wait "$parent" 2>/dev/null || true
    continue
  fi
  while kill -0 "$parent" 2>/dev/null; do
    worker=$(child_of "$parent") || continue
    kill -KILL "$worker" 2>/dev/null && killed_workers=$((killed_workers + 1))
    break
  done
  sleep 0.05
  kill -TERM "$parent" 2>/dev/null || true # the next one goes on
  wait "$parent" 2>/dev/null || true
  # A shard whose points are all known has no workers to kill: begin anew.
  [[ ! -e $work/part$shard/shard.json ]] || rm -rf "$work/part$shard"
done
folders=()
for ((shard = 1; shard <= shards; ++shard)); do
  "$moesim" sweep "$work/sweep.toml" --no-twins --jobs 2 --shard "$shard/$shards" \
    --out "$work/part$shard" >/dev/null 2>"$work/log$shard"
  folders+=("$work/part$shard")
done
"$moesim" merge "${folders[@]}" --out "$work/merged" >/dev/null 2>"$work/log"
for file in results.csv links.csv loads.csv report.html; do
  cmp "$work/whole/$file" "$work/merged/$file"
done
[[ $(wc -l <"$work/merged/results.csv") == $((points + 1)) ]]
if grep -q '^failed' "$work/merged/results.csv"; then echo "a point has failed"; exit 1; fi
echo "$killed_parents sweeps and $killed_workers workers killed in $runs runs: the same bytes"
