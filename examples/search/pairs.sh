#!/bin/sh
# What the search is to say, as pairs of trainings from the same start on the same patches: LeakyReLU or ReLU, with batch
# norm or without, a high learning rate with little momentum or a low one with much. Prints the last line of each log.
#
#     sh examples/search/pairs.sh PHOTOS OUT
#
# A high rate of 0.06 with momentum 0.18 and a low one of 0.0073 with 0.9 move the weights as far: 0.06 / 0.82 = 0.0073 / 0.1.
set -e
photos=$1 out=$2

learn() {
    name=$1 activation=$2 norm=$3 rate=$4 momentum=$5
    restore train noise2noise -t denoise --recipe "$(dirname "$0")/recipe.json" --data "$photos" --out "$out/$name" --quiet \
        --set "network.activation=$activation" --set "network.batch_norm=$norm" --lr "$rate" --momentum "$momentum" \
        --steps 400 --batch 32 --patch 32 --optimizer sgd --warmup 20 --clip 100 --ema 0.99 --shrink 1 --held-out 8 \
        --validate-every 200 --seed 0 --threads 1 --device cpu > /dev/null
    printf '%s: ' "$name"
    tail -n 1 "$out/$name/log.jsonl"
}

learn leaky-relu leaky_relu false 0.06 0.18
learn relu relu false 0.06 0.18
learn leaky-relu-batch-norm leaky_relu true 0.06 0.18
learn relu-batch-norm relu true 0.06 0.18
learn low-rate leaky_relu false 0.0073 0.9
