#!/usr/bin/env bash
# The report of a small sweep, opened in headless Chromium: charts draw, nothing is logged, nothing
# is fetched. `moesim report` writes the same bytes again.
set -euo pipefail
moesim=$1
source=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/sweep.toml" <<TOML
scenario = "$source/workloads/mixtral-8x7b/scenario.toml"
[set]
model.layers = 4
parallel.expert = "auto"
[axes]
cluster.topology = ["$source/topologies/nvlink-only.toml", "$source/topologies/ethernet-100g.toml"]
cluster.gpus = [16, 64, 256]
model.experts = [8, 64]
cluster.nic_gbit_per_s = [100, 400]
TOML
"$moesim" sweep "$work/sweep.toml" --out "$work/out" >/dev/null 2>"$work/log"
grep -q 'cluster.nic_gbit_per_s changed nothing in .* all at cluster.topology nvlink-only' "$work/log"
cp "$work/out/report.html" "$work/first.html"
"$moesim" report "$work/out" >/dev/null
cmp "$work/first.html" "$work/out/report.html"
node "$source/tests/report/report_test.mjs" "$work/out/report.html" --charts 6

# A folder without links.csv, as an older version left it: the chart of the links is left out.
rm "$work/out/links.csv"
"$moesim" report "$work/out" >/dev/null
node "$source/tests/report/report_test.mjs" "$work/out/report.html" --charts 5

# Uneven loads, over the steps of a training and two seeds: the charts of skew, loads and training.
cat >"$work/training.toml" <<TOML
scenario = "$source/workloads/mixtral-8x7b/scenario.toml"
[set]
model.layers = 2
parallel.pipeline = 1
cluster.gpus = 8
training.global_batch = 16
parallel.recompute = "full"
routing.load = "trained"
routing.balancing = "none"
[axes]
routing.step = [0, 300]
routing.seed = [1, 2]
TOML
"$moesim" sweep "$work/training.toml" --out "$work/training" >/dev/null 2>"$work/log"
[[ $(wc -l <"$work/training/percentiles.csv") == 3 ]]
[[ $(wc -l <"$work/training/loads.csv") -gt 16 ]]
cp "$work/training/report.html" "$work/first.html"
"$moesim" report "$work/training" >/dev/null
cmp "$work/first.html" "$work/training/report.html"
node "$source/tests/report/report_test.mjs" "$work/training/report.html" --charts 4

# Without dense twins and over rows: the charts of the saving are left out, the answer is step times.
cat >"$work/rows.toml" <<TOML
scenario = "$source/workloads/mixtral-8x7b/scenario.toml"
[set]
model.layers = 4
training.global_batch = 64
[[rows.split]]
name = "one stage"
parallel.pipeline = 1
[[rows.split]]
name = "two stages"
parallel.pipeline = 2
parallel.layers_per_stage = [1, 3]
[axes]
cluster.gpus = [16, 32]
TOML
"$moesim" sweep "$work/rows.toml" --out "$work/rows" --no-twins >/dev/null 2>"$work/log"
grep -q 'How long is a step, and what fills it?' "$work/rows/report.html"
node "$source/tests/report/report_test.mjs" "$work/rows/report.html" --charts 3
