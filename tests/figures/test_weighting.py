"""The picture of how weighted samples were annealed."""

import csv
import dataclasses

import numpy as np
import pytest
from step.config.study import load_config
from step.errors import InputError
from step.figures.weighting import Files, WeightingSettings, islands_of, plot, plot_weighting, say_trust, select
from step.io.reconstructions import Reconstruction, write_reconstructions

CONFIGS = ("config/demo.yaml", "config/weighted.yaml")


def weighted(n_islands: int = 2, last_power: float = 1.0) -> Reconstruction:
    """Return the samples of islands of four, of which the first had a level more than the second."""
    size = np.array([[4.0, 1.5, 3.0], [3.5, 3.0, np.nan]])[:n_islands]
    gone = np.isnan(size)
    power = np.array([[0.1, 0.5, last_power], [0.2, last_power, np.nan]])[:n_islands]
    sigma = np.where(gone, np.nan, [5.0, 1.0, 0.0])
    resampled = np.where(gone, np.nan, size < 2)
    trace = {"sigma": sigma, "power": power, "effective_size": size, "resampled": resampled}
    trace = {name: np.repeat(levels, 4, axis=0) for name, levels in trace.items()}
    trace["misfit"] = np.arange(12.0 * n_islands).reshape(4 * n_islands, 3) + 1
    ancestors = np.array([0, 0, 2, 2, 4, 5, 6, 7])[: 4 * n_islands]
    samples = np.zeros((4 * n_islands, 2, 1, 4, 4), np.float32)
    return Reconstruction("video000", samples, trace, np.zeros(4 * n_islands), ancestors)


def test_islands_are_told_apart_with_their_levels_and_ancestors():
    first, second = islands_of(weighted())
    assert (first.n_particles, first.n_ancestors, second.n_ancestors) == (4, 2, 4)
    assert first.sigma.tolist() == [5, 1, 0]
    assert second.sigma.tolist() == [5, 1]
    assert first.resampled.tolist() == [False, True, False]
    assert first.misfit[0] == pytest.approx(np.mean([1, 4, 7, 10]))


def test_temperatures_sizes_and_resamplings_are_plotted():
    temperature, size, misfit = plot_weighting(islands_of(weighted()), 2).axes
    assert temperature.lines[0].get_ydata().tolist() == [10, 2, 1]
    assert size.lines[0].get_ydata().tolist() == [4, 1.5, 3]
    assert (size.lines[1].get_xdata().tolist(), size.lines[1].get_ydata().tolist()) == ([2], [1.5])
    assert any(set(line.get_ydata()) == {2} for line in size.lines)
    assert len(misfit.lines[1].get_ydata()) == 2


def test_it_says_of_how_many_islands_the_weights_can_be_trusted_and_names_a_tempered_posterior():
    assert say_trust(islands_of(weighted()), 2) == "2 islands of 4 particles; of 1 the weights cannot be trusted"
    assert say_trust(islands_of(weighted()), 1) == "2 islands of 4 particles; the weights can be trusted"
    # Too few ancestors alone will do: the second island's are four, its sizes three and more.
    few = dataclasses.replace(islands_of(weighted())[1], n_ancestors=2)
    assert say_trust([few], 3) == "1 islands of 4 particles; of 1 the weights cannot be trusted"
    assert say_trust(islands_of(weighted(last_power=0.25)), 1).endswith("tempered posterior, temperature 4")


@pytest.mark.slow
def test_the_numbers_are_those_of_the_files(tmp_path):
    write_reconstructions(tmp_path / "0.h5", [weighted(1)], {})
    write_reconstructions(tmp_path / "1.h5", [weighted(2)], {})
    files = Files((tmp_path / "0.h5", tmp_path / "1.h5"), (tmp_path / "a.png",), tmp_path / "a.csv")
    plot(files, WeightingSettings(trusted_size=5))
    with files.data.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["island"], row["level"]) for row in rows] == [
        *(("0", str(level)) for level in range(3)),
        *(("1", str(level)) for level in range(3)),
        *(("2", str(level)) for level in range(2)),
    ]
    assert float(rows[1]["effective_size"]) == 1.5
    assert files.output[0].stat().st_size > 1000


@pytest.mark.slow
def test_samples_without_weights_are_refused():
    plain = Reconstruction("video000", np.zeros((2, 2, 1, 4, 4)), {"sigma": np.ones((2, 3))})
    with pytest.raises(InputError, match="samples of video000 have no weights"):
        islands_of(plain)
    assert select(load_config(*CONFIGS), "blackhole", "step_weighted").trusted_size == 5
    with pytest.raises(InputError, match="method step_joint has the sampler daps, whose samples have no weights"):
        select(load_config(*CONFIGS), "blackhole", "step_joint")
