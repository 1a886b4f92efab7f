"""Loss curves."""

import numpy as np
import pytest
from step.errors import InputError
from step.figures.losses import plot_losses, read_losses, smoothed


@pytest.fixture
def rows() -> list[dict[str, str]]:
    """Return a training of 40 rows, validated every tenth."""
    return [
        {
            "step": str(n),
            "epoch": str(n / 20),
            "loss": str(1 / n),
            "validation_loss": str(2 / n) if n % 10 == 0 else "",
            "learning_rate": "2e-4",
        }
        for n in range(1, 41)
    ]


def test_empty_cells_are_nan(rows):
    columns = read_losses(rows, "losses.csv")
    assert np.isfinite(columns["validation_loss"]).sum() == 4
    assert columns["loss"][3] == 0.25


def test_smoothing_keeps_a_constant_and_a_line_and_lowers_noise():
    line = np.linspace(0, 1, 101)
    assert np.allclose(smoothed(np.full(50, 3.0)), 3)
    assert np.allclose(smoothed(line)[2:-2], line[2:-2])
    noise = np.random.default_rng(0).standard_normal(1000)
    assert smoothed(noise).std() < 0.3 * noise.std()


def test_the_picture_shows_training_and_validation_on_a_logarithmic_axis(rows):
    columns = read_losses(rows, "losses.csv")
    losses, rate = plot_losses(columns, "joint prior, mri").axes[:2]
    raw, smooth, validation = losses.lines
    assert np.array_equal(raw.get_ydata(), columns["loss"])
    assert np.array_equal(smooth.get_ydata(), smoothed(columns["loss"]))
    assert validation.get_xdata().tolist() == [10, 20, 30, 40]
    assert losses.get_yscale() == "log"
    assert (losses.get_ylabel(), rate.get_ylabel(), rate.get_xlabel()) == ("loss", "learning rate", "step")
    assert losses.get_title() == "joint prior, mri"


def test_a_table_with_losses_alone_is_plotted_too(rows):
    columns = read_losses([{name: row[name] for name in ("step", "epoch", "loss")} for row in rows], "losses.csv")
    [axes] = plot_losses(columns, "autoencoder").axes
    assert len(axes.lines) == 2
    assert axes.get_xlabel() == "step"


@pytest.mark.parametrize(
    ("rows", "message"),
    [([], "losses.csv has no rows"), ([{"step": "1"}], "losses.csv has no column epoch")],
)
def test_a_table_that_is_not_one_is_refused(rows, message):
    with pytest.raises(InputError, match=message):
        read_losses(rows, "losses.csv")
