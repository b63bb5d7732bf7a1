#!/bin/sh
# The same network from the same start and for the same steps, once with clean targets and once without any; then compares them.
#
#     sh benchmarks/noise2noise.sh PHOTOS OUT EVALUATION [STEPS]
#
# PHOTOS are clean photographs, EVALUATION is the folder that benchmarks/noise2noise.py takes as --data. What was stopped goes on.
# OUT/noisy has seen noisy pictures alone, as `noise2noise/denoise` has, whose card names its own commands.
set -e
photos=$1 out=$2 evaluation=$3 steps=${4:-19000}

learn() {
    method=$1 folder=$2
    shift 2
    restore train "$method" -t denoise --data "$photos" --out "$out/$folder" --network unet-dense --set objective.norm=psnr \
        --set 'task.sigma=[2,50]' --steps "$steps" --batch 12 --patch 80 --lr 1e-3 --recolour 0.5 --curves 0.1 \
        --license mit "$@"
}

learn noise2noise noisy --set objective.clipped=0.5
learn regression clean --set task.clipped=0.5
python "$(dirname "$0")/noise2noise.py" --data "$evaluation" "$out/clean" "$out/noisy"
