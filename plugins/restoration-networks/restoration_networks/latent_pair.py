"""The two networks of Latent Refusion as one: a U-Net into latents and out of them, and a NAFNet that denoises there.

Luo et al., "Refusion: Enabling Large-Size Realistic Image Restoration with Latent-Space Diffusion Models", CVPR
Workshops 2023, arXiv:2304.08291.
"""

from __future__ import annotations

from torch import Tensor, nn

from restoration_networks.conditional_nafnet import ConditionalNAFNet
from restoration_networks.latent_unet import Hidden, LatentUNet


class LatentPair(nn.Module):
    """The `autoencoder` and the `denoiser` of its latents, with the published names below each.

    Called with latents it denoises them; called with pictures it encodes both, denoises, and decodes with what is
    hidden in the degraded one. The channels say which, so `latent_channels` must not be `channels`. The defaults are
    those for dehazing, 79 million parameters.
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
        """Return the latent of a picture `b c h w`, `b latent_channels h' w'`, and what it leaves out."""
        return self.autoencoder.encode(x)

    def decode(self, latent: Tensor, hidden: Hidden) -> Tensor:
        """Return the picture of a latent, `b c h w`, with what is hidden in the one that was encoded."""
        return self.autoencoder.decode(latent, hidden)

    def forward(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        """Predict from a state `x` and the degraded `y`, latents or pictures, at times `t` in [0, 1], `b` or `1`."""
        if x.shape[1] == self.latent_channels:
            return self.denoiser(x, y, t)  # type: ignore[no-any-return]
        degraded, hidden = self.encode(y)
        return self.decode(self.denoiser(self.encode(x)[0], degraded, t), hidden)
