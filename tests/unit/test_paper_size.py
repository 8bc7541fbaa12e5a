"""Every system of the paper at its full size: layer shapes, and one whole iteration with a small batch."""

import pytest
import torch

from colgan_search import presets
from colgan_search.config import RuntimeSettings, load_config
from colgan_search.gan.building import build_discriminator, build_generator
from colgan_search.gan.trainer import train
from colgan_search.gates import POSITIVE
from colgan_search.roster import generator as node

SYSTEMS = {
    "paper/table1-dcgan": "dcgan",
    "paper/table1-dcgan-sn": "dcgan",
    "paper/table1-mad-gan": "mad-gan",
    "paper/table1-proposed": "all-through",
    "paper/table2-image": "all-through",
    "paper/table2-input-side": "all-through",
    "paper/table2-output-side": "all-through",
    "paper/table3-mad-gan": "mad-gan",
    "paper/table3-proposed": "buffer",
}
BATCH = 4


@pytest.mark.parametrize("name", SYSTEMS)
def test_one_whole_iteration_of_every_system(name: str) -> None:
    config = load_config(name)
    graph = presets.resolve(SYSTEMS[name], config.roster)
    images = torch.randint(0, 256, (BATCH, 3, 64, 64), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    training = config.training.model_copy(update={"batch": BATCH, "epochs": 1})
    before: list[list[torch.Tensor]] = []
    state = train(
        graph,
        images,
        config.network,
        config.transfer,
        training,
        RuntimeSettings(device="cpu"),
        seed=1,
        device=torch.device("cpu"),
        on_start=lambda s: before.extend([p.detach().clone() for p in g.parameters()] for g in s.generators),
    )
    assert (state.iteration, state.k) == (1, config.k)
    for number, (network, old) in enumerate(zip(state.generators, before, strict=True), start=1):
        assert sum(p.numel() for p in network.parameters()) == 3_576_704
        moved = any(not torch.equal(p, q) for p, q in zip(network.parameters(), old, strict=True))
        # At progress 0 a positive gate is 0: only edges that are open then move their generator.
        gates = [gate for _, gate in graph.incoming(node(number))]
        assert moved == any(gate is not POSITIVE for gate in gates)
        assert all(p.isfinite().all() for p in network.parameters())


def test_layer_shapes_of_the_papers_networks() -> None:
    config = load_config("paper/table3-proposed")
    generator = build_generator(config.network, size=64, channels=3, seed=1)
    images, maps = generator.forward_with_maps(torch.zeros(2, 100), (1, 2, 3, 4, 5))
    assert [tuple(maps[layer].shape) for layer in (1, 2, 3, 4, 5)] == [
        (2, 512, 4, 4),
        (2, 256, 8, 8),
        (2, 128, 16, 16),
        (2, 64, 32, 32),
        (2, 3, 64, 64),
    ]
    assert torch.equal(images, maps[5])
    discriminator = build_discriminator(config.network, size=64, channels=3, outputs=4, seed=1)
    assert discriminator(images).shape == (2, 4)
    assert sum(p.numel() for p in discriminator.parameters()) == 2_789_316
