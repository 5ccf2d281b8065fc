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
"$moesim" sweep "$work/sweep.toml" --out "$work/out" --sensitivity >/dev/null 2>"$work/log"
grep -q 'cluster.nic_gbit_per_s changed nothing in .* all at cluster.topology nvlink-only' "$work/log"
cp "$work/out/report.html" "$work/first.html"
"$moesim" report "$work/out" >/dev/null
cmp "$work/first.html" "$work/out/report.html"
node "$source/tests/report/report_test.mjs" "$work/out/report.html" --charts 6

# Every chart as SVG and PNG, and a summary of one page; without a browser, an error that helps.
"$moesim" report "$work/out" --export "$work/slides" >"$work/files"
[[ $(wc -l <"$work/files") == 16 ]] # the report, six charts and the validation twice, the summary
for svg in "$work"/slides/*.svg; do
  grep -q '^<svg' "$svg"
  [[ $(head -c 4 "${svg%.svg}.png" | tail -c 3) == PNG ]]
done
[[ $(head -c 5 "$work/slides/summary.pdf") == %PDF- ]]
[[ $(grep -a -c '/Type /Page$' "$work/slides/summary.pdf") == 1 ]]
if MOESIM_BROWSER=$work/absent "$moesim" report "$work/out" --export "$work/no" 2>"$work/log" >&2; then
  exit 1
fi
grep -q 'install the Debian package chromium' "$work/log"

# Run again without it, the sweep forgets its sensitivity, in this report and in later ones.
"$moesim" sweep "$work/sweep.toml" --out "$work/out" >/dev/null 2>"$work/log"
cp "$work/out/report.html" "$work/first.html"
"$moesim" report "$work/out" >/dev/null
cmp "$work/first.html" "$work/out/report.html"
node "$source/tests/report/report_test.mjs" "$work/out/report.html" --charts 5

# A folder without links.csv, as an older version left it: the chart of the links is left out.
rm "$work/out/links.csv"
"$moesim" report "$work/out" >/dev/null
node "$source/tests/report/report_test.mjs" "$work/out/report.html" --charts 4

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
grep -q '<p class="answer">Fastest is ' "$work/rows/report.html"
node "$source/tests/report/report_test.mjs" "$work/rows/report.html" --charts 2

# From a config and the name of a cluster to one page.
"$moesim" plan "$source/workloads/qwen3-30b-a3b/config.json" --cluster hgx-h100-ndr400 --gpus 16 \
  --tokens 1e10 --price-per-gpu-hour 2 --sensitivity --out "$work/bought" >/dev/null 2>"$work/log"
grep -q 'plan file: .*4194304 tokens a batch' "$work/log"
"$moesim" report "$work/bought" --export "$work/page" >/dev/null
[[ $(grep -a -c '/Type /Page$' "$work/page/summary.pdf") == 1 ]]
node "$source/tests/report/report_test.mjs" "$work/bought/report.html"

# One question each: a waterfall, a tornado, a curve with its crossing, a contour over two knobs.
mixtral=$source/workloads/mixtral-8x7b/scenario.toml
"$moesim" compare "$mixtral" "$source/workloads/llama-2-70b/scenario.toml" --out "$work/compare" \
  >/dev/null 2>&1
"$moesim" sensitivity "$mixtral" --set model.layers=4 --set cluster.gpus=32 --out "$work/sensitivity" \
  >/dev/null 2>&1
nic=("$moesim" break-even "$mixtral" --knob cluster.nic_gbit_per_s)
"${nic[@]}" --until 'step_time_ms <= 6000' --out "$work/curve" >/dev/null 2>&1
"${nic[@]}" --until 'step_time_ms <= 6000' --and-knob training.global_batch --and-from 1008 \
  --and-to 1040 --out "$work/contour" --format csv >"$work/contour.csv" 2>"$work/log"
for question in compare sensitivity curve contour; do
  node "$source/tests/report/report_test.mjs" "$work/$question/report.html" --charts 1
done
# At each value of the second knob, the answer is that of the first knob alone.
[[ $(head -1 "$work/contour.csv") == knob,value,low,high,column,at_value,and_knob,and_value,row,holds ]]
answer=$(grep ',training.global_batch,1024,contour,' "$work/contour.csv")
[[ ${answer%,training*} == "$(sed -n 2p "$work/curve/results.csv" | sed 's/,step_time_ms <=.*//')" ]]
