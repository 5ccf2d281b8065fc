#!/usr/bin/env bash
# The program that measures GPUs, with an emulated one: nothing finished is lost by a fault, files
# are put in place only after the fit, and 16 processes measure together with a stand-in for NCCL.
set -euo pipefail
microbench=$1 stand_in=$2 source=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export TMPDIR=$work

. "$(dirname "$0")/microbench_run.sh"
says() { grep -qF -- "$1" "$work/err" || fail "stderr does not say: $1"; }
rows_of() { grep -v '^#' "$1" | tail -n +2; }

# A run without faults: shipped shapes first, the way home at the end, no file without rows.
run 0 --csv "$work/all"
measured=$work/all/h100-sxm/measured
[[ $(ls "$measured") == $'gemm.csv\nmemory_bound.csv' ]] || fail "other files than those with rows"
[[ $(rows_of "$measured/gemm.csv" | cut -d, -f2 | paste -sd,) == 1024,4096,256 ]] ||
  fail "shapes of shipped models are not first"
grep -qx 'precision,m,n,k,time_us,noise_percent,samples,sm_clock_mhz' "$measured/gemm.csv" ||
  fail "another header"
grep -qx 'bf16,1024,4096,4096,1,0.1,10,1755' "$measured/gemm.csv" || fail "another row"
says "copy: nothing was measured, so no file is written: no other device"
says "  moesim calibrate $work/all/h100-sxm/measured/*.csv --out my-calibration"
says '  moesim --calibration my-calibration simulate SCENARIO.toml'
says 'left out: collectives: measured by several processes'

# Faults.
MOESIM_FAULT=out-of-memory run 0 --csv "$work/memory"
file=$work/memory/h100-sxm/measured/gemm.csv
grep -qx '# skipped: bf16,1024,4096,4096: cudaMalloc: out of memory' "$file" || fail "no reason"
[[ $(rows_of "$file" | wc -l) == 2 ]] || fail "a case without memory ends the others"
MOESIM_FAULT=benchmark run 1 --csv "$work/benchmark"
[[ $(ls "$work/benchmark/h100-sxm/measured") == gemm.csv ]] || fail "one failure ends the others"
MOESIM_FAULT=sticky run 3 --csv "$work/sticky" --filter memory --filter gemm
says 'gemm failed: an illegal memory access'
[[ $(ls "$work/sticky/h100-sxm/measured") == gemm.csv ]] || fail "a file without rows"
file=$work/sticky/h100-sxm/measured/gemm.csv
[[ $(rows_of "$file" | cut -d, -f2) == 1024 ]] || fail "what was finished is lost"
grep -qx '# failed: an illegal memory access: cases are missing' "$file" || fail "no failure"

# Names of GPUs.
for name in 'NVIDIA A100-SXM4-40GB=a100-sxm-40gb' 'NVIDIA A100-SXM4-80GB=a100-sxm' \
  'NVIDIA H800=h800-sxm' 'NVIDIA H20=h20-sxm' 'NVIDIA B300 SXM6 AC=b300-sxm' \
  'NVIDIA GB200=gb200' 'NVIDIA GB300=gb300' 'NVIDIA L40S=l40s' 'NVIDIA H100 NVL=h100-nvl'; do
  MOESIM_GPU=${name%=*} run 0 --device-folder
  [[ $(cat "$work/out") == "${name#*=}" ]] || fail "${name%=*} is another kind"
done
MOESIM_GPU='NVIDIA H100 80GB HBM3 MIG 1g.10gb' run 2 --csv "$work/mig"
says 'is a MIG slice'
MOESIM_GPU='NVIDIA Z1' run 0 --csv "$work/new"
says 'add the row z1,'

# calibrate-gpu, with a script in the place of moesim, which puts tables in place once the fit has
# succeeded: published collectives are not fitted again, so that the user's network stays.
mkdir -p "$work/build" "$work/calibration/measurements"
ln -s "$microbench" "$work/build/cuda_microbench"
for file in network.csv measurements/dispatch.csv REPORT.md; do
  echo "the user's" >"$work/calibration/$file"
done
cat >"$work/build/moesim" <<'SCRIPT'
#!/bin/sh
printf '%s\n' "$@" >"$TMPDIR/arguments"
[ -z "$FIT_FAILS" ] || exit 2
tables=
while [ "$1" != --out ]; do
  case $1 in *.csv) tables="$tables $1" ;; esac
  shift
done
mkdir -p "$2/h100-sxm/measured" && cp $tables "$2/h100-sxm/measured" && echo new >"$2/REPORT.md"
SCRIPT
chmod +x "$work/build/moesim"
calibrate_gpu() { # calibrate_gpu CODE
  local code=0
  "$source/calibrate-gpu" --build "$work/build" --calibration "$work/calibration" \
    >"$work/out" 2>"$work/err" || code=$?
  [[ $code == "$1" ]] || fail "calibrate-gpu: code $code, expected $1"
}
files() { (cd "$work/calibration" && find . -type f -exec cksum {} + | sort); }
before=$(files)
FIT_FAILS=1 calibrate_gpu 2
MOESIM_GPU='NVIDIA H100 80GB HBM3 MIG 1g.10gb' calibrate_gpu 2
says 'is a MIG slice'
[[ $(files) == "$before" ]] || fail "a failure changes the calibration"
calibrate_gpu 0
[[ $(ls "$work/calibration/h100-sxm/measured") == $'gemm.csv\nmemory_bound.csv' &&
  $(cat "$work/calibration/REPORT.md") == new ]] || fail "the measurements are not in place"
[[ $(cat "$work/calibration/network.csv") == "the user's" ]] || fail "the network was fitted again"
! grep measurements/ "$work/arguments" || fail "the network is fitted again"
MOESIM_FAULT=sticky calibrate_gpu 3

# An nvcc that does not fit is a reason, which ends no configuration; one that fits is taken.
cat >"$work/check.cmake" <<CMAKE
include($source/cuda_microbench/nvcc.cmake)
find_fitting_nvcc(nvcc reason)
message("reason: \${reason}")
CMAKE
nvcc() { # nvcc RELEASE CODE TEXT: with an nvcc of this release that ends so, the reason has the text
  printf '#!/bin/sh\n[ "$1" != --version ] || { echo release %s; exit 0; }\nexit %s\n' "$1" "$2" \
    >"$work/nvcc" && chmod +x "$work/nvcc"
  (cd "$work" && cmake -DCMAKE_CUDA_COMPILER="$work/nvcc" -DCMAKE_CXX_COMPILER=c++ \
    -P check.cmake) >"$work/out" 2>"$work/err" || fail "an nvcc ends the configuration"
  says "$3"
}
nvcc 11.8 0 'nvcc is of CUDA 11.8, and 12.4 is needed'
nvcc 12.4 1 'nvcc does not compile with c++'
nvcc 13.0 0 'reason: '
! grep nvcc "$work/err" || fail "an nvcc that fits is refused"

# Sixteen processes on two emulated nodes.
slurm() { # slurm RANK ARGUMENT...
  local rank=$1
  shift
  env SLURM_PROCID="$rank" SLURM_NTASKS=16 SLURM_LOCALID=$((rank % 8)) SLURM_NODEID=$((rank / 8)) \
    SLURM_JOB_ID=7 SLURM_STEP_ID=1 MOESIM_GPUS=8 "$microbench" --quick "$@"
}
echo "moesim-nccl-id 6.1 00" >"$work/id" # of another run: not taken
processes=()
for rank in {15..0}; do
  slurm "$rank" --nccl-library "$stand_in" --nccl-id-file "$work/id" --csv "$work/ranks" \
    >"$work/out.$rank" 2>"$work/err.$rank" &
  processes+=($!)
done
for process in "${processes[@]}"; do
  wait "$process" || { cat "$work"/err.*; fail "a process of 16 fails"; }
done
file=$work/ranks/h100-sxm/measured/collectives.csv
[[ $(grep -v '^#' "$file" | head -1) == \
  collective,distribution,ranks,nodes,bytes,time_us,noise_percent,samples,sm_clock_mhz ]] ||
  fail "collectives.csv has another header"
! grep '^# skipped' "$file" || fail "a collective was skipped"
expected=$(printf '%s\n' all_to_all,equal all_to_all,zipf all_reduce,equal all_gather,equal \
  reduce_scatter,equal point_to_point,equal point_to_point,rails | sort)
[[ $(rows_of "$file" | cut -d, -f1,2 | sort -u) == "$expected" ]] || fail "other collectives"
[[ $(rows_of "$file" | cut -d, -f3,4 | sort -u) == 16,2 ]] || fail "other ranks or nodes"
[[ -s $work/out.0 && -z $(cat "$work"/out.{1..15}) ]] || fail "not the first process alone prints"
[[ ! -e $work/id ]] || fail "the file with the id is left"

# Mistakes with several processes.
mistake() { # mistake TEXT CODE RANK ARGUMENT...
  local code=0
  slurm "${@:3}" >"$work/out" 2>"$work/err" || code=$?
  [[ $code == "$2" ]] || fail "code $code, expected $2"
  says "$1"
}
mistake 'srun started 16 processes: they need --nccl-id-file FILE' 2 3 --nccl-library "$stand_in"
mistake "no id of NCCL in $work/id after 1 s: it is not there" 1 3 --nccl-library "$stand_in" \
  --nccl-id-file "$work/id" --nccl-timeout-s 1
echo "moesim-nccl-id 6.1 $(printf '00%.0s' {1..128})" >"$work/id"
mistake 'it is of run 6.1, this is 7.1' 1 3 --nccl-id-file "$work/id" --nccl-timeout-s 0.1
mistake 'NCCL cannot be opened: ' 1 0 --nccl-library "$work/none.so" --nccl-id-file "$work/id"
mistake 'SLURM_PROCID=16 is not a number from 0 to 15' 2 16 --nccl-id-file "$work/id"
mistake 'left out: gemm: measured by one process' 2 0 --filter gemm
SLURM_PROCID=0 SLURM_NTASKS=16 SLURM_LOCALID=0 SLURM_JOB_ID=7 run 0 --filter gemm # a job's script
echo "nothing was lost, and 16 processes measured together"
