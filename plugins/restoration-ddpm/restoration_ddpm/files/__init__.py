"""Files of published code of DDPM: which network they are of, and on which path it was trained."""
