#!/usr/bin/env bash
# The built-in cases are within their tolerances, and exit codes and columns are as documented.
set -euo pipefail
moesim=$1
source=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
reference=$source/calibration/reference
columns=case,tier,group,quantity,measured,predicted,error_percent,tolerance_percent,status,source,predicted_low,predicted_high

fail() {
  echo "$1"; cat "$work/err"; grep -v ',ok,' "$work/out" || true; exit 1
}
# run CODE ARGUMENT...: validate ends with this code; its output is in out and err.
run() {
  local expected=$1 code=0
  shift
  "$moesim" validate --format csv "$@" >"$work/out" 2>"$work/err" || code=$?
  [[ $code == "$expected" ]] || fail "validate $*: code $code, expected $expected"
}

run 0 --summary "$work/summary.csv" --orders "$work/orders.csv"
[[ $(head -1 "$work/out") == "$columns" ]] || fail "other columns"
cases=$(grep -vc '^#' "$reference/cases.csv")
(($(wc -l <"$work/out") == cases)) || fail "not a row for each case"
cut -d, -f1 "$work/out" | cmp - <(grep -v '^#' "$reference/cases.csv" | cut -d, -f1)
grep -q "^step-moe: .*|error| median" "$work/err" || fail "no line for a tier"
grep -q "^step-moe: .*Kendall's tau" "$work/err" || fail "no line for a group"
steps=$(grep -c ',tokens_per_s_per_gpu,' "$work/out")
cmp "$work/summary.csv" "$source/calibration/validation.csv" || fail "the summary is not of today"
cmp "$work/orders.csv" "$source/calibration/plan_orders.csv" || fail "the orders are not of today"

# Each source of steps predicted without it; slopes that were measured once say how constants move.
cp "$work/out" "$work/plain"
cp "$work/err" "$work/plain_err"
run 0 --cross --slopes "$source/calibration/step_slopes.csv" --present "$work/plain" \
  --plot "$work/validation.svg" \
  --constants "$work/step_fits.csv" --summary "$work/cross_validation.csv" \
  --intervals "$work/step_intervals.csv"
(($(grep -c '<title>' "$work/validation.svg") == steps)) || fail "not a mark for each step"
for file in cross_validation.csv step_fits.csv step_intervals.csv validation.svg; do
  cmp "$work/$file" "$source/calibration/$file" || {
    echo "calibration/$file is not that of this version (CONTRIBUTING.md); errors now:"
    tail -3 "$work/cross_validation.csv"
    exit 1
  }
done
cp "$work/plain" "$work/out"
cp "$work/plain_err" "$work/err"

# The documents say what is printed here.
# says FILE TEXT: the file holds the text.
says() { grep -qF -- "$2" "$source/$1" || { echo "$1 does not say: $2"; exit 1; }; }
# of TIER FIELD: its cases, median or 90th percentile as printed.
of() {
  sed -n "s/^$1: \([0-9]*\) cases.*median \([0-9.]*\) %, 90th percentile \([0-9.]*\) %.*/\1 \2 \3/p" \
    "$work/err" | cut -d' ' -f"$2"
}
# ends: "LEAST–MOST" of the numbers that are read, with one decimal.
ends() { sort -n | awk 'NR == 1 { least = $1 } END { printf "%.1f–%.1f", least, $1 }'; }
for tier in step-moe step-dense step-assumed step-dense-assumed step-fitted step-known-gaps; do
  says calibration/TRAINING.md "| $tier | $(of $tier 1) | $(of $tier 2) % | $(of $tier 3) % |"
done
for tier in step-moe step-dense step-assumed step-dense-assumed memory-allocated; do
  says README.md "| $(of $tier 1) | $(of $tier 2) % | $(of $tier 3) % |"
done
order="s/^comparison: \(.*\): \([0-9]*\) plans, Kendall's tau \([-0-9.]*\);.* rank \([0-9]*\)$"
sed -n "$order/| \1 | \2 | \3 | \4 |/p" "$work/err" >"$work/order_rows"
(($(wc -l <"$work/order_rows") == $(grep -c '^comparison: ' "$work/err")))
while IFS= read -r row; do says calibration/TRAINING.md "$row"; done <"$work/order_rows"
nvlink='nccl-.*-nvlink'
says README.md "| $(of "$nvlink" 1 | awk '{ sum += $1 } END { print sum }') | $(
  of "$nvlink" 2 | ends) % | $(of "$nvlink" 3 | ends) % |"
infiniband=nccl-all-reduce-infiniband
says README.md "| $(($(of $infiniband 1) + $(of deepep 1))) | $(of $infiniband 2), $(of deepep 2) % | $(
  of $infiniband 3), $(of deepep 3) % |"
# cross KIND: its row of cross_validation.csv as the README prints it.
cross() {
  awk -F, -v kind="$1" '$1 == kind {
    printf "| %s | %s | %s %% | %s %% | %+.1f %% | %s %% |", $3, $4, $5, $6, $7, $8 }' \
    "$source/calibration/cross_validation.csv"
}
for kind in MoE 'MoE over EFA' 'MoE over other networks' dense; do says README.md "$(cross "$kind")"; done
awk -F, 'NR > 1 { printf "| %s | %s | %s–%s | %s ± %s %% | %s | %s |\n", $1, $3, $4, $5, $6, $7, $8, $9 }' \
  "$source/calibration/step_fits.csv" >"$work/fit_rows"
while IFS= read -r row; do says calibration/TRAINING.md "$row"; done <"$work/fit_rows"
says README.md "off by $(awk -F, '$4 == "inside" { print $6 }' \
  "$source/calibration/compute_errors.csv" | ends) %"

# The rest on few cases: collectives and the first steps, beside the files that they name.
mkdir -p "$work/calibration"
cp -r "$reference" "$work/calibration/reference"
ln -s "$source/topologies" "$work/topologies"
ln -s "$source/workloads" "$work/workloads"
copy=$work/calibration/reference
few() {
  grep -E '^case,|,(nccl|deepep)-?[a-z-]*,' "$reference/cases.csv"
  grep -m 3 ',step-dense,' "$reference/cases.csv"
}
few >"$copy/cases.csv"
run 0 --cases "$copy/cases.csv"
mv "$work/out" "$work/first"
run 0 --cases "$copy/cases.csv"
cmp "$work/first" "$work/out"
sed -i '2s/,35,/,0.001,/' "$copy/cases.csv"
run 1 --cases "$copy/cases.csv"
grep -q ',outside,' "$work/out" || fail "no case is outside"
few >"$copy/cases.csv"
sed -i 's/^deepep,10,/deepep,0.001,/' "$copy/tiers.csv"
run 1 --cases "$copy/cases.csv"
grep -q '^deepep: .*OUTSIDE' "$work/err" || fail "the tier's median is not outside"
rm "$copy/tiers.csv"
run 0 --cases "$copy/cases.csv"

# Cross-validation needs the predictions of all of its steps.
few >"$copy/cases.csv"
grep -v ',step-dense,' "$work/first" >"$work/partial"
run 2 --cases "$copy/cases.csv" --cross --slopes "$source/calibration/step_slopes.csv" \
  --present "$work/partial"
grep -q 'partial: error: has no prediction of ' "$work/err" || fail "a missing one is not named"

# A training step; one that does not fit and one that cannot run are rows with their reason.
step=$source/workloads/mixtral-8x7b/scenario.toml
time=$("$moesim" simulate "$step" --format json 2>/dev/null | sed -n 's/.*"step_time_ms": *\([0-9.]*\).*/\1/p')
cat >"$work/steps.csv" <<END
case,tier,scenario,settings,quantity,measured,tolerance_percent,source
same,steps,$step,,step_time_ms,$time,0.001,itself
END
run 0 --cases "$work/steps.csv"
cat >>"$work/steps.csv" <<END
full,steps,$step,cluster.gpus=8 parallel.pipeline=1 parallel.tensor=1 parallel.expert=1,step_time_ms,1,5,nobody
uneven,steps,$step,cluster.gpus=130,step_time_ms,1,5,nobody
unknown,steps,$step,cluster.gpu=8,step_time_ms,1,5,nobody
END
run 1 --cases "$work/steps.csv"
grep -q '^full,.*,out-of-memory,nobody,,$' "$work/out" || fail "full fits"
grep -q '^uneven,.*,illegal,nobody,,$' "$work/out" || fail "uneven runs"
grep -q '^uneven: illegal: ' "$work/err" || fail "no reason"
grep -q '^unknown,.*,unreadable,nobody,,$' "$work/out" || fail "an unknown key is read"
grep -q '^unknown: unreadable: .*steps.csv:5:15' "$work/err" || fail "no place of the unknown key"

sed -i 's/^full,/same,/' "$work/steps.csv"
run 2 --cases "$work/steps.csv"
grep -q 'steps.csv:3:1: error: the case "same" appears twice' "$work/err" || fail "no place"
echo "predictions are within their tolerances"
