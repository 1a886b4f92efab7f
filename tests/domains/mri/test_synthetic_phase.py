import numpy as np
import pytest
from step.domains.mri.synthetic_phase import SeededPhase, sample_phase


def phase(source: str = "a-00", seed: int = 0, amplitude: float = 0.7, orders: int = 2) -> np.ndarray:
    settings = SeededPhase(seed=seed, amplitude_rad=amplitude, orders=orders)
    return sample_phase(settings, source, (40, 64))


@pytest.mark.parametrize("amplitude", [0.0, 0.7, 2.0])
def test_the_phase_has_zero_mean_and_the_amplitude_asked_for(amplitude):
    field = phase(amplitude=amplitude)
    assert field.mean() == pytest.approx(0, abs=1e-12)
    assert field.std() == pytest.approx(amplitude)


def test_the_phase_has_no_more_periods_than_its_order():
    spectrum = np.abs(np.fft.fft2(phase(orders=2)))
    frequencies = [np.abs(np.fft.fftfreq(n, 1 / n)) for n in spectrum.shape]
    beyond = np.maximum(frequencies[0][:, None], frequencies[1]) > 2
    assert spectrum[beyond].max() < 1e-9 * spectrum.max()


def test_the_phase_depends_on_source_and_seed_alone():
    assert np.array_equal(phase(), phase())
    assert not np.allclose(phase(), phase(source="a-01"))
    assert not np.allclose(phase(), phase(seed=1))
