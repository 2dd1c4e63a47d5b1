#!/usr/bin/env bash
# Runs N processes of one job on this machine.
#
#   launch/local.sh N [flags of adplg_jax.main]
#
# With GPUs each process gets one; CUDA_VISIBLE_DEVICES chooses among them, and
# JAX_PLATFORMS=cpu leaves them alone. PYTHON is the interpreter [python3], PORT
# the coordinator's port [a free one], GRACE_SECONDS the time that the others get
# to end in once one has failed [120].
#
# Ctrl-C and SIGTERM reach every process once: all save and end. When a process
# fails the others are asked to. Exit code: that of the first process to fail,
# else 43 if a process missed another, else 42 if the job was asked to leave and
# saved, else 0.
set -euo pipefail
# Each process in a group of its own: the terminal's Ctrl-C comes here alone and
# is handed on, otherwise it would count twice.
set -m

usage="usage: launch/local.sh N [flags of adplg_jax.main]; N is a number from 1"
if ! [[ "${1:-}" =~ ^[1-9][0-9]*$ ]]; then
  echo "$usage" >&2
  exit 2
fi
if ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] < 501)); then
  echo "launch/local.sh needs bash 5.1 or newer; this is $BASH_VERSION" >&2
  exit 2
fi
count=$1
shift
python=${PYTHON:-python3}
grace=${GRACE_SECONDS:-120}
port=${PORT:-$("$python" -c 'import socket
s = socket.socket(); s.bind(("", 0)); print(s.getsockname()[1])')}

gpus=()
if [[ "${JAX_PLATFORMS:-}" != cpu ]]; then
  if [[ -n "${CUDA_VISIBLE_DEVICES:-}" ]]; then
    IFS=, read -ra gpus <<<"$CUDA_VISIBLE_DEVICES"
  elif command -v nvidia-smi >/dev/null; then
    mapfile -t gpus < <(nvidia-smi --query-gpu=index --format=csv,noheader)
  fi
fi
if ((${#gpus[@]} > 0 && count > ${#gpus[@]})); then
  echo "$count processes need $count GPUs; there are ${#gpus[@]}." \
    "Ask for fewer, or set JAX_PLATFORMS=cpu." >&2
  exit 2
fi

declare -A left=()
asked=false
watchdog=

ask_all() {
  # A second SIGTERM would end a process before it has saved.
  if $asked || ((${#left[@]} == 0)); then return; fi
  asked=true
  kill -TERM "${!left[@]}" 2>/dev/null || true
}

end_all_later() {
  if [[ -n "$watchdog" ]]; then return; fi
  (
    sleep "$grace"
    kill -KILL "$@" 2>/dev/null
  ) &
  watchdog=$!
  disown "$watchdog"
}

trap ask_all TERM INT

for ((index = 0; index < count; index++)); do
  if ((${#gpus[@]} > 0)); then export CUDA_VISIBLE_DEVICES=${gpus[index]}; fi
  "$python" -m adplg_jax.main \
    --distributed="localhost:$port,$count,$index" "$@" </dev/null &
  left[$!]=$index
done

result=0
while ((${#left[@]} > 0)); do
  code=0
  finished=
  wait -n -p finished "${!left[@]}" || code=$?
  # Nothing finished: a signal came, and was handed on.
  if [[ -z "${finished:-}" ]]; then continue; fi
  index=${left[$finished]}
  unset "left[$finished]"
  if ((code == 0)); then continue; fi
  echo "process $index ended with exit code $code" >&2
  # 143: our SIGTERM came before it listened, when it had nothing to save.
  if $asked && ((code == 143)); then code=42; fi
  if ((result == 0 || result == 42 || (result == 43 && code != 42))); then
    result=$code
  fi
  if ((${#left[@]} == 0)); then continue; fi
  # After a 42 the others are saving too.
  if ((code != 42)); then ask_all; fi
  end_all_later "${!left[@]}"
done
if [[ -n "$watchdog" ]]; then kill -- "-$watchdog" 2>/dev/null || true; fi
exit "$result"
