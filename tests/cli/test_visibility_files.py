"""Tables of visibilities as observers hand them over, by the stage's own command line: what is made of each."""

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from step.__main__ import main
from step.cli import read_observation
from step.config.settings import dump_settings
from step.config.study import load_config
from step.io.reconstructions import read_attributes, read_measurement
from step.io.videos import PreparedVideo, VideoRecord, write_index, write_videos

HEAD = "#SRC:SYNTH,DATE(MJD):57850,FREQ:227.0707GHz"
COLUMNS = "#time(UTC),T1,T2,U(lambda),V(lambda),Iamp(Jy),Iphase(d),Isigma(Jy)"
PLACES = {"AA": (0, 0), "AP": (4e5, -1.8e6), "LM": (-2e9, 1.9e9), "AZ": (-2.9e9, 3.1e9), "SM": (-5e9, 2.2e9)}
ENTRY = """
observations:
  night:
    task: blackhole
    method: bis
    samples: 1
    samples_per_job: 1
    data:
      format: eht
      file: "{file}"
      source: {source}
      right_ascension_h: {right_ascension_h}
      declination_deg: {declination_deg}
      start_utc_h: {start_utc_h}
      polarisation: I
      flag_stations: []
      average_s: 102.0
      systematic: 0.0
      station_systematic: {{}}
      refractive_noise_jy: 0.0
      uv_min: 0.0
      compact_flux_jy: null
      light_curve: {light_curve}
"""
Row = list
"""Time, two stations, u, v, amplitude, phase, sigma."""


def point_source(first_h: float = 12.0, stations: tuple[str, ...] = tuple(PLACES)) -> list[Row]:
    """Return 30 minutes of a source of 2 Jy, a row per minute and baseline."""
    generator = np.random.default_rng(0)
    rows = []
    for minute, (a, b) in itertools.product(range(30), itertools.combinations(stations, 2)):
        u, v = np.subtract(PLACES[a], PLACES[b]) * (1 + minute / 6000)
        z = 2 + 0.01 * (generator.standard_normal() + 1j * generator.standard_normal())
        rows.append([first_h + minute / 60, a, b, u, v, abs(z), np.degrees(np.angle(z)), 0.01])
    return rows


def turned(rows: list[Row]) -> list[Row]:
    return [[t, b, a, -u, -v, amplitude, -phase, s] for t, a, b, u, v, amplitude, phase, s in rows]


def changed(number: int, column: int, value: float) -> list[Row]:
    rows = point_source()
    rows[number][column] = value
    return rows


def text(rows: list[Row], head: str = HEAD) -> str:
    lines = [",".join(f"{x:.8f}" if isinstance(x, float) else str(x) for x in row) for row in rows]
    return "\n".join([head, COLUMNS, *lines, ""])


def shuffled(rows: list[Row]) -> list[Row]:
    return [rows[number] for number in np.random.default_rng(1).permutation(len(rows))]


@pytest.fixture
def observed(tmp_path, capfd) -> Callable:
    """Return what runs the stage on a table and gives the exit status, measurement, attributes and log."""
    frames = np.stack([np.full((2, 1, 10, 10), 2 * level - 1, np.float32) for level in (1.0, 1.2)])
    videos = [PreparedVideo(f"v{n}", f"s{n}", f"s{n}", 1.0, -1.0, frames[n]) for n in range(2)]
    write_videos(tmp_path / "prepared.h5", frames.shape, videos)
    records = [VideoRecord(f"v{n}", f"s{n}", f"s{n}", "prepared.h5", n, "video", "train", "video") for n in range(2)]
    write_index(tmp_path / "index.csv", records)
    output = tmp_path / "night.h5"

    def run(content: bytes, name: str = "v.csv", **keys: object) -> tuple[int, dict, dict, str]:
        (tmp_path / name).write_bytes(content)
        values = {"start_utc_h": 12.0, "light_curve": "zero_baseline", "source": "SYNTH"}
        values |= {"right_ascension_h": 12.513729, "declination_deg": 12.391123} | keys
        entry = tmp_path / "mine.yaml"
        entry.write_text(ENTRY.format(file=tmp_path / name, **values), encoding="utf-8")
        settings = dump_settings(read_observation.select(load_config(entry), "night"))
        files = ["--brightness", str(tmp_path / "index.csv"), "--output", str(output)]
        output.unlink(missing_ok=True)
        status = main(["read_observation", "--settings", settings, *files])
        log = capfd.readouterr().err
        if status:
            assert not output.exists()
            return status, {}, {}, log
        return status, read_measurement(output), dict(read_attributes(output)), log

    return run


BASE = point_source()
SAME = {
    "UPPER.CSV": text(BASE).encode(),
    "bom.csv": text(BASE).encode("utf-8-sig"),
    "crlf.csv": text(BASE).replace("\n", "\r\n").encode(),
    "ÅÄ ö sgr a*.csv": text(BASE).encode(),
    "comment_inside.csv": text([*BASE[:10], ["# a remark"], *BASE[10:]]).encode(),
    "spaces_in_codes.csv": text([[t, f"{a} ", f" {b}", *rest] for t, a, b, *rest in BASE]).encode(),
    "frequency_exponent.csv": text(BASE, HEAD.replace("227.0707", "2.270707e+02")).encode(),
    "frequency_mhz.csv": text(BASE, HEAD.replace("227.0707GHz", "227070.7MHz")).encode(),
    "mjd_decimal.csv": text(BASE, HEAD.replace("57850", "57850.0")).encode(),
    "unsorted.csv": text(shuffled(BASE)).encode(),
    "turned.csv": text([turned([row])[0] if n % 2 else row for n, row in enumerate(BASE)]).encode(),
    "autocorrelations.csv": text(
        BASE + [[12 + minute / 60, a, a, 0.0, 0.0, 50.0, 0.0, 0.01] for minute in range(30) for a in PLACES]
    ).encode(),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SAME)
def test_the_same_visibilities_written_otherwise_are_the_same_measurement(observed, name):
    status, expected, said, _ = observed(text(BASE).encode())
    assert status == 0
    assert said["mean_flux_jy"] == pytest.approx(2.0, abs=0.01)
    status, measured, also, _ = observed(SAME[name], name)
    assert status == 0
    assert set(measured) == set(expected)
    for array in expected:
        np.testing.assert_allclose(measured[array], expected[array], rtol=1e-12, atol=1e-15, err_msg=array)
    assert also["source"] == said["source"]
    for attribute in ("mean_flux_jy", "frequency_hz", "mjd", "right_ascension_h", "declination_deg"):
        assert also[attribute] == pytest.approx(said[attribute], rel=1e-12), attribute


def test_a_latin_1_name_is_read(observed):
    status, measured, said, log = observed(
        text(BASE, HEAD.replace("SYNTH", "J0501é")).encode("latin-1"), source="J0501é"
    )
    assert (status, said["source"]) == (0, "J0501é")
    assert (measured["sigma"] > 0).any()
    assert "is not UTF-8 and read as Latin-1" in log


@pytest.mark.slow
def test_a_frequency_without_decimals_is_that_frequency(observed):
    status, _, said, _ = observed(text(BASE, HEAD.replace("227.0707", "345")).encode())
    assert (status, said["frequency_hz"]) == (0, 345e9)


@pytest.mark.slow
def test_both_directions_make_errors_smaller_by_the_root_of_two(observed):
    _, alone, _, _ = observed(text(BASE).encode())
    status, both, _, _ = observed(text(BASE + turned(BASE)).encode())
    assert status == 0
    present = alone["closure_phase_sigma"] > 0
    ratio = both["closure_phase_sigma"][present] / alone["closure_phase_sigma"][present]
    np.testing.assert_allclose(ratio, 1 / np.sqrt(2), rtol=1e-6)
    assert both["sigma"].shape == alone["sigma"].shape


@pytest.mark.slow
def test_a_night_over_midnight_is_one_night_whatever_the_hours_are_called(observed):
    late = point_source(23.75)
    _, expected, _, _ = observed(text(late).encode(), start_utc_h=23.75)
    status, measured, _, log = observed(text([[row[0] % 24, *row[1:]] for row in late]).encode(), start_utc_h=23.75)
    assert status == 0
    assert "150 of 300 visibilities have times modulo 24 h" in log
    assert "left out" not in log
    for array in expected:
        np.testing.assert_allclose(measured[array], expected[array], rtol=1e-9, atol=1e-12, err_msg=array)


@pytest.mark.slow
@pytest.mark.parametrize("value", [0.0, float("nan")])
def test_a_missing_value_is_left_out_and_counted(observed, value):
    status, measured, _, log = observed(text(changed(7, 5, value)).encode())
    assert status == 0
    assert "1 of 300 visibilities without a value (not finite, or exactly 0) are left out" in log
    assert np.isfinite(measured["closure_phase_sigma"]).all()


@pytest.mark.slow
def test_three_stations_are_enough(observed):
    status, measured, _, log = observed(text(point_source(stations=("AA", "LM", "AZ"))).encode(), light_curve="none")
    assert status == 0
    assert (measured["closure_phase_sigma"] > 0).any()
    assert not (measured["log_closure_amplitude_sigma"] > 0).any()
    assert "there are closure phases alone" in log


REFUSED = {
    "zero_sigma.csv": (text(changed(7, 7, 0.0)), {}, "row 10, LM-AZ: its sigma is not finite and above 0, as of 1 of"),
    "negative_amplitude_sigma.csv": (text([[*row[:7], -row[7]] for row in BASE]), {}, "as of 300 of 300 visibilities"),
    "one_baseline.csv": (text(point_source(stations=("AA", "LM"))), {"light_curve": "none"}, "has no closure during"),
    "one_baseline with flux.csv": (text(point_source(stations=("AA", "AP"))), {}, "has no closure during the video"),
    "empty.csv": ("", {}, "does not begin as a table of the EHT does"),
    "header_only.csv": (text([]), {}, "has no visibilities; give another file"),
    "unit.csv": (text(BASE, HEAD.replace("GHz", "eV")), {}, "FREQ:227.0707eV; give a number above 0 with Hz"),
    "no coordinates.csv": (
        text(BASE),
        {"right_ascension_h": "null", "declination_deg": "null"},
        "set the observation's data.right_ascension_h and data.declination_deg",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_used_is_one_line_and_status_1(observed, name):
    content, keys, says = REFUSED[name]
    status, _, _, log = observed(content.encode(), name, **keys)
    assert status == 1
    errors = [line for line in log.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert says in errors[0]
    assert name in errors[0]
    assert "Traceback" not in log
