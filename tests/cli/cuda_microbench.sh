#!/usr/bin/env bash
# The microbenchmarks are listed; without a device nothing is measured; with one, all of them are.
set -euo pipefail
microbench=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

. "$(dirname "$0")/microbench_run.sh"

run 0 --list
[[ ! -s $work/err ]] || fail "--list complains"
names=$(sed -n 's/^\([a-z][a-z0-9_]*\): .*/\1/p' "$work/out")
for name in all_to_all attention collectives copy expert_gemm gemm interference launch memory_bound permute router sustained; do
  grep -qx "$name" <<<"$names" || fail "$name is not listed"
done
[[ $names == "$(LC_ALL=C sort -u <<<"$names")" ]] || fail "the names are not in order"
columns_of() { "$microbench" --list | sed -n "/^$1: /{n;s/^ *//p}"; }
[[ $(columns_of copy) == kind,bytes ]] || fail "other columns"
[[ $(columns_of gemm) == precision,m,n,k,accumulate ]] || fail "other columns of gemm"
[[ $(columns_of expert_gemm) == \
  precision,pass,distribution,groups,tokens,n,k,implementation,accumulate ]] ||
  fail "other columns of expert_gemm"
[[ $(columns_of router) == \
  tokens,hidden,experts,top_k,scoring,limited_groups,bias,operation ]] ||
  fail "other columns of router"
[[ $(columns_of attention) == \
  operation,batch,sequence,q_heads,kv_heads,head_dim,value_dim ]] || fail "other columns of attention"
[[ $(columns_of sustained) == precision,m,n,k,state ]] || fail "other columns of sustained"
run 0 --help
grep -q 'Exit codes: 0 measured' "$work/out" || fail "--help does not teach"
run 0 --list --filter aunc
[[ $(head -1 "$work/out") == launch:* ]] || fail "--filter does not filter"
run 2 --list --filter nothing-like-this
run 2 --no-such-option

for arguments in "" --device-folder; do
  CUDA_VISIBLE_DEVICES='' run 2 $arguments
  [[ $(wc -l <"$work/err") == 1 && ! -s $work/out ]] || fail "not one line without a device"
  grep -q '^cuda_microbench: no CUDA device (.*): nothing was measured$' "$work/err" ||
    fail "another line without a device"
done

calibrate_gpu=$(dirname "$0")/../../calibrate-gpu
"$calibrate_gpu" --help | grep -q 'Usage: ./calibrate-gpu' || fail "calibrate-gpu --help does not teach"
mkdir "$work/none"
for arguments in "--build $(dirname "$microbench")" "--build $work/none" --bulid; do
  code=0
  CUDA_VISIBLE_DEVICES='' "$calibrate_gpu" $arguments --calibration "$work/none" \
    >"$work/out" 2>"$work/err" || code=$?
  [[ $code == 2 && $(wc -l <"$work/err") == 1 && ! -s $work/out && -z $(ls "$work/none") ]] ||
    fail "calibrate-gpu $arguments: code $code, expected one line and nothing changed"
done

if ! "$microbench" --device-folder >"$work/out" 2>"$work/err"; then
  echo "no CUDA device here: only the listing was tested"
  exit 0
fi
grep -qx '[a-z0-9-]*' "$work/out" || fail "not the name of a folder"
run 0 --quick --csv "$work/csv"
for name in $names; do
  [[ $name != collectives ]] || continue # which one process does not measure
  file=$(echo "$work"/csv/*/measured/"$name.csv")
  [[ -s $file ]] || { grep -q "^$name: nothing was measured" "$work/err" && continue; } ||
    fail "$name left no file"
  header=$(columns_of "$name"),time_us,noise_percent,samples,sm_clock_mhz
  [[ $(grep -v '^#' "$file" | head -1) == "$header" ]] || fail "$name: another header"
  rows=$(grep -v '^#' "$file" | tail -n +2)
  [[ -n $rows ]] || fail "$name has no rows"
  ! grep '^# skipped: .*: wrong by ' "$file" || fail "$name computes wrong results"
  commas=$(tr -cd , <<<"$header")
  ! grep -qvE "^([^,]+,){${#commas}}[0-9]*$" <<<"$rows" ||
    fail "$name: a row is not like the header"
done
echo "every benchmark left its table"
