#!/bin/sh
# The image's entry point: "serve" (TorchServe, until SIGTERM), "gateway" (nginx in front of it), or "ready"
# (exit 0 if a worker is READY). More arguments go to the command. All files go to one volume, which the
# containers of a pod share.
set -eu
cd /opt/cutout
build=/var/lib/cutout/build
mkdir -p "$build"
for each in model-store wheels; do ln -sfn "/opt/cutout/build/$each" "$build/$each"; done

what=${1:-serve}
[ $# -eq 0 ] || shift
case $what in
serve)
    exec .venv/bin/python -m scripts serve --foreground --build "$build" --model "$MODEL" \
        --version "$VERSION" --wheels "$build/wheels" "$@"
    ;;
gateway)
    exec .venv/bin/python -m scripts gateway-run --build "$build" --model "$MODEL" \
        --listen 0.0.0.0:8000 --plaintext --keys /etc/cutout/keys "$@"
    ;;
ready)
    exec .venv/bin/python -m scripts ready --build "$build" --model "$MODEL" "$@"
    ;;
*)
    echo "serve, gateway or ready, not $what" >&2
    exit 2
    ;;
esac
