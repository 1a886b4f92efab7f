"""The noise-predicting UNet, for images and, with temporal modules, for videos (Fig. 3 and Eq. 3).

Every spatial module (residual block, transformer) of the image network has, in the video network, a temporal one
behind it: ``out = a h_spatial + (1 - a) Temporal(h_spatial)`` with one learnable `a` per module. The temporal
branches are residual and start at zero, so that a freshly inflated video network equals the image network frame
by frame. With the switch OFF the temporal branches are not evaluated (a := 1).

The blocks are those of diffusers' spatiotemporal networks, so that the paper's widths give the paper's number of
parameters; the number of normalisation groups is a setting here, and OFF costs nothing.
"""

import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.attention import BasicTransformerBlock, TemporalBasicTransformerBlock
from diffusers.models.attention_processor import Attention
from diffusers.models.downsampling import Downsample2D
from diffusers.models.embeddings import TimestepEmbedding, Timesteps
from diffusers.models.modeling_utils import ModelMixin
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.upsampling import Upsample2D
from torch import nn

from step.config.priors import Denoiser

EPS = 1e-5


class Blend(nn.Module):
    """``a h_spatial + (1 - a) h_temporal`` (Eq. 3), with a = sigmoid of the parameter so that it stays in (0, 1)."""

    def __init__(self):
        super().__init__()
        self.logit = nn.Parameter(torch.tensor([0.5]))

    def forward(self, spatial: torch.Tensor, temporal: torch.Tensor) -> torch.Tensor:
        """Return the blend of two tensors of the same shape."""
        return torch.lerp(temporal, spatial, torch.sigmoid(self.logit).to(spatial.dtype))


class TemporalConv(nn.Conv3d):
    """A convolution along time, evaluated over (time, pixel): processors have a fast one in two dimensions only."""

    def __init__(self, channels: int):
        super().__init__(channels, channels, (3, 1, 1), padding=(1, 0, 0))

    def forward(self, video: torch.Tensor) -> torch.Tensor:
        """Return the convolved `video` (batch, channel, time, y, x)."""
        convolved = nn.functional.conv2d(video.flatten(3), self.weight.flatten(3), self.bias, padding=(1, 0))
        return convolved.unflatten(3, video.shape[3:])


class TemporalResnet(nn.Module):
    """A residual block of convolutions along time alone; it starts as the identity."""

    def __init__(self, channels: int, embedding: int, groups: int):
        super().__init__()
        self.norm1 = nn.GroupNorm(groups, channels, eps=EPS)
        self.conv1 = TemporalConv(channels)
        self.embed = nn.Linear(embedding, channels)
        self.norm2 = nn.GroupNorm(groups, channels, eps=EPS)
        self.conv2 = TemporalConv(channels)
        _zero(self.conv2)

    def forward(self, video: torch.Tensor, embedding: torch.Tensor) -> torch.Tensor:
        """Return the changed `video` (batch, channel, time, y, x), given the step's `embedding` (batch, width)."""
        hidden = self.conv1(nn.functional.silu(self.norm1(video)))
        hidden = hidden + self.embed(nn.functional.silu(embedding))[:, :, None, None, None]
        return video + self.conv2(nn.functional.silu(self.norm2(hidden)))


class Resnet(nn.Module):
    """A spatial residual block and, in a video network, the temporal one behind it."""

    def __init__(self, inputs: int, outputs: int, embedding: int, groups: int, temporal: bool):
        super().__init__()
        self.spatial = ResnetBlock2D(
            in_channels=inputs, out_channels=outputs, temb_channels=embedding, groups=groups, eps=EPS
        )
        if temporal:
            self.temporal = TemporalResnet(outputs, embedding, groups)
            self.blend = Blend()

    def forward(self, frames: torch.Tensor, embedding: torch.Tensor, n_frames: int | None) -> torch.Tensor:
        """Return the changed `frames` (batch * time, channel, y, x); `n_frames` is None with the switch OFF."""
        spatial = self.spatial(frames, embedding)
        if n_frames is None:
            return spatial
        video = spatial.unflatten(0, (-1, n_frames)).transpose(1, 2)
        temporal = self.temporal(video, embedding[::n_frames]).transpose(1, 2).flatten(0, 1)
        return self.blend(spatial, temporal)


class NullContext:
    """Attention to a context that is a single token of zeros, for diffusers' blocks.

    One token has all the weight whatever asks for it, and its value is nothing: what remains of the layer is the bias
    of its output. The weights that it leaves alone are the paper's, and learn nothing.
    """

    @classmethod
    def give(cls, block: BasicTransformerBlock | TemporalBasicTransformerBlock) -> None:
        """Let the cross-attention of `block` attend to it, and freeze what has no part in that."""
        # diffusers names its own processors alone, and calls what it is given.
        block.attn2.set_processor(cls())  # type: ignore[arg-type]
        for layer in (block.norm2, block.attn2):
            layer.requires_grad_(False)
        block.attn2.to_out[0].bias.requires_grad_(True)

    def __call__(self, attention: Attention, hidden_states: torch.Tensor, **_: torch.Tensor | None) -> torch.Tensor:
        """Return the layer's output, of the shape of `hidden_states`."""
        bias = attention.to_out[0].get_parameter("bias")
        return bias.to(hidden_states.dtype).expand_as(hidden_states)


class Transformer(nn.Module):
    """A transformer over the pixels of a frame and, in a video network, one over the frames of a pixel."""

    def __init__(self, channels: int, heads: int, context: int, groups: int, temporal: bool):
        super().__init__()
        head = channels // heads
        self.norm = nn.GroupNorm(groups, channels, eps=1e-6)
        self.proj_in = nn.Linear(channels, channels)
        # The paper's network has a cross-attention that an unconditional prior has nothing to feed.
        self.spatial = BasicTransformerBlock(channels, heads, head, cross_attention_dim=context)
        NullContext.give(self.spatial)
        if temporal:
            self.temporal = TemporalBasicTransformerBlock(channels, channels, heads, head, context)
            NullContext.give(self.temporal)
            self.frame_number = Timesteps(channels, flip_sin_to_cos=True, downscale_freq_shift=0)
            self.frame_embedding = TimestepEmbedding(channels, 4 * channels, out_dim=channels)
            self.blend = Blend()
            for layer in _last_layers(self.temporal, self.frame_embedding):
                _zero(layer)
        self.proj_out = nn.Linear(channels, channels)

    def forward(self, frames: torch.Tensor, n_frames: int | None) -> torch.Tensor:
        """Return the changed `frames` (batch * time, channel, y, x); `n_frames` is None with the switch OFF."""
        height, width = frames.shape[-2:]
        hidden = self.proj_in(self.norm(frames).flatten(2).transpose(1, 2))
        hidden = self.spatial(hidden)
        if n_frames is not None:
            hidden = self.blend(hidden, self._attend_over_time(hidden, n_frames))
        return frames + self.proj_out(hidden).transpose(1, 2).unflatten(2, (height, width))

    def _attend_over_time(self, hidden: torch.Tensor, n_frames: int) -> torch.Tensor:
        numbers = torch.arange(n_frames, device=hidden.device)
        position = self.frame_embedding(self.frame_number(numbers).to(hidden.dtype))
        position = position.repeat(len(hidden) // n_frames, 1)[:, None]
        return self.temporal(hidden + position, n_frames)


class DenoisingUNet(ModelMixin, ConfigMixin):  # type: ignore[misc]  # diffusers' bases differ in `config_name`
    """Predicts the noise in latent images, or, if `temporal`, in latent videos and images."""

    @register_to_config
    def __init__(
        self,
        *,
        latent_channels: int,
        block_channels: tuple[int, ...],
        layers_per_block: int,
        norm_groups: int,
        attention_heads: int,
        context_width: int,
        condition_width: int,
        temporal: bool,
    ):
        super().__init__()
        first, last = block_channels[0], block_channels[-1]
        embedding = 4 * first

        def resnet(inputs: int, outputs: int) -> Resnet:
            return Resnet(inputs, outputs, embedding, norm_groups, temporal)

        self.conv_in = nn.Conv2d(latent_channels, first, 3, padding=1)
        self.timestep = Timesteps(first, flip_sin_to_cos=True, downscale_freq_shift=0)
        self.embedding = TimestepEmbedding(first, embedding)
        self.condition = TimestepEmbedding(condition_width, embedding)
        self.down = nn.ModuleList()
        skips = [first]
        channels = first
        for depth, width in enumerate(block_channels):
            block = nn.ModuleList()
            for _ in range(layers_per_block):
                block.append(resnet(channels, width))
                channels = width
                skips.append(width)
            if depth < len(block_channels) - 1:
                # With its default name it would register its one convolution twice, which safetensors refuses.
                block.append(Downsample2D(width, use_conv=True, out_channels=width, name="op"))
                skips.append(width)
            self.down.append(block)
        self.middle = nn.ModuleList(
            [resnet(last, last), Transformer(last, attention_heads, context_width, norm_groups, temporal)]
        )
        self.middle.append(resnet(last, last))
        self.up = nn.ModuleList()
        for depth, width in reversed(list(enumerate(block_channels))):
            block = nn.ModuleList()
            for _ in range(layers_per_block + 1):
                block.append(resnet(channels + skips.pop(), width))
                channels = width
            if depth > 0:
                block.append(Upsample2D(width, use_conv=True, out_channels=width))
            self.up.append(block)
        self.norm_out = nn.GroupNorm(norm_groups, first, eps=EPS)
        self.conv_out = nn.Conv2d(first, latent_channels, 3, padding=1)

    def forward(self, latent: torch.Tensor, t: torch.Tensor | float, temporal: bool) -> torch.Tensor:
        """Return the noise in `latent` (batch, time, latent_channel, y, x) at timestep `t`, one for each or for all.

        `temporal` is the switch: ON evaluates the temporal modules, OFF treats every frame as an image.
        """
        batch, n_frames = latent.shape[:2]
        if temporal and not self.config.temporal:  # type: ignore[attr-defined]  # diffusers says dict
            raise ValueError("an image network has no temporal modules; inflate it or switch them OFF")
        t = torch.as_tensor(t, dtype=torch.float32, device=latent.device).expand(batch)
        # The paper's network embeds a condition of the whole clip too, of which a prior has none.
        condition = latent.new_zeros(batch, self.config.condition_width)  # type: ignore[attr-defined]
        embedding = self.embedding(self.timestep(t).to(latent.dtype)) + self.condition(condition)
        embedding = embedding.repeat_interleave(n_frames, 0)
        noise = self._predict(latent.flatten(0, 1), embedding, n_frames if temporal else None)
        return noise.unflatten(0, (batch, n_frames))

    def _predict(self, frames: torch.Tensor, embedding: torch.Tensor, n_frames: int | None) -> torch.Tensor:
        hidden = self.conv_in(frames)
        skips = [hidden]
        for block in self.down:
            for layer in block.children():
                hidden = layer(hidden, embedding, n_frames) if isinstance(layer, Resnet) else layer(hidden)
                skips.append(hidden)
        first, transformer, second = self.middle
        hidden = first(hidden, embedding, n_frames)
        hidden = transformer(hidden, n_frames)
        hidden = second(hidden, embedding, n_frames)
        for block in self.up:
            for layer in block.children():
                if isinstance(layer, Resnet):
                    hidden = layer(torch.cat([hidden, skips.pop()], dim=1), embedding, n_frames)
                else:
                    hidden = layer(hidden)
        return self.conv_out(nn.functional.silu(self.norm_out(hidden)))


Settings = Denoiser
Network = DenoisingUNet


def build(settings: Denoiser, latent_channels: int, temporal: bool) -> DenoisingUNet:
    """Return an untrained network of latents of `latent_channels`; `temporal` is whether it is one of videos."""
    return DenoisingUNet(latent_channels=latent_channels, temporal=temporal, **settings.model_dump())


def inflate(image_network: DenoisingUNet) -> DenoisingUNet:
    """Return a video network that equals `image_network` frame by frame: same weights, temporal branches at zero."""
    video_network = DenoisingUNet.from_config(image_network.config, temporal=True)
    missing, unexpected = video_network.load_state_dict(image_network.state_dict(), strict=False)
    stray = [name for name in missing if not _is_temporal(name)]
    if stray or unexpected:
        raise ValueError(f"the networks differ in {stray + unexpected}; both must have the same widths")
    return video_network


def _is_temporal(parameter: str) -> bool:
    return any(part in ("temporal", "blend", "frame_embedding") for part in parameter.split("."))


def _last_layers(temporal: TemporalBasicTransformerBlock, frame_embedding: TimestepEmbedding) -> list[nn.Module]:
    """Return the layers whose zero makes a temporal transformer block the identity."""
    attention = [temporal.attn1.to_out[0], temporal.attn2.to_out[0]]
    return [temporal.ff_in.net[-1], *attention, temporal.ff.net[-1], frame_embedding.linear_2]


def _zero(layer: nn.Module) -> None:
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
