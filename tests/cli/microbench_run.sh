# For scripts that run cuda_microbench, whose path is in $microbench, in the folder $work.

fail() {
  echo "$1"; cat "$work/out" "$work/err"; exit 1
}
# run CODE ARGUMENT...: the program ends with this code; its output is in out and err.
run() {
  local expected=$1 code=0
  shift
  "$microbench" "$@" >"$work/out" 2>"$work/err" || code=$?
  [[ $code == "$expected" ]] || fail "cuda_microbench $*: code $code, expected $expected"
}
