"""Floating-point operations of the networks, from their widths alone: planning loads no network.

Convolutions, linear layers and attention count, a multiplication and its addition as two; normalisations and
activations do not.
"""

from collections.abc import Iterator

from step.config.priors import Autoencoder, Denoiser

GIGA = 1e9
KERNEL = 9
"""Elements of a spatial convolution's kernel, 3 x 3."""
TEMPORAL_KERNEL = 3
FEED_FORWARD = 12
"""Multiplications of a gated feed-forward layer, per token, in squares of its width: 8 in and 4 out."""


def decoding(autoencoder: Autoencoder, channels: int, side: int) -> float:
    """Return the Gflop of decoding one frame of `channels` x `side` x `side` pixels."""
    widths, layers = autoencoder.block_channels[::-1], autoencoder.layers_per_block + 1
    pixels = (side // autoencoder.downsampling) ** 2
    products = float(pixels) * (autoencoder.latent_channels**2 + KERNEL * autoencoder.latent_channels * widths[0])
    products += _middle_of_autoencoder(autoencoder, pixels)
    before = widths[0]
    for depth, width in enumerate(widths):
        products += pixels * (_resnet(before, width) + (layers - 1) * _resnet(width, width))
        before = width
        if depth < len(widths) - 1:
            pixels *= 4
            products += pixels * KERNEL * width**2
    products += pixels * KERNEL * widths[-1] * channels * autoencoder.patch_size**2
    return 2 * products / GIGA


def encoding(autoencoder: Autoencoder, channels: int, side: int) -> float:
    """Return the Gflop of encoding one frame of `channels` x `side` x `side` pixels."""
    widths, layers = autoencoder.block_channels, autoencoder.layers_per_block
    pixels = (side // autoencoder.patch_size) ** 2
    products = float(pixels * KERNEL * channels * autoencoder.patch_size**2 * widths[0])
    before = widths[0]
    for depth, width in enumerate(widths):
        products += pixels * (_resnet(before, width) + (layers - 1) * _resnet(width, width))
        before = width
        if depth < len(widths) - 1:
            pixels //= 4
            products += pixels * KERNEL * width**2
    products += _middle_of_autoencoder(autoencoder, pixels)
    moments = 2 * autoencoder.latent_channels
    products += pixels * (KERNEL * widths[-1] * moments + moments**2)
    return 2 * products / GIGA


def denoising(denoiser: Denoiser, latent_shape: tuple[int, int, int, int], temporal: bool) -> float:
    """Return the Gflop of denoising one latent video (time, latent_channel, y, x); `temporal` is the switch."""
    frames, channels, side, _ = latent_shape
    widths = denoiser.block_channels
    products = float(2 * side**2 * KERNEL * channels * widths[0])
    for inputs, outputs, pixels in _resnets_of_denoiser(denoiser, side):
        products += pixels * (_resnet(inputs, outputs) + temporal * 2 * TEMPORAL_KERNEL * outputs**2)
    for depth, width in enumerate(widths[:-1]):
        products += (side // 2 ** (depth + 1)) ** 2 * KERNEL * width**2
        products += (side // 2**depth) ** 2 * KERNEL * widths[depth + 1] ** 2
    width, pixels = widths[-1], (side // 2 ** (len(widths) - 1)) ** 2
    linear = 2 * width**2  # into the transformer, and out of it
    products += pixels * (linear + _transformer(width, pixels))
    if temporal:
        products += pixels * (FEED_FORWARD * width**2 + _transformer(width, frames))
    return 2 * frames * products / GIGA


def _resnet(inputs: int, outputs: int) -> float:
    """Return the multiplications of a spatial residual block, per pixel."""
    return KERNEL * (inputs * outputs + outputs**2) + (inputs != outputs) * inputs * outputs


def _transformer(width: int, tokens: int) -> float:
    """Return the multiplications of self-attention among `tokens` and of the layers behind it, per token."""
    return 4 * width**2 + 2 * tokens * width + FEED_FORWARD * width**2


def _middle_of_autoencoder(autoencoder: Autoencoder, pixels: int) -> float:
    width = autoencoder.block_channels[-1]
    attention = 4 * width**2 + 2 * pixels * width if autoencoder.attention else 0
    return pixels * (2 * _resnet(width, width) + attention)


def _resnets_of_denoiser(denoiser: Denoiser, side: int) -> Iterator[tuple[int, int, int]]:
    """Yield inputs, outputs and pixels of the UNet's residual blocks."""
    widths, layers = denoiser.block_channels, denoiser.layers_per_block
    skips, before = [widths[0]], widths[0]
    for depth, width in enumerate(widths):
        for _ in range(layers):
            yield before, width, (side // 2**depth) ** 2
            before = width
            skips.append(width)
        if depth < len(widths) - 1:
            skips.append(width)
    for _ in range(2):
        yield before, before, (side // 2 ** (len(widths) - 1)) ** 2
    for depth, width in reversed(list(enumerate(widths))):
        for _ in range(layers + 1):
            yield before + skips.pop(), width, (side // 2**depth) ** 2
            before = width
