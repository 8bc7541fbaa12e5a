"""The DCGAN family: shapes, sizes, counts, and PyTorch's own layers as the reference."""

import pytest
import torch
from torch import nn

from colgan_search.errors import ConfigError
from colgan_search.gan.building import build_discriminator, build_generator, check_settings
from colgan_search.gan.networks.dcgan import DcganSettings
from colgan_search.gan.transfers.features import FeatureTransferSettings
from colgan_search.gan.transfers.outputs import OutputTransferSettings
from tests.unit.gan_helpers import IMAGE, network


def parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_the_papers_parameter_counts() -> None:
    paper = DcganSettings()
    generator = build_generator(paper, size=64, channels=3, seed=0)
    discriminator = build_discriminator(paper, size=64, channels=3, outputs=4, seed=0)
    # written out: 4 x 4 kernels of every layer, and batch norm's two vectors or the biases
    assert parameters(generator) == 16 * (100 * 512 + 512 * 256 + 256 * 128 + 128 * 64 + 64 * 3) + 2 * 960 == 3_576_704
    assert (
        parameters(discriminator) == 16 * (3 * 64 + 64 * 128 + 128 * 256 + 256 * 512 + 512 * 4) + (960 + 4) == 2_789_316
    )


@pytest.mark.parametrize(("size", "layers"), [(64, 5), (32, 4), (16, 3), (8, 2)])
@pytest.mark.parametrize("maps", ["activation", "convolution"])
def test_layer_shapes(size: int, layers: int, maps: str) -> None:
    generator = build_generator(network(width=4, z=6), size=size, channels=3, seed=0)
    images, found = generator.forward_with_maps(torch.randn(2, 6), range(1, layers + 1), maps)  # type: ignore[arg-type]
    expected = {m: (2, 4 * 2 ** (layers - 1 - m), 2 ** (m + 1), 2 ** (m + 1)) for m in range(1, layers)}
    expected[layers] = (2, 3, size, size)
    assert {m: tuple(f.shape) for m, f in found.items()} == expected
    assert images.shape == (2, 3, size, size) and images.abs().max() <= 1.0
    for m, f in found.items():
        if maps == "activation" and m < layers:
            assert f.min().item() == 0.0  # after ReLU
        if maps == "convolution":
            assert f.min().item() < 0.0
    last = found[layers]
    assert torch.equal(last if maps == "activation" else last.tanh(), images)


def test_maps_at_64_pixels_have_the_papers_channels() -> None:
    generator = build_generator(DcganSettings(width=2, z=4), size=64, channels=3, seed=0)
    _, found = generator.forward_with_maps(torch.randn(2, 4), (1, 2, 3, 4))
    assert [found[m].shape[1] for m in (1, 2, 3, 4)] == [16, 8, 4, 2]


def test_the_generator_against_plain_torch_layers() -> None:
    ours = build_generator(network(), size=16, channels=3, seed=1)
    plain = nn.Sequential(
        nn.ConvTranspose2d(6, 8, 4, 1, 0, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.ConvTranspose2d(8, 4, 4, 2, 1, bias=False),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.ConvTranspose2d(4, 3, 4, 2, 1, bias=False),
        nn.Tanh(),
    )
    _copy_in_order(ours, plain, (nn.ConvTranspose2d, nn.BatchNorm2d))
    z = torch.randn(5, 6, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(ours(z), plain(z[:, :, None, None]), atol=1e-6)
    assert torch.allclose(ours.eval()(z), plain.eval()(z[:, :, None, None]), atol=1e-6)


def test_the_batch_norm_discriminator_against_plain_torch_layers() -> None:
    ours = build_discriminator(network(discriminator_norm="batch"), size=32, channels=3, outputs=2, seed=1)
    plain = nn.Sequential(
        nn.Conv2d(3, 4, 4, 2, 1, bias=False),
        nn.LeakyReLU(0.2),
        nn.Conv2d(4, 8, 4, 2, 1, bias=False),
        nn.BatchNorm2d(8),
        nn.LeakyReLU(0.2),
        nn.Conv2d(8, 16, 4, 2, 1, bias=False),
        nn.BatchNorm2d(16),
        nn.LeakyReLU(0.2),
        nn.Conv2d(16, 2, 4, 1, 0, bias=False),
    )
    _copy_in_order(ours, plain, (nn.Conv2d, nn.BatchNorm2d))
    x = torch.rand(5, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    out = ours(x)
    assert out.shape == (5, 2)
    assert torch.allclose(out, plain(x)[:, :, 0, 0], atol=1e-6)
    assert parameters(ours) == parameters(plain)


def test_the_spectral_discriminator_against_plain_torch_layers() -> None:
    norm = nn.utils.parametrizations.spectral_norm
    ours = build_discriminator(network(), size=16, channels=1, outputs=4, seed=1)
    plain = nn.Sequential(
        norm(nn.Conv2d(1, 4, 4, 2, 1)),
        nn.LeakyReLU(0.2),
        norm(nn.Conv2d(4, 8, 4, 2, 1)),
        nn.LeakyReLU(0.2),
        norm(nn.Conv2d(8, 4, 4, 1, 0)),
    )
    _copy_in_order(ours, plain, (nn.Conv2d,))
    x = torch.rand(5, 1, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    for _ in range(3):  # three power iterations
        assert torch.allclose(ours(x), plain(x)[:, :, 0, 0], atol=1e-6)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in ours.modules())


def test_spectral_norm_in_place_of_batch_norm_only() -> None:
    norm = nn.utils.parametrizations.spectral_norm
    ours = build_discriminator(network(discriminator_norm="spectral-replacing"), size=32, channels=3, outputs=4, seed=1)
    plain = nn.Sequential(
        nn.Conv2d(3, 4, 4, 2, 1),
        nn.LeakyReLU(0.2),
        norm(nn.Conv2d(4, 8, 4, 2, 1)),
        nn.LeakyReLU(0.2),
        norm(nn.Conv2d(8, 16, 4, 2, 1)),
        nn.LeakyReLU(0.2),
        nn.Conv2d(16, 4, 4, 1, 0),
    )
    _copy_in_order(ours, plain, (nn.Conv2d,))
    x = torch.rand(5, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    for _ in range(3):  # three power iterations
        assert torch.allclose(ours(x), plain(x)[:, :, 0, 0], atol=1e-6)
    # The layers with a spectral norm here are those with a batch norm in DCGAN's own discriminator.
    batch = build_discriminator(network(discriminator_norm="batch"), size=32, channels=3, outputs=4, seed=1)
    normed = [m for m in ours.modules() if isinstance(m, nn.Conv2d) and hasattr(m, "parametrizations")]
    assert len(normed) == sum(isinstance(m, nn.BatchNorm2d) for m in batch.modules()) == 2


def test_every_convolution_has_a_spectral_norm_of_one() -> None:
    discriminator = build_discriminator(DcganSettings(width=8), size=16, channels=3, outputs=3, seed=2).eval()
    convolutions = [m for m in discriminator.modules() if isinstance(m, nn.Conv2d)]
    assert len(convolutions) == 3
    for convolution in convolutions:
        sigma = torch.linalg.matrix_norm(convolution.weight.detach().flatten(1).double(), 2).item()
        assert sigma == pytest.approx(1.0, abs=0.1)  # the power iteration lags


def test_initial_weights() -> None:
    generator = build_generator(DcganSettings(), size=64, channels=3, seed=5)
    discriminator = build_discriminator(DcganSettings(), size=64, channels=3, outputs=2, seed=5)
    layers = [*generator.modules(), *discriminator.modules()]
    kernels = [
        (m.parametrizations.weight.original if hasattr(m, "parametrizations") else m.weight).detach()
        for m in layers
        if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)
    ]
    for kernel in kernels:
        assert kernel.std().item() == pytest.approx(0.02, rel=0.05)
        assert abs(kernel.mean().item()) < 2e-3
    scales = torch.cat([m.weight.detach() for m in layers if isinstance(m, nn.BatchNorm2d)])
    assert scales.mean().item() == pytest.approx(1.0, abs=0.003)
    assert scales.std().item() == pytest.approx(0.02, rel=0.1)
    biases = [m.bias for m in layers if getattr(m, "bias", None) is not None]
    assert biases and all(not bias.detach().any() for bias in biases)


def test_weights_follow_from_the_seed_alone() -> None:
    def built(seed: int) -> list[torch.Tensor]:
        generator = build_generator(network(), size=16, channels=1, seed=seed)
        discriminator = build_discriminator(network(), size=16, channels=1, outputs=3, seed=seed)
        return [*generator.state_dict().values(), *discriminator.state_dict().values()]

    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    first = built(4)
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(2)
    assert all(torch.equal(a, b) for a, b in zip(first, built(4), strict=True))
    assert not torch.equal(first[0], built(5)[0])


@pytest.mark.parametrize("size", [4, 12, 48, 65, 512])
def test_sizes_that_cannot_be_made(size: int) -> None:
    with pytest.raises(ConfigError, match=rf"data.size: {size} .*8, 16, 32, 64, 128, 256"):
        check_settings(network(), IMAGE, None, size=size, channels=1)


def test_layers_that_are_not_there() -> None:
    check_settings(network(), FeatureTransferSettings(layers=(1, 5)), None, size=64, channels=3)
    with pytest.raises(ConfigError, match=r"transfer.layers: \[4\] .* layers 1..3"):
        check_settings(network(), FeatureTransferSettings(layers=(3, 4)), None, size=16, channels=3)


@pytest.mark.parametrize("norm", ["spectral", "batch"])
@pytest.mark.parametrize("maps", ["activation", "convolution"])
def test_the_discriminators_maps_are_its_layers_outputs(norm: str, maps: str) -> None:
    discriminator = build_discriminator(network(discriminator_norm=norm), size=16, channels=1, outputs=3, seed=1).eval()
    seen: list[torch.Tensor] = []
    layers = discriminator.convolutions if maps == "convolution" else discriminator.activations
    for layer in list(layers)[:2]:
        layer.register_forward_hook(lambda module, inputs, output: seen.append(output.clone()))
    images = torch.randn(2, 1, 16, 16, generator=torch.Generator().manual_seed(1))
    logits, found = discriminator.forward_with_maps(images, (1, 2), maps)  # type: ignore[arg-type]
    assert [tuple(found[layer].shape) for layer in (1, 2)] == [(2, 4, 8, 8), (2, 8, 4, 4)]
    assert all(torch.equal(found[layer], output) for layer, output in zip((1, 2), seen, strict=True))
    assert torch.equal(logits, discriminator(images))


def test_layers_of_the_discriminator_that_are_not_there() -> None:
    check_settings(network(), IMAGE, FeatureTransferSettings(layers=(1, 2)), size=16, channels=3)
    with pytest.raises(ConfigError, match=r"discriminator_transfer.layers: \[3\] .* discriminator .* layers 1..2"):
        check_settings(network(), IMAGE, FeatureTransferSettings(layers=(3,)), size=16, channels=3)


def test_transfer_kinds_are_for_their_edges() -> None:
    with pytest.raises(
        ConfigError, match=r"transfer.kind: outputs is not for .* generators; these are: features, image"
    ):
        check_settings(network(), OutputTransferSettings(), None, size=16, channels=3)
    with pytest.raises(ConfigError, match=r"discriminator_transfer.kind: image .* these are: features, outputs"):
        check_settings(network(), IMAGE, IMAGE, size=16, channels=3)


def test_a_teaching_discriminator_is_always_detached() -> None:
    attached = FeatureTransferSettings(layers=(1,), detach_teacher=False)
    check_settings(network(), attached, None, size=16, channels=3)
    with pytest.raises(ConfigError, match=r"discriminator_transfer.detach_teacher: False is not allowed"):
        check_settings(network(), attached, attached, size=16, channels=3)


def _copy_in_order(source: nn.Module, target: nn.Module, kinds: tuple[type[nn.Module], ...]) -> None:
    """Copies the layers of the given kinds over by position alone; batch norms and convolutions separately."""
    for kind in kinds:
        pairs = [[m for m in net.modules() if isinstance(m, kind)] for net in (source, target)]
        for a, b in zip(*pairs, strict=True):
            b.load_state_dict(a.state_dict())
