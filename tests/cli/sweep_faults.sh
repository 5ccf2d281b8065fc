#!/usr/bin/env bash
# A sweep keeps its promises when files are damaged, folders are shared, disks are full and workers
# are killed: the same bytes in the end, and an error that says what to do meanwhile.
set -euo pipefail
moesim=$1
source=$2
work=$(mktemp -d)
trap 'mountpoint -q "$work/disk" && umount -l "$work/disk"; rm -rf "$work"' EXIT
trap 'echo "line $LINENO: $BASH_COMMAND"; cat "$work/log" 2>/dev/null' ERR

cat >"$work/sweep.toml" <<TOML
scenario = "$source/workloads/mixtral-8x7b/scenario.toml"
[set]
model.layers = 4
parallel.expert = "auto"
training.global_batch = 64
[axes]
cluster.gpus = [8, 12, 16, 32]
training.sequence_length = [1024, 2048]
TOML

# fails CODE TEXT COMMAND...: the command ends with this code, and its stderr holds the text.
fails() {
  local code=0 wanted=$1 text=$2
  shift 2
  "$@" >"$work/out" 2>"$work/log" || code=$?
  [[ $code == "$wanted" ]] && grep -qF -- "$text" "$work/log" && return
  echo "code $code, expected $wanted and \"$text\": $*"
  cat "$work/log"
  exit 1
}
sweep() { "$moesim" sweep "$work/sweep.toml" --jobs 2 "$@"; }

sweep --out "$work/whole" >/dev/null 2>&1
lines=$(wc -l <"$work/whole/journal.txt")

# One bit of each line but the first changed, at a place that moves: its task runs again.
for ((line = 2; line <= lines; ++line)); do
  cp -r "$work/whole" "$work/flipped"
  start=$(head -n $((line - 1)) "$work/whole/journal.txt" | wc -c)
  length=$(sed -n "${line}p" "$work/whole/journal.txt" | wc -c)
  place=$((start + line * 37 % (length - 1)))
  byte=$(od -An -tu1 -j "$place" -N 1 "$work/whole/journal.txt")
  printf "\\x$(printf %x $((byte ^ 1)))" |
    dd of="$work/flipped/journal.txt" bs=1 seek=$place conv=notrunc status=none
  sweep --out "$work/flipped" >/dev/null 2>"$work/log"
  grep -q 'lines of journal.txt were damaged' "$work/log"
  cmp "$work/whole/results.csv" "$work/flipped/results.csv"
  sweep --out "$work/flipped" >/dev/null 2>"$work/log" # mended: no warning again
  if grep -q damaged "$work/log"; then echo "the damaged line is still there"; exit 1; fi
  rm -rf "$work/flipped"
done
# The first line, a task twice, and the task of another sweep are refused by line.
cp -r "$work/whole" "$work/other"
sed -i '1s/moesim/moesin/' "$work/other/journal.txt"
fails 2 'journal.txt:1:1: error: the line is damaged' sweep --out "$work/other"
{ cat "$work/whole/journal.txt"; sed -n 2p "$work/whole/journal.txt"; } >"$work/other/journal.txt"
fails 2 "journal.txt:2:1: error: line $((lines + 1)) has an answer of" sweep --out "$work/other"
sed 's/\[8, 12, 16, 32\]/[8, 12, 16, 32, 64, 128]/' "$work/sweep.toml" >"$work/large.toml"
"$moesim" sweep "$work/large.toml" --out "$work/large" >/dev/null 2>&1
{ cat "$work/whole/journal.txt"; grep '^point-11 ' "$work/large/journal.txt"; } >"$work/other/journal.txt"
fails 2 "journal.txt:$((lines + 1)):1: error: point-11 is no task of this sweep" sweep --out "$work/other"
rm -rf "$work/other"

# Each file that a sweep reads is part of it.
mkdir "$work/inputs"
cp -r "$source/calibration" "$work/inputs/calibration"
cp "$source/topologies/hgx-h100-ndr400.toml" "$source/workloads/mixtral-8x7b/config.json" "$work/inputs"
sed "s|config.json|$work/inputs/config.json|; s|\"../../topologies.*toml\"|\"$work/inputs/hgx-h100-ndr400.toml\"|" \
  "$source/workloads/mixtral-8x7b/scenario.toml" >"$work/inputs/scenario.toml"
printf 'scenario = "scenario.toml"\n[set]\nmodel.layers = 4\n[axes]\ncluster.gpus = [16, 32]\n' \
  >"$work/inputs/sweep.toml"
own=("$moesim" --calibration "$work/inputs/calibration" sweep "$work/inputs/sweep.toml" --no-twins
  --out "$work/own")
"${own[@]}" >/dev/null 2>&1
for file in sweep.toml scenario.toml config.json hgx-h100-ndr400.toml calibration/gpus.csv; do
  cp "$work/inputs/$file" "$work/kept"
  # White space alone counts: no value need change.
  case $file in
    *.csv) sed -i 's/#\?$/&/; 1!s/,\([0-9]*\)$/,0\1/' "$work/inputs/$file" ;;
    *) printf '\n' >>"$work/inputs/$file" ;;
  esac
  cmp -s "$work/kept" "$work/inputs/$file" && printf '\n' >>"$work/inputs/$file"
  code=0
  "${own[@]}" >/dev/null 2>"$work/log" || code=$?
  [[ $code == 2 ]] && grep -q "belongs to another sweep or plan: another .*$file" "$work/log" ||
    { echo "a change of $file"; cat "$work/log"; exit 1; }
  cp "$work/kept" "$work/inputs/$file"
done
"${own[@]}" >/dev/null 2>&1

# So are the tables of an explicit graph, and a recording of loads.
cat >"$work/inputs/graph.toml" <<'TOML'
gpu = {kind = "h100-sxm", memory_gib = 80, bf16_tflops = 1000, memory_gbyte_per_s = 3000, sms = 132}
node = {scale_up = "nvlink4"}
fabric = {kind = "explicit", nodes = "nodes.csv", links = "links.csv"}
TOML
printf '%s\n' name,kind,node g0,gpu,a g1,gpu,a switch,scale_up_switch, >"$work/inputs/nodes.csv"
printf '%s\n' source,sink,kind,gbyte_per_s,latency_us g0,switch,scale_up,450,0.25 \
  g1,switch,scale_up,450,0.25 >"$work/inputs/links.csv"
{
  echo layer,expert,tokens
  for layer in 0 1; do for expert in {0..7}; do echo "$layer,$expert,$((expert + 1))"; done; done
} >"$work/inputs/loads.csv"
cat >"$work/inputs/graph-sweep.toml" <<'TOML'
scenario = "scenario.toml"
[set]
model.layers = 2
cluster = {topology = "graph.toml", gpus = 2}
parallel = {pipeline = 1, virtual_stages = 1, expert = 2}
routing = {load = "trace", trace = "loads.csv"}
[axes]
training.sequence_length = [1024, 2048]
TOML
own=("$moesim" sweep "$work/inputs/graph-sweep.toml" --no-twins --out "$work/graph")
"${own[@]}" >/dev/null 2>"$work/log"
[[ $(grep -c '^ok,' "$work/graph/results.csv") == 2 ]]
while read -r file old new; do
  cp "$work/inputs/$file" "$work/kept"
  sed -i "s/$old/$new/" "$work/inputs/$file"
  fails 2 "another $work/inputs/$file" "${own[@]}"
  cp "$work/kept" "$work/inputs/$file"
done <<<"nodes.csv ,a\$ ,b
links.csv 450 225
loads.csv ^0,0,1 0,0,2"
"${own[@]}" >/dev/null 2>&1

# A second sweep on the folder is refused while the first runs.
"$moesim" sweep "$source/workloads/mixtral-8x7b/sweep.toml" --out "$work/busy" --jobs 1 >/dev/null 2>&1 &
first=$!
until [[ -s $work/busy/journal.txt ]]; do sleep 0.02; done
fails 2 "process $first is writing results here" \
  "$moesim" sweep "$source/workloads/mixtral-8x7b/sweep.toml" --out "$work/busy"
kill -KILL "$first"
wait "$first" 2>/dev/null || true

# A worker that is killed is tried again once, then failed until the next run.
cat >"$work/long.toml" <<TOML
scenario = "$source/workloads/mixtral-8x7b/scenario.toml"
[axes]
training.global_batch = [256, 512]
TOML
long=("$moesim" sweep "$work/long.toml" --no-twins --jobs 1)
"${long[@]}" --out "$work/spared" >/dev/null 2>&1
"${long[@]}" --out "$work/killed" >/dev/null 2>"$work/log" &
parent=$!
code=0
while kill -0 "$parent" 2>/dev/null; do
  for stat in /proc/[0-9]*/stat; do
    { read -r process _ state its_parent _ <"$stat"; } 2>/dev/null || continue
    [[ $its_parent != "$parent" || $state == Z ]] || kill -KILL "$process" 2>/dev/null || true
  done
done
wait "$parent" || code=$?
if grep -q '^failed' "$work/killed/results.csv"; then
  grep -q '^failed,.*signal 9 (SIGKILL), twice' "$work/killed/results.csv"
  # The process that replays the links of the other point may have been killed too.
  [[ $code == 1 ]] && grep -q 'points failed, the first with' "$work/log" ||
    { [[ $code == 2 ]] && grep -q 'run the same command again' "$work/log"; }
fi
"${long[@]}" --out "$work/killed" >/dev/null 2>&1
cmp "$work/spared/results.csv" "$work/killed/results.csv"

# Without stdout and stderr the journal holds no word of them.
sweep --out "$work/silent" <&- >&- 2>&-
cmp "$work/whole/results.csv" "$work/silent/results.csv"
sweep --out "$work/silent" >/dev/null 2>"$work/log"
grep -q '6 of 6 points were finished before' "$work/log"

# Outputs that cannot be written.
fails 2 'the name of the folder is empty' sweep --out ''
fails 2 'Not a directory' sweep --out "$work/sweep.toml"
fails 2 'File name too long' sweep --out "$work/$(printf 'n%.0s' {1..300})"
fails 2 'Too many open files' bash -c 'ulimit -n 6; exec "$@"' - "$moesim" sweep "$work/sweep.toml" --out "$work/few"
ln -s loop "$work/loop"
fails 2 'symbolic links' sweep --out "$work/loop"
for command in "show model $source/workloads/mixtral-8x7b/scenario.toml" '--help' \
  "sweep $work/sweep.toml --out $work/silent"; do
  code=0
  # shellcheck disable=SC2086 # the words are arguments
  "$moesim" $command >/dev/full 2>"$work/log" || code=$?
  [[ $code == 2 ]] && grep -q 'stdout: error: cannot be written: No space left' "$work/log" ||
    { echo "$command >/dev/full: $code"; exit 1; }
done
mkdir "$work/disk"
if mount -t tmpfs -o size=32k tmpfs "$work/disk" 2>/dev/null; then
  fails 2 'No space left on device' sweep --out "$work/disk/out"
  grep -q 'free some space there' "$work/log"
  mount -o remount,size=16m "$work/disk"
  sweep --out "$work/disk/out" >/dev/null 2>&1
  cmp "$work/whole/results.csv" "$work/disk/out/results.csv"
  cmp "$work/whole/report.html" "$work/disk/out/report.html"
  mount -o remount,ro "$work/disk"
  fails 2 'Read-only file system' sweep --out "$work/disk/out"
  grep -q 'choose a folder that you may write to' "$work/log"
  umount "$work/disk"
else
  echo "skipped, as nothing may be mounted here: a full disk, a read-only folder"
fi

# Shards that do not belong together are refused by name.
for part in 1 2; do sweep --out "$work/part$part" --shard "$part/2" >/dev/null 2>&1; done
merge() { "$moesim" merge "$@"; }
merge "$work/part2" "$work/part1" --out "$work/merged" >/dev/null 2>&1
for file in results.csv links.csv loads.csv report.html; do
  cmp "$work/whole/$file" "$work/merged/$file"
done
fails 2 'shard 2/2 is missing' merge "$work/part1" --out "$work/no"
fails 2 'is shard 1/2, as' merge "$work/part1" "$work/part1" --out "$work/no"
fails 2 'is the folder of a shard' merge "$work/part1" "$work/part2" --out "$work/part1"
fails 2 'holds no shard that has ended' merge "$work/part1" "$work/busy" --out "$work/no"
sweep --out "$work/third" --shard 1/3 >/dev/null 2>&1
fails 2 'it is one of 3 shards, not of 2' merge "$work/part1" "$work/third" --out "$work/no"
sweep --set training.micro_batch=2 --out "$work/odd" --shard 2/2 >/dev/null 2>&1
fails 2 'its settings are' merge "$work/part1" "$work/odd" --out "$work/no"
cp -r "$work/part2" "$work/cut"
sed -i '$d' "$work/cut/journal.txt"
fails 2 'shard 2/2 is not finished' merge "$work/part1" "$work/cut" --out "$work/no"
printf '\n' >>"$work/sweep.toml"
fails 2 'sweep.toml' merge "$work/part1" "$work/part2" --out "$work/no"
grep -q 'shard 1/2 belongs to another sweep' "$work/log"
echo "damage, full disks, shared folders and wrong shards are told"
