#!/usr/bin/env bash
# A sweep that is killed at any moment loses no finished point, and ends in the same bytes.
set -euo pipefail
moesim=$1
source=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'echo "line $LINENO: $BASH_COMMAND"' ERR

cat >"$work/sweep.toml" <<TOML
scenario = "$source/workloads/mixtral-8x7b/scenario.toml"
[set]
model.layers = 4
parallel.expert = "auto"
training.global_batch = 256
[axes]
cluster.gpus = [8, 12, 32, 64, 128]
model.experts = [8, 16, 2000]
cluster.nic_gbit_per_s = [100, 400]
TOML

"$moesim" sweep "$work/sweep.toml" --out "$work/whole" --jobs 2 >"$work/whole.txt" 2>/dev/null
for delay in 0.02 0.05 0.1 0.15 0.2 0.3 0.4; do
  "$moesim" sweep "$work/sweep.toml" --out "$work/cut" --jobs 2 >/dev/null 2>&1 &
  sweep=$!
  sleep "$delay"
  before=0
  [[ ! -e $work/cut/journal.txt ]] || before=$(wc -l <"$work/cut/journal.txt")
  kill -KILL "$sweep" 2>/dev/null || true
  wait "$sweep" 2>/dev/null || true
  after=0
  [[ ! -e $work/cut/journal.txt ]] || after=$(wc -l <"$work/cut/journal.txt")
  ((after >= before)) || { echo "lost points: $before, then $after"; exit 1; }
done
# Once more, until points are finished with their twins, however slow the machine.
"$moesim" sweep "$work/sweep.toml" --out "$work/cut" --jobs 2 >/dev/null 2>"$work/log" &
sweep=$!
until grep -q '^[1-9][0-9]*/[0-9]* points' "$work/log" || ! kill -0 "$sweep" 2>/dev/null; do
  sleep 0.05
done
kill -KILL "$sweep" 2>/dev/null || true
wait "$sweep" 2>/dev/null || true
printf '99 half a li' >>"$work/cut/journal.txt" # a line that a kill cut off
"$moesim" sweep "$work/sweep.toml" --out "$work/cut" --jobs 1 >"$work/cut.txt" 2>"$work/log"
grep -q 'points were finished before' "$work/log"
cmp "$work/whole/results.csv" "$work/cut/results.csv"
cmp "$work/whole/links.csv" "$work/cut/links.csv"
grep -q '^[0-9]*,fastest,0,scale-up egress,' "$work/whole/links.csv"
cmp "$work/whole.txt" "$work/cut.txt"
[[ $(wc -l <"$work/whole/results.csv") == 31 ]]
grep -q '^illegal,' "$work/whole/results.csv"
grep -q '^ok,' "$work/whole/results.csv"

# Another sweep may not go on in this folder.
if "$moesim" sweep "$work/sweep.toml" --set training.micro_batch=2 --out "$work/cut" 2>"$work/log"; then
  echo "a folder with other results was taken"; exit 1
fi
grep -q 'belongs to another sweep' "$work/log"
# A setting that no axis and no reason shows, and other measured costs, make another sweep too.
cp -r "$source/calibration" "$work/calibration"
sed -i 's/^infiniband,all_to_all,\(.*\),0.9[0-9]*/infiniband,all_to_all,\1,0.6/' "$work/calibration/network.csv"
for other in "sweep $work/sweep.toml --set training.sequence_length=2048" \
  "--calibration $work/calibration sweep $work/sweep.toml"; do
  # shellcheck disable=SC2086 # the words are options
  if "$moesim" $other --out "$work/cut" >/dev/null 2>"$work/log"; then
    echo "a folder with other results was taken: $other"; exit 1
  fi
  grep -q 'belongs to another sweep' "$work/log"
done
"$moesim" sweep "$work/sweep.toml" --set training.micro_batch=2 --out "$work/cut" --restart >/dev/null 2>&1
if cmp -s "$work/whole/results.csv" "$work/cut/results.csv"; then
  echo "--restart kept the results of another sweep"; exit 1
fi

# The parts of a sharded sweep are the whole.
for part in 1 2 3; do
  "$moesim" sweep "$work/sweep.toml" --out "$work/part$part" --shard "$part/3" >/dev/null 2>&1
done
for part in 1 2 3; do
  cp "$work/part$part/links.csv" "$work/first_links"
  "$moesim" sweep "$work/sweep.toml" --out "$work/part$part" --shard "$part/3" >/dev/null 2>&1
  cmp "$work/first_links" "$work/part$part/links.csv"
done
cat "$work"/part?/results.csv | grep -v '^status,' | sort >"$work/parts"
grep -v '^status,' "$work/whole/results.csv" | sort | cmp - "$work/parts"
# The MoE's own plan and dispatcher are not the twins': 2 numbers of GPUs make 2 dense and 2 active
# dense twins for 2 x 2 x 2 points, whoever searches them.
cat >"$work/shared.toml" <<TOML
scenario = "$source/workloads/mixtral-8x7b/scenario.toml"
[set]
model.layers = 4
training.global_batch = 64
[[rows.split]]
name = "one stage"
parallel.pipeline = 1
[[rows.split]]
name = "two stages, uneven"
parallel.pipeline = 2
parallel.layers_per_stage = [1, 3]
[axes]
cluster.gpus = [16, 32, 100000]
communication.dispatcher = ["alltoall", "allgather"]
TOML
"$moesim" sweep "$work/shared.toml" --out "$work/one" --jobs 1 >"$work/one.txt" 2>"$work/log"
[[ $(grep -c '^twin-' "$work/one/journal.txt") == 4 ]]
[[ $(grep -c '^point-' "$work/one/journal.txt") == 8 ]]
grep -q '^ok,,"two stages, uneven",2,"\[1, 3\]",32,allgather,' "$work/one/results.csv"
head -1 "$work/one/results.csv" |
  grep -q '^status,reason,split,parallel.pipeline,parallel.layers_per_stage,cluster.gpus,communication.dispatcher,step_time_ms,'
# Illegal points are neither finished before nor to be run; no time is told before it is known.
grep -qx '4 of 12 points are illegal' "$work/log"
if grep -q 'finished before' "$work/log"; then echo "a new folder had finished points"; exit 1; fi
grep -qx '1/8 points' "$work/log"
grep -qx '8/8 points' "$work/log"
"$moesim" sweep "$work/shared.toml" --out "$work/four" --jobs 4 >"$work/four.txt" 2>/dev/null
cmp "$work/one/results.csv" "$work/four/results.csv"
cmp "$work/one.txt" "$work/four.txt"
# Without the answer of a twin, or of a point, that one runs again and comes to the same.
while read -r lost before; do
  awk -v lost="^$lost" '!($0 ~ lost && ++found == 1)' "$work/four/journal.txt" >"$work/journal"
  cp "$work/journal" "$work/four/journal.txt"
  "$moesim" sweep "$work/shared.toml" --out "$work/four" --jobs 2 >/dev/null 2>"$work/log"
  grep -qx "$before of 8 points were finished before" "$work/log"
  cmp "$work/one/results.csv" "$work/four/results.csv"
done <<<"twin- 4
point- 7"
[[ $(grep -c '^twin-' "$work/four/journal.txt") == 4 ]]

# Without twins no twin is searched, and all but the comparison is the same.
"$moesim" sweep "$work/shared.toml" --out "$work/none" --no-twins >"$work/none.txt" 2>/dev/null
if grep -q '^twin-' "$work/none/journal.txt"; then echo "--no-twins searched a twin"; exit 1; fi
for folder in one none; do
  cut -d, -f1-20 "$work/$folder/results.csv" >"$work/$folder.steps"
done
cmp "$work/one.steps" "$work/none.steps"
grep -q 'step_ms$' "$work/none.txt"
grep -q 'kept_percent$' "$work/one.txt"
grep -q 'least, most and median' "$work/one.txt"
awk 'length > 120 { print; exit 1 }' "$work/one.txt"
grep -q 'no point is compared with its dense twin' "$work/none/report.html"
if "$moesim" sweep "$work/shared.toml" --out "$work/one" --no-twins 2>"$work/log"; then
  echo "results with twins were taken for those without"; exit 1
fi
grep -q 'belongs to another sweep' "$work/log"
echo "resumed and sharded sweeps agree"
