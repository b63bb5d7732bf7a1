"""The two networks of Latent Refusion as one: a U-Net to latents and back, and a NAFNet that denoises the latents.

Luo et al., "Refusion: Enabling Large-Size Realistic Image Restoration with Latent-Space Diffusion Models", CVPR
Workshops 2023, arXiv:2304.08291.
"""

from __future__ import annotations

from torch import Tensor, nn

from restoration_networks.conditional_nafnet import ConditionalNAFNet
from restoration_networks.latent_unet import Hidden, LatentUNet


class LatentPair(nn.Module):
    """The `autoencoder` and the `denoiser` of its latents; the parameters of each have the published names.

    Called with latents, it denoises them. Called with pictures, it encodes both, denoises, and decodes with the hidden
    features of the degraded one. The number of channels tells which, so `latent_channels` must differ from `channels`.
    The defaults are those for dehazing, 79 million parameters.

    * `channels`, `latent_channels`: the channels of pictures and of latents.
    * `autoencoder_width`, `multipliers`: `width` and `multipliers` of `LatentUNet`.
    * `width`, `encoder`, `middle`, `decoder`, `time_scale`: those of `ConditionalNAFNet`.
    """

    def __init__(
        self,
        *,
        channels: int = 3,
        latent_channels: int = 8,
        autoencoder_width: int = 8,
        multipliers: tuple[int, ...] = (4, 8, 8, 16),
        width: int = 64,
        encoder: tuple[int, ...] = (1, 1, 1, 28),
        middle: int = 1,
        decoder: tuple[int, ...] = (1, 1, 1, 1),
        time_scale: float = 100.0,
    ) -> None:
        super().__init__()
        if latent_channels == channels:
            raise ValueError(f"latent_channels must differ from the {channels} channels of pictures")
        self.latent_channels = latent_channels
        self.autoencoder = LatentUNet(
            in_channels=channels,
            channels=channels,
            width=autoencoder_width,
            multipliers=multipliers,
            latent_channels=latent_channels,
        )
        self.denoiser = ConditionalNAFNet(
            channels=latent_channels,
            width=width,
            encoder=encoder,
            middle=middle,
            decoder=decoder,
            intro_skip=True,
            time_scale=time_scale,
        )

    def encode(self, x: Tensor) -> tuple[Tensor, Hidden]:
        """Return the latent `b latent_channels h' w'` of pictures `b c h w`, and what it does not contain."""
        return self.autoencoder.encode(x)

    def decode(self, latent: Tensor, hidden: Hidden) -> Tensor:
        """Return pictures `b c h w` from latents and the `hidden` features of the pictures that were encoded."""
        return self.autoencoder.decode(latent, hidden)

    def forward(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        """Predict from a state `x` and the degraded `y`, latents or pictures, at times `t` in [0, 1], `b` or `1`."""
        if x.shape[1] == self.latent_channels:
            return self.denoiser(x, y, t)  # type: ignore[no-any-return]
        degraded, hidden = self.encode(y)
        return self.decode(self.denoiser(self.encode(x)[0], degraded, t), hidden)
