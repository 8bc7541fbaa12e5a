"""What figures 6 and 7 call things: MAD-GAN only what is known to be it, a transfer method only where one acts."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from colgan_search.api.figure_rivals import rival_of
from colgan_search.api.figure_sources import transfer_method
from colgan_search.bundles.weights import recorded_graph
from colgan_search.config import StudyConfig, parse_config
from colgan_search.errors import DataError
from colgan_search.experiment import Experiment
from colgan_search.file_names import WorkFolder
from colgan_search.presets import preset
from colgan_search.roster import Roster
from tests.integration.cli_helpers import config_data, small_config

FILE = "generators.safetensors"


def left_by(folder: Path, graph: str) -> Path:
    """The run folder of a trial of `graph`, as a worker's experiment leaves it."""
    config = small_config(folder, training__batch=256)
    experiment = Experiment(config, WorkFolder(folder / "work"), torch.device("cpu"))
    run = folder / graph
    experiment(preset(graph, Roster(2)), 1, run, lambda progress: None, lambda: False)
    return run


def test_a_trials_weights_say_of_which_graph_they_are(tmp_path: Path) -> None:
    mad_gan, other = left_by(tmp_path, "mad-gan"), left_by(tmp_path, "all-through")
    assert recorded_graph(mad_gan / FILE) == preset("mad-gan", Roster(2))
    assert rival_of(mad_gan, Roster(2)).label == "MAD-GAN, mad-gan"
    with pytest.raises(DataError, match="is a run of G1=D:t,G2:t/G2=D:t,G1:t, not of the graph mad-gan"):
        rival_of(other, Roster(2))
    with pytest.raises(DataError, match="k = 2, the proposed one has k = 3"):
        rival_of(mad_gan, Roster(3))


def test_weights_that_do_not_say_are_refused(tmp_path: Path) -> None:
    run = tmp_path / "study" / "trial-00007"
    run.mkdir(parents=True)
    save_file({"G1.x": torch.zeros(1), "G2.x": torch.zeros(1)}, run / FILE)
    with pytest.raises(DataError, match="does not say of which graph"):
        rival_of(run, Roster(2))


def config(first: list[str], sampler: str = "repeat", k: int = 2) -> StudyConfig:
    return parse_config(config_data(k=k, search__first=first, search__sampler=sampler), "test")


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (config(["dcgan"], k=1), "no transfer"),
        (config([], "tpe", k=1), "no transfer"),
        (config(["mad-gan"]), "no transfer"),
        (config(["mad-gan", "G1=D:t,G2:c/G2=D:n"]), "no transfer"),
        (config(["mad-gan", "one-way"]), "image transfer"),
        (config(["G1=D:t/G2=G1:p"]), "image transfer"),
        (config(["mad-gan"], "tpe"), "image transfer"),
    ],
)
def test_a_study_without_any_transfer_edge_has_no_transfer_method(settings: StudyConfig, expected: str) -> None:
    assert transfer_method(settings) == expected
