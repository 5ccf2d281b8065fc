#!/usr/bin/env bash
# A plan's memory is shown, and one that does not fit comes with changes that do make it fit.
set -euo pipefail
moesim=$1
source=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
scenario=$source/workloads/mixtral-8x7b/scenario.toml

fail() {
  echo "$1"; cat "$work"/*; exit 1
}

# The components add up to the total, and what is left to the capacity.
"$moesim" show memory "$scenario" --format csv >"$work/memory"
[[ $(head -1 "$work/memory") == component,gib ]] || fail "other columns"
awk -F, 'NR > 1 && $1 !~ /^(total|gpu_capacity)$/ { sum += $2 }
  $1 == "total" { total = $2; rows++ } $1 == "gpu_capacity" { capacity = $2; rows++ }
  END { printf "%d %.2f of %.2f GiB\n", rows == 2 && sum - total < 1e-6 && total - sum < 1e-6,
    capacity - total, capacity }' "$work/memory" >"$work/left"
[[ $(cut -d' ' -f1 "$work/left") == 1 ]] || fail "the components do not add up"
"$moesim" show memory "$scenario" >"$work/text"
grep -q "^Stage [0-3] of 4 is the fullest: $(cut -d' ' -f2- "$work/left") are left" "$work/text" ||
  fail "other text"

# Every change that is said to fit does, and the files of a step that did not run are left alone.
full=(--set training.micro_batch=4)
echo kept >"$work/trace.json"
"$moesim" simulate "$scenario" "${full[@]}" --trace "$work/trace.json" --links "$work/links.csv" \
  --format json >"$work/result" 2>"$work/err"
grep -q '"status": "out-of-memory"' "$work/result" || fail "it fits"
grep -q ' GiB are missing; ' "$work/result" || fail "no amount is missing"
[[ $(cat "$work/trace.json") == kept && ! -e $work/links.csv ]] || fail "files were touched"
grep -q 'trace.json: not written' "$work/err" || fail "nothing about the trace"
node -e 'const {reason} = JSON.parse(require("fs").readFileSync(process.argv[1]));
  for (const [, key, value] of reason.matchAll(/([a-z_.]+) = (\S+) fits/g))
    console.log(`${key}=${value}`)' "$work/result" >"$work/changes"
grep -q '^parallel.recompute="full"$' "$work/changes" || fail "recompute is not advised"
while read -r change; do
  "$moesim" simulate "$scenario" "${full[@]}" --set "$change" --format csv 2>/dev/null |
    grep -q '^ok,' || fail "$change does not fit"
done <"$work/changes"
"$moesim" show memory "$scenario" "${full[@]}" |
  grep -q '^The plan does not fit: .* parallel.recompute = "full" fits' || fail "show says nothing"

# A cluster that is far too small: nothing fits.
"$moesim" simulate "$scenario" --set cluster.gpus=1 --set parallel.pipeline=1 \
  --set parallel.expert=1 --format json 2>/dev/null >"$work/result"
grep -q ' fits; the nearest, .*, lacks [0-9.]* GiB' "$work/result" || fail "something fits"
echo "what is missing and what fits is said"
