#!/usr/bin/env bash
# The commands of a design review as a user runs them: shapes of their results, sums, wrong input.
set -euo pipefail
moesim=$1
source=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'echo "line $LINENO: $BASH_COMMAND"' ERR
mixtral=$source/workloads/mixtral-8x7b

# refuse MESSAGE COMMAND...: the command exits with 2 and says the message on stderr.
refuse() {
  local message=$1 status=0
  shift
  "$@" >"$work/out" 2>"$work/err" || status=$?
  [[ $status == 2 && ! -s $work/out ]] || { echo "exit $status: $*"; exit 1; }
  grep -qF -- "$message" "$work/err" || { cat "$work/err"; echo "not said: $message"; exit 1; }
}

# compare: two models, two clusters, two plans. The parts add up to the total and to the steps.
compare=("$moesim" compare "$mixtral/scenario.toml")
cp "$mixtral/scenario.toml" "$mixtral/config.json" "$work/"
sed -i 's|topology = .*|topology = "'"$source"'/topologies/hgx-b200-ndr400.toml"|' \
  "$work/scenario.toml"
for other in "$source/workloads/llama-2-70b/scenario.toml" "$work/scenario.toml"; do
  "${compare[@]}" "$other" --format csv >"$work/parts.csv" 2>"$work/inputs.txt"
  [[ $(head -1 "$work/parts.csv") == part,a_ms,b_ms,difference_ms ]]
  awk -F, 'NR > 1 && $1 != "total" {a += $2; b += $3; d += $4}
    function off(x, y) {return x - y > 1e-6 || y - x > 1e-6}
    $1 == "total" {exit off(a, $2) || off(b, $3) || off(d, $4) || off($3 - $2, $4)}
    ' "$work/parts.csv"
  step=$("$moesim" simulate "$other" --no-twins --format csv 2>"$work/log" |
    awk -F, 'NR == 1 {for (i = 1; i <= NF; i++) if ($i == "step_time_ms") c = i} NR == 2 {print $c}')
  tail -1 "$work/parts.csv" | awk -F, -v step="$step" '{d = $3 - step; exit d > 1e-3 || d < -1e-3}'
done
grep -q '^gpu.kind  *h100-sxm  *b200-sxm' "$work/inputs.txt"
if grep -q model.config "$work/inputs.txt"; then exit 1; fi # a copy: the same content
"${compare[@]}" "$mixtral/best-plan.toml" --set cluster.gpus=32 --set model.layers=4 --format json \
  >"$work/plans.json" 2>"$work/err"
node -e '
  const {inputs, parts} = JSON.parse(require("fs").readFileSync(process.argv[1], "utf8"));
  const search = inputs.find((row) => row.key === "parallel.search");
  if (search.a !== null || search.b !== "best") throw new Error(JSON.stringify(search));
  if (parts[parts.length - 1].part !== "total") throw new Error("no total");
' "$work/plans.json"
refuse 'cannot be read' "${compare[@]}" "$work/absent.toml"
refuse 'did you mean "gpus"?' "${compare[@]}" "$mixtral/scenario.toml" --set cluster.gpu=8
refuse 'its step cannot run: out-of-memory' "${compare[@]}" "$mixtral/scenario.toml" \
  --set training.micro_batch=16

# break-even: the first row is the answer, and the condition flips there when it is simulated.
until='step_time_ms <= 6000'
nic=("$moesim" break-even "$mixtral/scenario.toml" --knob cluster.nic_gbit_per_s)
"${nic[@]}" --until "$until" --format csv >"$work/nic.csv" 2>"$work/err"
[[ $(head -1 "$work/nic.csv") == knob,value,low,high,column,at_value ]]
grep -q "$until holds from cluster.nic_gbit_per_s = " "$work/err"
replays=$(sed -n 's/^replays: //p' "$work/err")
[[ $replays -le 12 && $(wc -l <"$work/nic.csv") == $((replays + 2)) ]]
IFS=, read -r _ value _ _ _ at_value < <(sed -n 2p "$work/nic.csv")
step_at() {
  "$moesim" simulate "$mixtral/scenario.toml" --no-twins --set "cluster.nic_gbit_per_s=$1" \
    --format json 2>"$work/log" | sed -n 's/.*"step_time_ms": \(.*\),/\1/p'
}
[[ $(step_at "$value") == "$at_value" ]]
awk -v at="$at_value" -v less="$(step_at "$(awk -v v="$value" 'BEGIN {print v / 1.01}')")" \
  'BEGIN {exit !(at <= 6000 && less > 6000)}'
# Whole numbers that can run; the throughput has an interval.
"$moesim" break-even "$mixtral/scenario.toml" --knob cluster.gpus --until 'tokens_per_s >= 1.2e6' \
  --from 60 --to 512 --format json >"$work/gpus.json" 2>"$work/err"
grep -q '^skipped: .* illegal' "$work/err"
node -e '
  const rows = JSON.parse(require("fs").readFileSync(process.argv[1], "utf8"));
  const [answer, ...curve] = rows;
  const ok = answer.value % 32 === 0 && answer.at_value >= 1.2e6 && answer.high > answer.value;
  const before = curve.filter((row) => row.value < answer.value);
  if (!ok || before.some((row) => row.at_value >= 1.2e6)) throw new Error(JSON.stringify(rows));
' "$work/gpus.json"
# Nowhere in the range; a plan for each point of a search.
"${nic[@]}" --until 'mfu_percent > 90' --format csv >"$work/nowhere.csv" 2>"$work/err"
[[ $(sed -n 2p "$work/nowhere.csv") == cluster.nic_gbit_per_s,,,,mfu_percent, ]]
grep -q 'holds nowhere from 100 to 1600' "$work/err"
"$moesim" break-even "$mixtral/best-plan.toml" --knob cluster.nic_gbit_per_s --format csv \
  --until 'tokens_per_s > 1' --set cluster.gpus=16 --set model.layers=2 >"$work/plans.csv" 2>"$work/err"
[[ $(head -1 "$work/plans.csv") == *,at_value,plan ]]
[[ $(tail -1 "$work/plans.csv") == *parallel.tensor=* ]]
refuse 'did you mean "nic_gbit_per_s"?' "$moesim" break-even "$mixtral/scenario.toml" \
  --knob cluster.nic_gbit_per --until "$until" --from 1 --to 2
refuse 'there is no column "mfu"' "${nic[@]}" --until 'mfu > 3'
refuse 'expected COLUMN OP VALUE' "${nic[@]}" --until 'mfu_percent 3'
refuse 'routing.seed changes nothing' "$moesim" break-even "$mixtral/scenario.toml" \
  --knob routing.seed --until "$until"
refuse 'fewer than two values' "$moesim" break-even "$mixtral/scenario.toml" \
  --knob cluster.gpus --until "$until" --from 3 --to 7
refuse '--until is required' "${nic[@]}"

# sensitivity: the largest effect first; its ends are those of a calibration that says so.
"$moesim" sensitivity "$mixtral/scenario.toml" --format csv >"$work/effects.csv" 2>"$work/err"
[[ $(head -1 "$work/effects.csv") == constant,provenance,error_percent,low,high,effect_percent ]]
awk -F, 'NR > 2 && $6 > last {exit 1} {last = $6}' "$work/effects.csv"
grep -q '^  1. .*: cuda_microbench' "$work/err"
cp -r "$source/calibration" "$work/calibration"
awk -F, -v OFS=, '$1 == "h100-sxm" { $2 *= 1.08 } { print }' \
  "$source/calibration/sustained_throughput.csv" >"$work/calibration/sustained_throughput.csv"
faster=$("$moesim" --calibration "$work/calibration" simulate "$mixtral/scenario.toml" \
  --no-twins --format json 2>"$work/log" | sed -n 's/.*"step_time_ms": \(.*\),/\1/p')
grep -q "^sustained_throughput h100-sxm,fitted,8,[0-9.]*,$faster," "$work/effects.csv"
"$moesim" sensitivity "$mixtral/scenario.toml" --column savings_kept_percent --format json \
  --set cluster.gpus=32 --set model.layers=4 >"$work/effects.json" 2>"$work/err"
grep -q '"constant": "grouped_gemm table"' "$work/effects.json"
refuse 'did you mean "mfu_percent"?' "$moesim" sensitivity "$mixtral/scenario.toml" --column mfu_percen
refuse 'bottleneck is a text' "$moesim" sensitivity "$mixtral/scenario.toml" --column bottleneck
refuse 'its step cannot run: out-of-memory' "$moesim" sensitivity "$mixtral/scenario.toml" \
  --set training.micro_batch=16
# goodput: the times by cause add up to the days with failures; the same seed gives the same bytes.
trained=("$moesim" goodput "$mixtral/scenario.toml" --set training.tokens=1e12)
"${trained[@]}" --format csv >"$work/goodput.csv" 2>"$work/err"
"${trained[@]}" --format csv 2>"$work/err" | cmp - "$work/goodput.csv"
[[ $(head -1 "$work/goodput.csv") == quantity,value,unit,note ]]
awk -F, '{v[$1] = $2} /^(simulated_)?lost_/ {lost[/^simulated/] += $2 / 24}
  function off(x, y) {return x - y > 1e-6 * y || y - x > 1e-6 * y}
  END {exit off(v["days"] + lost[0], v["effective_days"]) ||
    off(v["days"] + lost[1], v["simulated_days"]) ||
    off(100 * v["days"] / v["effective_days"], v["goodput_percent"]) ||
    v["effective_days"] < v["simulated_days_low"] || v["effective_days"] > v["simulated_days_high"]}
  ' "$work/goodput.csv"
"${trained[@]}" --format json --set failures.nic_failure=go-on --set failures.fleet=llama-3 \
  --set failures.checkpoint=asynchronous >"$work/goodput.json" 2>"$work/err"
node -e '
  const rows = JSON.parse(require("fs").readFileSync(process.argv[1], "utf8"));
  const value = (name) => rows.find((row) => row.quantity === name).value;
  if (value("expected_nic_failures") !== 0) throw new Error("a NIC stops the job");
  const speed = value("speed_without_nic_percent");
  if (!(speed > 10 && speed < 100)) throw new Error(`speed ${speed}`);
' "$work/goodput.json"
refuse 'training.tokens is missing' "$moesim" goodput "$mixtral/scenario.toml"
refuse 'did you mean "rsc-1"?' "${trained[@]}" --set failures.fleet=rsc1
refuse 'gets nowhere' "${trained[@]}" --set failures.gpu_mtbf_hours=2
echo "every decision has its rows"
