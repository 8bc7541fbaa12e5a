"""The numbers and words of the paper's section 4, typed from the paper, against configs, tables and records."""

import pytest

from colgan_search import presets
from colgan_search.config import load_config
from colgan_search.gates import CUTOFF
from colgan_search.records import GeneratorScore, Protocol, Scores
from colgan_search.reproduction.paper_tables import REAL_IMAGES_IS, TABLES
from colgan_search.roster import Roster

ALL, TWO = {"through", "cutoff", "negative", "positive"}, {"through", "cutoff"}

# config: k, norm in D, transfer, layers, the one graph (None = searched), gates, trials, epochs, weights
EXPERIMENTS = {
    "table1-dcgan": (1, "batch", None, (), "dcgan", None, None, 200, "best"),
    "table1-dcgan-sn": (1, "spectral", None, (), "dcgan", None, None, 200, "best"),
    "table1-mad-gan": (2, "spectral", None, (), "mad-gan", None, None, 200, "best"),
    "table1-proposed": (2, "spectral", "image", (), "all-through", None, None, 200, "best"),
    "table2-image": (3, "spectral", "image", (), None, TWO, 1500, 50, "last"),
    "table2-input-side": (3, "spectral", "features", (2, 3), None, TWO, 1500, 50, "last"),
    "table2-output-side": (3, "spectral", "features", (3, 4), None, TWO, 1500, 50, "last"),
    "table3-mad-gan": (3, "spectral", None, (), "mad-gan", None, None, 200, "last"),
    "table3-proposed": (3, "spectral", "features", (3, 4), None, ALL, 1500, 200, "last"),
}

DCGANS = [
    ("DCGAN", "table1-dcgan", 4.57, 0.03, 25.79),
    ("DCGAN + SN", "table1-dcgan-sn", 4.77, 0.05, 21.17),
]

# What a row is called, the config that it is run with, and its IS, deviation and FID as the tables print them
PRINTED = {
    "table1": [
        *DCGANS,
        ("MAD-GAN + SN (k = 2)", "table1-mad-gan", 4.81, 0.05, 27.02),
        ("proposed, image transfer (k = 2)", "table1-proposed", 5.10, 0.07, 21.31),
    ],
    "table2": [
        ("image transfer", "table2-image", 4.42, 0.04, 46.06),
        ("feature transfer, input side", "table2-input-side", 4.46, 0.04, 50.09),
        ("feature transfer, output side", "table2-output-side", 4.48, 0.05, 40.93),
    ],
    "table3": [
        *DCGANS,
        ("MAD-GAN + SN (k = 3)", "table3-mad-gan", 4.77, 0.03, 28.76),
        ("proposed (k = 3)", "table3-proposed", 5.37, 0.09, 23.77),
    ],
}


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_as_section_4_tells_it(name: str) -> None:
    k, norm, transfer, layers, graph, gates, trials, epochs, point = EXPERIMENTS[name]
    config = load_config(f"paper/{name}")
    assert (config.k, config.network.discriminator_norm) == (k, norm)
    assert (config.training.epochs, config.evaluation.point) == (epochs, point)
    if transfer is not None:
        assert (config.transfer.kind, config.transfer.layers) == (transfer, layers)
    if graph is not None:
        assert (config.search.sampler, config.search.first) == ("repeat", (graph,))
        open_edges = [e for e, gate in presets.preset(graph, Roster(k)).items() if gate is not CUTOFF]
        assert any(not edge.adversarial for edge in open_edges) is (transfer is not None)
    else:
        assert config.search.first == () and config.search.sampler != "repeat"
        assert ({gate.name for gate in config.search.gates}, config.search.trials) == (gates, trials)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_what_section_4_1_says_of_all_experiments(name: str) -> None:
    config = load_config(f"paper/{name}")
    assert (config.data.name, config.data.limit, config.data.size, config.data.channels) == ("cifar10", None, 64, 3)
    assert config.network.name == "dcgan"
    assert (config.training.batch, config.network.z, config.transfer.alpha) == (256, 100, 1000.0)
    assert config.evaluation.fid and config.evaluation.extractor == "inception"


@pytest.mark.parametrize("table", PRINTED)
def test_printed_scores_are_the_papers(table: str) -> None:
    rows = [(row.label, row.config, row.printed_is, row.printed_is_std, row.printed_fid) for row in TABLES[table]]
    assert rows == PRINTED[table]
    assert REAL_IMAGES_IS == (8.70, 0.14)


def test_the_value_of_a_graph_is_the_maximum_of_its_generators() -> None:
    # the three generators of figure 8
    protocol = Protocol(
        extractor="inception", weights_digest="0", resolution=64, channels=3, images=2, splits=1, reference=None
    )
    found = [
        GeneratorScore(metrics={"is_mean": mean, "is_std": std})
        for mean, std in ((4.70, 0.07), (5.37, 0.09), (1.33, 0.03))
    ]
    scores = Scores(generators=tuple(found), protocol=protocol)
    assert (scores.value, scores.best_generator) == (5.37, 2)
