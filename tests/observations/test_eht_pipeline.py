"""What pipelines of the EHT ask of measured data, by configuration: bands, flags, errors, any array, any night."""

from pathlib import Path

import numpy as np
import pytest
from eht_files import M87, STATIONS_2018, write_m87_2018
from eht_observations import SCREEN
from step.config.study import load_config
from step.config.tasks import Scattering
from step.errors import InputError
from step.observations import eht
from step.observations.uvfits import read_uvfits
from step.physics.display import Brightness
from step.physics.scattering import ensemble_kernel

PROJECT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def m87(tmp_path_factory) -> Path:
    return write_m87_2018(tmp_path_factory.mktemp("m87") / "M87 2018.UVFITS")


RECIPES = {
    "sgra_2017": ("SGRA", {"ra": 17.76112, "dec": -29.007797}, 8.0),
    "m87_2017": ("M87", M87, 23.0),
    "m87_2018": ("M87", M87, 23.0),
    "quasar_3c279_2017": ("3C279", {"ra": 12.936435, "dec": -5.789312}, 23.0),
}
"""Name and place of the source of each observation in `config`, and the hour from which the array of 2018 sees it."""


def settings(file: Path | tuple[Path, ...], **changes: object) -> eht.Settings:
    """Return the settings of the example of Sgr A*, but of M87 in `file`, from its first visibility on, 27 frames."""
    chosen = eht.settings_of(load_config(PROJECT / "config/sgra_2017.yaml"), "sgra_2017").model_dump()
    chosen |= {"scattering": None, "snr_window_s": None, "systematic": 0.02, "refractive_noise_jy": 0.0}
    chosen |= {"file": file, "source": "M87", "start_utc_h": "file", "frames": 27, "cadence_s": 408.0}
    return eht.Settings(**chosen | {"array": PROJECT / "resources/eht2017.csv", "light_curve": "none"} | changes)


@pytest.mark.slow
def test_m87_of_2018_goes_through_by_naming_its_file_and_source(m87):
    measured, attributes = eht.read(settings(m87), None)
    stations = attributes["stations"].split()
    seen = {stations[number] for pair in measured["stations"][measured["sigma"] > 0] for number in pair}
    assert {"AA", "AX", "GL", "LM", "PV"} <= seen <= set(STATIONS_2018)
    assert attributes["frame_times"][0] == pytest.approx(23.0, abs=0.01)
    assert measured["time_h"].max() > 25.5
    assert (measured["sigma"] > 0).any(1).all()
    assert attributes["right_ascension_h"] == pytest.approx(M87["ra"], abs=1e-4)
    by_sensitivity = sorted(STATIONS_2018, key=lambda code: STATIONS_2018[code][3])
    assert [code for code in attributes["closure_order"].split() if code in STATIONS_2018] == by_sensitivity


@pytest.mark.slow
def test_another_start_past_24_h_is_the_same_night(m87):
    late, _ = eht.read(settings(m87, start_utc_h=25.0, frames=5), None)
    early, _ = eht.read(settings(m87, start_utc_h=1.0, frames=5), None)
    np.testing.assert_array_equal(late["sigma"], early["sigma"])
    assert (late["sigma"] > 0).any()


def test_a_file_of_another_source_is_refused(m87):
    with pytest.raises(InputError, match="is of M87, the configuration means SgrA") as raised:
        eht.read(settings(m87, source=None), None)
    assert "\n" not in str(raised.value)


@pytest.mark.slow
def test_two_bands_are_one_measurement_of_smaller_errors(m87, tmp_path):
    high = write_m87_2018(tmp_path / "hi.uvfits", 229.1e9)
    alone, one = eht.read(settings(m87, systematic=0.0), None)
    both, two = eht.read(settings((m87, high), systematic=0.0), None)
    assert two["frequency_hz"] == pytest.approx(228.1e9)
    assert two["file"] == f"{m87}, {high}"
    there = alone["sigma"] > 0
    np.testing.assert_allclose(both["sigma"][there], alone["sigma"][there] / np.sqrt(2), rtol=0.02)
    other = write_m87_2018(tmp_path / "other.uvfits", source="3C279")
    with pytest.raises(InputError, match=r"is of 3C279, .* of M87; join files of one source"):
        eht.read(settings((m87, other)), None)
    assert one["mjd"] == two["mjd"] == 58229


@pytest.mark.slow
def test_the_days_of_a_campaign_follow_each_other(m87, tmp_path):
    next_day = write_m87_2018(tmp_path / "next.uvfits", mjd=58230)
    table, _ = eht.read_visibilities(settings((m87, next_day)))
    assert table.time_h.max() == pytest.approx(24 + 26, abs=0.1)


@pytest.mark.slow
def test_flagged_stations_are_left_out(m87):
    measured, attributes = eht.read(settings(m87, flag_stations=("GL", "PV")), None)
    stations = np.array(attributes["stations"].split())
    seen = set(stations[measured["stations"][measured["sigma"] > 0]].ravel())
    assert seen
    assert not seen & {"GL", "PV"}
    with pytest.raises(InputError, match="flag_stations names XX; the files have visibilities of AA, AX"):
        eht.read(settings(m87, flag_stations=("XX",)), None)


@pytest.mark.slow
def test_errors_of_all_of_stations_and_of_refraction_add_in_quadrature(m87):
    thermal, attributes = eht.read(settings(m87, systematic=0.0), None)
    whole, _ = eht.read(
        settings(m87, systematic=0.02, station_systematic={"GL": 0.1, "LM": 0.05}, refractive_noise_jy=0.01), None
    )
    stations = np.array(attributes["stations"].split())[thermal["stations"]]
    there = thermal["sigma"] > 0
    fraction = np.sqrt(0.02**2 + 0.1**2 * (stations == "GL").any(-1) + 0.05**2 * (stations == "LM").any(-1))
    refraction = np.where(np.hypot(*np.moveaxis(thermal["uv"], -1, 0)) < 1e8, 0, 0.01)
    expected = np.sqrt(thermal["sigma"] ** 2 + (fraction * abs(thermal["visibility"])) ** 2 + refraction**2)
    np.testing.assert_allclose(whole["sigma"][there], expected[there])
    assert (refraction[there] == 0).any()
    with pytest.raises(InputError, match="station_systematic names XX"):
        eht.read(settings(m87, station_systematic={"XX": 0.1}), None)


@pytest.mark.slow
def test_baselines_within_a_site_are_scaled_to_the_compact_flux_and_can_be_kept_out_of_closures(m87):
    plain, before = eht.read(settings(m87), None)
    compact, after = eht.read(settings(m87, compact_flux_jy=0.6), None)
    short = (np.hypot(*np.moveaxis(plain["uv"], -1, 0)) < 1e8) & (plain["sigma"] > 0)
    np.testing.assert_allclose(compact["visibility"][short], plain["visibility"][short] * 0.6 / before["mean_flux_jy"])
    np.testing.assert_array_equal(compact["visibility"][~short], plain["visibility"][~short])
    assert before["mean_flux_jy"] == pytest.approx(1.2, abs=0.02)
    assert after["mean_flux_jy"] == 0.6
    kept_out, still = eht.read(settings(m87, uv_min=1e8), None)
    assert np.hypot(*kept_out["uv"][kept_out["sigma"] > 0].T).min() > 1e8
    assert still["mean_flux_jy"] == before["mean_flux_jy"]
    with pytest.raises(InputError, match=r"uv_min is 2e\+10 wavelengths"):
        eht.read(settings(m87, uv_min=2e10), None)


@pytest.mark.slow
def test_averages_by_scan_end_at_gaps_and_with_frames(m87):
    by_scan, _ = eht.read(settings(m87, average_s="scan"), None)
    times_h = np.unique(by_scan["time_h"][by_scan["sigma"] > 0])
    # One visibility every 3 minutes: each is a scan.
    assert len(times_h) == len(np.unique(np.round(read_uvfits(m87).time_h * 60)))


@pytest.mark.slow
def test_the_screen_s_kernel_is_that_of_the_file_s_frequency(m87):
    clear, _ = eht.read(settings(m87), None)
    behind, _ = eht.read(settings(m87, scattering=SCREEN), None)
    there = behind["sigma"] > 0
    expected = ensemble_kernel(Scattering(**SCREEN), behind["uv"], 227.1e9)
    np.testing.assert_allclose(behind["kernel"][there], expected[there])
    assert (behind["kernel"][~there] == 1).all()
    assert (clear["kernel"] == 1).all()


@pytest.mark.slow
def test_one_polarisation_alone_is_read_where_the_file_has_it(tmp_path):
    from astropy.io import fits

    file = write_m87_2018(tmp_path / "a.uvfits")
    with fits.open(file, memmap=False) as parts:
        for product, value in enumerate((3, 1)):  # RR, LL
            parts[0].data["DATA"][..., product, :2] = value, 0
        parts.writeto(tmp_path / "b.uvfits")
    right, left, both = (abs(read_uvfits(tmp_path / "b.uvfits", product).value) for product in ("RR", "LL", "I"))
    np.testing.assert_allclose([right.mean(), left.mean(), both.mean()], [3, 1, 2], rtol=1e-6)
    assert np.ptp([right, left], axis=1) == pytest.approx(0, abs=1e-5)
    with fits.open(file, memmap=False) as parts:
        parts[0].header["CRVAL3"] = 1
        parts.writeto(tmp_path / "stokes.uvfits")
    with pytest.raises(InputError, match=r"has no RR; set data\.polarisation to I"):
        read_uvfits(tmp_path / "stokes.uvfits", "RR")


@pytest.mark.slow
@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_reads_a_file_of_its_source_and_refuses_another(name, tmp_path):
    source, place, first_h = RECIPES[name]
    config = load_config(PROJECT / "config/demo.yaml", PROJECT / f"config/{name}.yaml")
    (observation,) = config.observations
    file = write_m87_2018(tmp_path / "a.uvfits", source=source, place=place, first_h=first_h)
    chosen = eht.settings_of(config, observation)
    assert chosen.snr_window_s is not None
    assert (chosen.scattering is not None) == (name == "sgra_2017")
    values = chosen.model_dump() | {"file": file, "array": PROJECT / "resources/eht2017.csv"}
    values |= {"start_utc_h": "file"} if name == "sgra_2017" else {}
    measured, attributes = eht.read(eht.Settings(**values), Brightness(100.0, 10.0))
    assert (measured["closure_phase_sigma"] > 0).sum() > 50
    assert attributes["frame_times"][0] == pytest.approx(first_h, abs=0.5)
    assert (measured["kernel"] < 0.99).any() == (name == "sgra_2017")
    other = write_m87_2018(tmp_path / "b.uvfits", source="OJ287", place={"ra": 8.9, "dec": 20.1})
    with pytest.raises(InputError, match="is of OJ287, the configuration means"):
        eht.record(eht.Settings(**values | {"file": other}))
