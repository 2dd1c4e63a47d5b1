#!/usr/bin/env bash
# Trains on all workers of a TPU slice.
#
#   export TPU=NAME ZONE=ZONE
#   launch/tpu_vm.sh install          copies this tree and installs it
#   launch/tpu_vm.sh run [flags]      starts adplg_jax.main on every worker
#   launch/tpu_vm.sh log              follows the first worker's output
#   launch/tpu_vm.sh stop             lets the run save and end
#
# --workdir and --config.data_dir must be on storage that all workers share,
# such as a Filestore share mounted on each.
set -euo pipefail

usage() {
  sed -n '4,8s/^# *//p' "$0" >&2
  exit 2
}

if [[ -z "${TPU:-}" || -z "${ZONE:-}" ]]; then usage; fi

ssh_to() {
  local workers=$1 command=$2
  gcloud compute tpus tpu-vm ssh "$TPU" --zone="$ZONE" --worker="$workers" \
    --command="$command"
}

install() {
  archive=$(mktemp)
  trap 'rm -f "$archive"' EXIT
  tar -czf "$archive" -C "$(dirname "$0")/.." pyproject.toml setup.cfg \
    constraints.txt README.md LICENSE configs adplg_jax
  gcloud compute tpus tpu-vm scp "$archive" "$TPU:adplg.tar.gz" \
    --zone="$ZONE" --worker=all
  ssh_to all "set -e
    if ! command -v python3.11 >/dev/null; then
      sudo apt-get update -qq
      sudo apt-get install -qq -y python3.11 python3.11-venv
    fi
    mkdir -p adplg
    tar -xzf adplg.tar.gz -C adplg
    cd adplg
    python3.11 -m venv .venv
    .venv/bin/pip install --quiet -c constraints.txt '.[tpu]'"
}

run() {
  local flags=""
  if (($# > 0)); then flags=$(printf '%q ' "$@"); fi
  # It lives on when this connection ends.
  ssh_to all "set -e
    cd adplg
    if kill -0 \"\$(cat adplg.pid 2>/dev/null)\" 2>/dev/null; then
      echo 'a run is going on; launch/tpu_vm.sh stop ends it' >&2
      exit 1
    fi
    setsid nohup .venv/bin/python -m adplg_jax.main --distributed=auto $flags \
      >>adplg.log 2>&1 </dev/null &
    echo \$! >adplg.pid"
}

command=${1:-}
if (($# > 0)); then shift; fi
case "$command" in
  install) install ;;
  run) run "$@" ;;
  log) ssh_to 0 "tail -n 50 -F adplg/adplg.log" ;;
  stop) ssh_to all "kill -TERM \"\$(cat adplg/adplg.pid)\"" ;;
  *) usage ;;
esac
