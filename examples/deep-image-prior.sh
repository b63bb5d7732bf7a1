#!/bin/sh
# Makes the pictures of docs/deep-image-prior.md: damages free photographs of this folder, restores each from itself alone.
# Run from the root of the repository with `restore` on the path: sh examples/deep-image-prior.sh
# Parts of 256x256 pixels, about ten minutes on two cores.
set -eu
work=gallery/dip
photos=gallery/dip/clean
mkdir -p $photos docs/pictures

part() { # name, left, top
    python -c "import pyvips; pyvips.Image.new_from_file('examples/derain/clean/$1.png').crop($2, $3, 256, 256).write_to_file('$photos/$1.png')"
}

part hopper 130 100
part bridge 150 0

row() { # name, damaged, restored, clean
    python examples/side_by_side.py docs/pictures/dip-$1.webp 0,0,256 "damaged=$2" "dip=$3" "before the damage=$4"
}

restore degrade -t denoise --sigma 25 $photos/hopper.png -o $work/noisy --overwrite
restore run -m dip -t denoise --quality fast $work/noisy/hopper.png -o $work/denoise.fast.png --overwrite
restore run -m dip -t denoise $work/noisy/hopper.png -o $work/denoise.png --overwrite
python examples/side_by_side.py docs/pictures/dip-denoise.webp 0,0,256 "damaged=$work/noisy/hopper.png" \
    "dip, fast=$work/denoise.fast.png" "dip=$work/denoise.png" "before the damage=$photos/hopper.png"

restore degrade -t denoise --kind impulse --set impulse=0.3 $photos/hopper.png -o $work/impulses --overwrite
restore run -m dip -t denoise --quality fast $work/impulses/hopper.png -o $work/impulses.png --overwrite
row impulses $work/impulses/hopper.png $work/impulses.png $photos/hopper.png

restore degrade -t sr --scale 4 $photos/hopper.png -o $work/small --overwrite
restore run -m dip -t sr --scale 4 --quality fast $work/small/hopper.png -o $work/sr.png --overwrite
row sr $work/small/hopper.png $work/sr.png $photos/hopper.png

restore degrade -t inpaint --kind text --seed 1 $photos/hopper.png -o $work/text --overwrite
restore run -m dip -t inpaint --mask $work/text/masks --quality fast $work/text/hopper.png -o $work/text.png --overwrite
row text $work/text/hopper.png $work/text.png $photos/hopper.png

restore degrade -t inpaint --kind pixels --set share=0.5 $photos/hopper.png -o $work/half --overwrite
restore run -m dip -t inpaint --mask $work/half/masks --quality fast $work/half/hopper.png -o $work/half.png --overwrite
row half $work/half/hopper.png $work/half.png $photos/hopper.png

restore degrade -t inpaint --kind boxes --seed 3 $photos/bridge.png -o $work/boxes --overwrite
restore run -m dip -t inpaint --mask $work/boxes/masks --quality fast $work/boxes/bridge.png -o $work/boxes.png --overwrite
row boxes $work/boxes/bridge.png $work/boxes.png $photos/bridge.png

restore degrade -t jpeg --quality 10 $photos/hopper.png -o $work/jpeg --overwrite
restore run -m dip -t jpeg --quality fast $work/jpeg/hopper.png -o $work/jpeg.png --overwrite
row jpeg $work/jpeg/hopper.png $work/jpeg.png $photos/hopper.png
