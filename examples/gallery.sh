#!/bin/sh
# Makes the pictures of docs/gallery.md and README: damages a free photograph of this folder, restores them, puts them side by side.
# Run from the root of the repository with `restore` on the path: sh examples/gallery.sh
set -eu
photos=examples/derain/clean
work=gallery
mkdir -p $work docs/pictures

row() { # name, degraded picture, restored by regression, restored by sampling, clean picture
    python examples/side_by_side.py docs/pictures/$1.webp 120,90,270 "damaged=$2" "regression=$3" "$6=$4" "before the damage=$5"
}

restore run -m regression -t derain examples/derain/rain/hopper.png -o $work/derain.1.png --overwrite
restore run -m ir-sde -t derain examples/derain/rain/hopper.png -o $work/derain.2.png --overwrite
row derain examples/derain/rain/hopper.png $work/derain.1.png $work/derain.2.png $photos/hopper.png ir-sde

restore degrade -t deblur --kind shake --extent 11 --seed 2 $photos/hopper.png -o $work/blurred --overwrite
restore run -m regression -t deblur $work/blurred/hopper.png -o $work/deblur.1.png --overwrite
restore run -m ir-sde -t deblur $work/blurred/hopper.png -o $work/deblur.2.png --overwrite
row deblur $work/blurred/hopper.png $work/deblur.1.png $work/deblur.2.png $photos/hopper.png ir-sde

restore degrade -t denoise --sigma 50 $photos/hopper.png -o $work/noisy --overwrite
restore run -m regression -t denoise $work/noisy/hopper.png -o $work/denoise.1.png --overwrite
restore run -m denoising-ode -t denoise --sigma 50 $work/noisy/hopper.png -o $work/denoise.2.png --overwrite
row denoise $work/noisy/hopper.png $work/denoise.1.png $work/denoise.2.png $photos/hopper.png denoising-ode

restore degrade -t denoise --kind camera --set camera_gain=0.02 --seed 1 $photos/hopper.png -o $work/camera --overwrite
restore run -m regression -t denoise $work/camera/hopper.png -o $work/camera.1.png --overwrite
restore run -m ir-sde -t denoise $work/camera/hopper.png -o $work/camera.2.png --overwrite
row camera $work/camera/hopper.png $work/camera.1.png $work/camera.2.png $photos/hopper.png ir-sde

restore degrade -t sr --scale 4 $photos/hopper.png -o $work/small --overwrite
restore run -m regression -t sr --scale 4 $work/small/hopper.png -o $work/sr.1.png --overwrite
restore run -m ir-sde -t sr --scale 4 $work/small/hopper.png -o $work/sr.2.png --overwrite
row sr $work/small/hopper.png $work/sr.1.png $work/sr.2.png $photos/hopper.png ir-sde

restore degrade -t inpaint --kind thin --seed 3 $photos/hopper.png -o $work/holes --overwrite
restore run -m regression -t inpaint --mask $work/holes/masks $work/holes/hopper.png -o $work/inpaint.1.png --overwrite
restore run -m ir-sde -t inpaint --realism 0 --mask $work/holes/masks $work/holes/hopper.png -o $work/inpaint.2.png --overwrite
row inpaint $work/holes/hopper.png $work/inpaint.1.png $work/inpaint.2.png $photos/hopper.png ir-sde

restore degrade -t dehaze --thickness 0.8 --set patchy=0 --seed 1 $photos/hopper.png -o $work/hazy --overwrite
restore run -m regression -t dehaze $work/hazy/hopper.png -o $work/dehaze.1.png --overwrite
restore run -m ir-sde -t dehaze $work/hazy/hopper.png -o $work/dehaze.2.png --overwrite
row dehaze $work/hazy/hopper.png $work/dehaze.1.png $work/dehaze.2.png $photos/hopper.png ir-sde

python examples/side_by_side.py docs/pictures/overview.webp 120,90,270 \
    rain=examples/derain/rain/hopper.png blur=$work/blurred/hopper.png noise=$work/noisy/hopper.png \
    "a quarter of the size=$work/small/hopper.png" scratches=$work/holes/hopper.png / \
    restored=$work/derain.1.png restored=$work/deblur.1.png restored=$work/denoise.1.png \
    "four times larger=$work/sr.1.png" filled=$work/inpaint.1.png
