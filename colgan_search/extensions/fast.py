"""The ways of computing a training iteration faster, each of which can be switched off by itself: docs/speed.md."""

from pydantic import Field

from colgan_search.extensions.section import Section


class FastSettings(Section):
    """Equal but for the rounding of float32, so no part of the fingerprint: docs/speed.md has what each one gains.

    The bits differ, so a training is resumed in every bit only with the settings it began with. A base GAN that knows
    nothing of one of them computes as before.
    """

    spectral: bool = Field(
        True, description="spectral norm without autograd: its power iterations on views, 1 / sigma on the output"
    )
    one_pass: bool = Field(
        True,
        description="all batches that a discriminator judges in one step as one, each with its own power iteration; "
        "needs spectral",
    )
    matrix_products: bool = Field(
        True, description="layers from or to 1 x 1 pixels, or to a few channels, as matrix products"
    )
    one_adam: bool = Field(True, description="one fused Adam for all generators")
    channels_last: bool = Field(True, description="weights and images with the channels innermost in memory")
    cuda_graph: bool = Field(
        False, description="on CUDA, an iteration is recorded once and replayed as one graph; not yet run on a GPU"
    )
    losses_every: int = Field(32, ge=1, le=10_000, description="iterations between looks at the losses for NaN and Inf")


USUAL = FastSettings()
"""All that is on by itself."""
REFERENCE = FastSettings(
    spectral=False,
    one_pass=False,
    matrix_products=False,
    one_adam=False,
    channels_last=False,
    cuda_graph=False,
    losses_every=1,
)
"""Everything off: each step as PyTorch's own modules do it."""
