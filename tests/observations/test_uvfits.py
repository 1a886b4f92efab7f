"""uvfits: which rows are measurements, whatever eht-imaging makes of the others."""

import contextlib
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from step.config.study import load_config
from step.errors import InputError
from step.observations import eht
from step.observations.uvfits import read_uvfits
from step.physics.array import read_array
from step.physics.simulate_observation import schedule

PROJECT = Path(__file__).parents[2]
REAL = PROJECT.parent / "shared/data/eht_sgra_2017"
REAL_PART, IMAGINARY, WEIGHT = range(3)


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    """A point source of 2 Jy as the study's array would see it in four frames, written by eht-imaging."""
    settings = load_config().tasks["blackhole"].measurement
    observation = schedule(read_array(PROJECT / settings.array), settings, 4, 102.0)
    observation.data["vis"] = 2.0
    path = tmp_path_factory.mktemp("uvfits") / "point.uvfits"
    with contextlib.redirect_stdout(io.StringIO()):
        observation.save_uvfits(str(path))
    return path


@pytest.fixture
def edited(file, tmp_path) -> Callable[..., Path]:
    """Return what writes a copy of the file, changed by ``edit(samples, groups)``."""

    def copy(edit: Callable, name: str = "edited.uvfits") -> Path:
        with fits.open(file, memmap=False) as parts:
            edit(parts[0].data["DATA"], parts[0].data)
            parts.writeto(tmp_path / name)
        return tmp_path / name

    return copy


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a.uvfits", "A.UVFITS", "å ö.uvp"])
def test_the_whole_file_is_read_with_its_own_coordinates(edited, name):
    read = read_uvfits(edited(lambda samples, groups: None, name))
    with fits.open(edited(lambda samples, groups: None, "b.uvfits")) as parts:
        assert len(read) == len(parts[0].data) > 40
    np.testing.assert_allclose(read.value, 2.0, atol=1e-6)
    assert (read.right_ascension_h, read.declination_deg) == pytest.approx((17.76112, -29.007797), abs=1e-6)
    assert (read.mjd, read.frequency_hz) == (57850, 230e9)


@pytest.mark.slow
@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0])
def test_what_has_no_value_is_left_out_whatever_its_weight(file, edited, caplog, value):
    caplog.set_level("INFO")
    whole = read_uvfits(file)

    def edit(samples, groups):
        samples[5:8, ..., :2] = value

    read = read_uvfits(edited(edit))
    assert (len(whole) - len(read), set(whole.place) - set(read.place)) == (3, {6, 7, 8})
    np.testing.assert_allclose(read.value, 2.0, atol=1e-6)
    assert f"3 of {len(whole)} visibilities are without a value (not finite, or exactly 0) and left out" in caplog.text


def test_one_polarisation_without_a_value_leaves_the_other(file, edited, caplog):
    caplog.set_level("INFO")
    whole = read_uvfits(file)

    def edit(samples, groups):
        samples[5, 0, 0, 0, 0, 0, REAL_PART] = np.nan  # RR of four products

    read = read_uvfits(edited(edit))
    np.testing.assert_allclose(read.value, 2.0, atol=1e-6)
    # Of (RR + LL) / 2 it becomes LL; stations' two feeds differ in sensitivity by up to 16 percent.
    assert read.sigma[5] == pytest.approx(np.sqrt(2) * whole.sigma[5], rel=0.2)
    assert f"1 of {len(whole)} visibilities are without a value in some channels or polarisations" in caplog.text


@pytest.mark.slow
@pytest.mark.parametrize("weight", [0.0, -1.0, np.nan])
def test_what_is_flagged_is_left_out_and_counted(file, edited, caplog, weight):
    caplog.set_level("INFO")

    def edit(samples, groups):
        samples[2, ..., WEIGHT] = weight

    read = read_uvfits(edited(edit))
    assert set(read_uvfits(file).place) - set(read.place) == {3}
    assert "visibilities are flagged (weight not above 0) and left out" in caplog.text


def test_both_directions_of_a_baseline_are_kept(file, edited):
    whole = read_uvfits(file)

    def edit(samples, groups):
        # The second row becomes the first one turned round.
        first, second = np.divmod(int(groups["BASELINE"][0]), 256)
        groups["BASELINE"][1] = 256 * second + first
        for name in ("UU---SIN", "VV---SIN"):
            groups[name][1] = -groups[name][0]
        for name in ("DATE", "_DATE"):
            groups[name][1] = groups[name][0]
        samples[1] = samples[0]
        samples[1, ..., IMAGINARY] *= -1

    read = read_uvfits(edited(edit))
    assert len(read) == len(whole)
    assert (read.one[1], read.other[1]) == (read.other[0], read.one[0])
    np.testing.assert_allclose(read.uv[1], -read.uv[0])


def settings_of_the_example(file: Path, **changes: object) -> eht.Settings:
    """Return the settings of the study's example of an observation, for another file."""
    chosen = eht.settings_of(load_config(PROJECT / "config/sgra_2017.yaml"), "sgra_2017")
    return chosen.model_copy(update={"file": file, "array": PROJECT / chosen.array, **changes})


@pytest.mark.slow
def test_a_station_with_itself_is_no_baseline(file, edited, caplog):
    caplog.set_level("INFO")

    def edit(samples, groups):
        groups["BASELINE"][:5] = 257

    table, _ = eht.read_visibilities(settings_of_the_example(edited(edit)))
    whole, _ = eht.read_visibilities(settings_of_the_example(file))
    assert len(whole) - len(table) == 5
    assert (table.stations[:, 0] < table.stations[:, 1]).all()
    assert f"5 of {len(whole)} visibilities of one station with itself are left out" in caplog.text


@pytest.mark.slow
def test_the_coordinates_are_the_file_s_whatever_the_task_says(file):
    _, facts = eht.read_visibilities(settings_of_the_example(file, task_right_ascension_h=17.7614))
    assert facts["right_ascension_h"] == pytest.approx(17.76112, abs=1e-6)
    with pytest.raises(InputError, match=r"is of 17\.76112:-29\.007797, the configuration means SgrA"):
        eht.read_visibilities(settings_of_the_example(file, task_right_ascension_h=1.0))
    with pytest.raises(InputError, match=r"has coordinates of its own, right ascension 17\.76112 h.*to null"):
        eht.read_visibilities(settings_of_the_example(file, right_ascension_h=12.5, declination_deg=12.4))


def test_a_weight_without_bound_is_none(file, edited):
    def edit(samples, groups):
        samples[5, ..., WEIGHT] = np.inf

    assert set(read_uvfits(file).place) - set(read_uvfits(edited(edit)).place) == {6}


def test_nothing_left_is_one_line(edited):
    def edit(samples, groups):
        samples[..., :2] = np.nan

    with pytest.raises(InputError, match="no visibilities with a value that are not flagged; give another file"):
        read_uvfits(edited(edit))


@pytest.mark.skipif(not REAL.is_dir(), reason="the real measurement is not next to the project")
class TestRealData:
    @pytest.fixture(scope="class")
    def real(self) -> Path:
        return next(REAL.glob("*.uvfits"))

    @pytest.mark.slow
    def test_the_rows_are_those_of_eht_imaging(self, real):
        from step.physics.eht_imaging import eht_imaging

        with contextlib.redirect_stdout(io.StringIO()):
            observation = eht_imaging().obsdata.load_uvfits(str(real))
        read, theirs = read_uvfits(real), observation.data
        assert len(read) == len(theirs) == 6181
        np.testing.assert_allclose(np.sort(read.sigma), np.sort(theirs["sigma"]), rtol=1e-12)
        np.testing.assert_allclose(np.sort(abs(read.value)), np.sort(abs(theirs["vis"])), rtol=1e-12)

    @pytest.mark.slow
    def test_values_that_are_not_finite_are_left_out_though_they_have_weights(self, real, tmp_path):
        with fits.open(real, memmap=False) as parts:
            parts[0].data["DATA"][100:140, ..., :2] = np.nan
            parts.writeto(tmp_path / "a.uvfits")
        read = read_uvfits(tmp_path / "a.uvfits")
        assert len(read) == 6141
        assert (read.value != 0).all()


@pytest.mark.slow
def test_closure_sets_are_made_in_the_order_of_sensitivity_that_the_file_states(file):
    settings = settings_of_the_example(file, light_curve="none")
    measurement, attributes = eht.read(settings, None)
    assert attributes["closure_order"].split() == ["AA", "LM", "PV", "AP", "SM", "JC", "AZ", "SP"]
    # Times on the edges of frames are in the frames that begin there, although the file has them some milliseconds off.
    assert (measurement["sigma"] > 0).sum(1)[:5].tolist() == [21, 21, 21, 21, 0]
    known = [station.station for station in read_array(settings.array)]
    first = measurement["quadrangle"][0, 0]
    sides = [{known[station] for station in measurement["stations"][0, place]} for place in first]
    assert sides == [{"AA", "SM"}, {"LM", "AP"}, {"AA", "AP"}, {"SM", "LM"}]  # PV is down


@pytest.mark.slow
@pytest.mark.skipif(not REAL.is_dir(), reason="no real data next to the project")
def test_independent_closures_that_eht_imaging_lacks_in_the_real_file_are_counted_and_named(caplog):
    caplog.set_level("INFO")
    (file,) = REAL.glob("*.uvfits")
    measurement, _ = eht.read(settings_of_the_example(file, light_curve="none"), None)
    beyond = (measurement["closure_phase_sigma"] > 0) & ~measurement["closure_phase_minimal"]
    assert beyond.sum() > 0
    assert f"{beyond.sum()} of the closure phases are independent of eht-imaging's minimal sets" in caplog.text
