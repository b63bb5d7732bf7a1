"""The U-Nets of published code of DDPM, written anew: their parameters have the published names."""
