"""Measured visibilities: from the files of the Event Horizon Telescope to a measurement, and back to its formats."""

from pathlib import Path

import numpy as np
import pytest
from step.config.study import load_config
from step.errors import InputError
from step.observations import eht
from step.physics.display import Brightness, brightness_of
from step.physics.eht_imaging import eht_imaging
from step.physics.visibilities import Visibilities

PROJECT = Path(__file__).parents[2]
REAL = PROJECT.parent / "shared/data/eht_sgra_2017"
HEADER = """#SRC:SGRA,DATE(MJD):57850,FREQ:227.0707GHz
#time(UTC),T1,T2,U(lambda),V(lambda),Iamp(Jy),Iphase(d),Isigma(Jy)
"""
BASELINES = {("AA", "AP"): (1e6, -2e6), ("AA", "SM"): (4e9, -3e9), ("AP", "SM"): (4e9, -3e9)}


def settings(file: Path, **changes: object) -> eht.Settings:
    """Return the settings of an observation of 64 frames of 102 s from 12.5 h, with `changes`."""
    values = {
        "format": "eht",
        "file": file,
        "start_utc_h": 12.5,
        "average_s": 60.0,
        "systematic": 0.0,
        "source": None,
        "polarisation": "I",
        "flag_stations": [],
        "station_systematic": {},
        "refractive_noise_jy": 0.0,
        "uv_min": 0.0,
        "compact_flux_jy": None,
        "snr_window_s": None,
        "scattering": None,
        "light_curve": "none",
        "frames": 64,
        "resolution": 32,
        "field_of_view_uas": 128.0,
        "cadence_s": 102.0,
        "array": PROJECT / "resources/eht2017.csv",
        "right_ascension_h": None,
        "declination_deg": None,
        "task_source": "SgrA*",
        "task_right_ascension_h": 17.76112,
        "task_declination_deg": -29.007797,
        "flux_sigma": 0.5,
    }
    return eht.Settings(**{**values, **changes})


def write_csv(path: Path, rows: list[tuple], header: str = HEADER) -> Path:
    path.write_text(header + "".join(",".join(map(str, row)) + "\n" for row in rows))
    return path


def rows_at(*times_h: float, amplitude: float = 2.0, sigma: float = 0.1) -> list[tuple]:
    """Return a row for each of the `BASELINES` at each time."""
    return [(t, *pair, *uv, amplitude, 30.0, sigma) for t in times_h for pair, uv in BASELINES.items()]


@pytest.fixture
def brightness() -> Brightness:
    """Of two training videos whose frames have a brightness of 100 and 120 in sum."""
    frames = np.stack([np.full((2, 1, 10, 10), 2 * level - 1, np.float32) for level in (1.0, 1.2)])
    return brightness_of(frames)


def test_visibilities_are_averaged_within_frames_weighted_by_their_errors(tmp_path):
    start, second = 12.5, 1 / 3600
    rows = [
        (start + 10 * second, "AA", "SM", 1e9, 2e9, 1.0, 0.0, 0.1),
        (start + 50 * second, "AA", "SM", 2e9, 4e9, 3.0, 90.0, 0.2),
        (start + 70 * second, "AA", "SM", 3e9, 5e9, 5.0, 0.0, 0.1),  # the second minute of the frame
        (start + 110 * second, "AA", "SM", 3e9, 5e9, 7.0, 0.0, 0.1),  # the second frame
    ]
    chosen = settings(write_csv(tmp_path / "a.csv", rows))
    averages = eht.average(eht.read_visibilities(chosen)[0], chosen)
    np.testing.assert_array_equal(averages.frame, [0, 0, 1])
    np.testing.assert_allclose(averages.value, [(1.0 * 4 + 3.0j) / 5, 5.0, 7.0])
    np.testing.assert_allclose(averages.sigma, [1 / np.sqrt(100 + 25), 0.1, 0.1])
    np.testing.assert_allclose(averages.uv[0], [1.2e9, 2.4e9])
    np.testing.assert_allclose(averages.time_h[0], start + 30 * second)


def test_the_systematic_error_is_a_fraction_of_the_amplitude(tmp_path, brightness):
    file = write_csv(tmp_path / "a.csv", rows_at(12.51, amplitude=2.0, sigma=0.03))
    measured, _ = eht.read(settings(file, systematic=0.02), brightness)
    np.testing.assert_allclose(measured["sigma"][0, :3], np.hypot(0.03, 0.04))


def test_closures_are_made_of_visibilities_of_the_same_interval_alone(tmp_path, brightness):
    later = [row for row in rows_at(12.5 + 80 / 3600) if row[1:3] != ("AP", "SM")]
    file = write_csv(tmp_path / "a.csv", rows_at(12.5 + 5 / 3600) + later)
    measured, _ = eht.read(settings(file), brightness)
    # Of the second minute a side is missing, though it was there a minute before.
    assert (measured["closure_phase_sigma"] > 0).sum() == 1
    # 30 degrees each: AA-AP + AP-SM - AA-SM.
    assert measured["closure_phase"][0, 0] == pytest.approx(np.deg2rad(30))
    assert measured["closure_phase_sigma"][0, 0] == pytest.approx(np.sqrt(3) * 0.05)


def test_the_light_curve_has_the_brightness_of_the_training_videos_and_the_shape_of_the_zero_baseline(
    tmp_path, brightness
):
    rows = rows_at(12.51, amplitude=2.0) + rows_at(12.54, amplitude=3.0)
    measured, attributes = eht.read(
        settings(write_csv(tmp_path / "a.csv", rows), light_curve="zero_baseline"), brightness
    )
    assert attributes["mean_flux_jy"] == pytest.approx(2.5)
    np.testing.assert_allclose(measured["flux"][[0, 1]], [110 * 2 / 2.5, 110 * 3 / 2.5], rtol=1e-6)
    # The mean of the training videos is known to 10, a flux of 0.1 Jy is 4.4, and there is s_F.
    np.testing.assert_allclose(measured["flux_sigma"][[0, 1]], np.sqrt(10**2 + 4.4**2 + 0.5**2), rtol=1e-6)
    assert (measured["flux_sigma"][2:] == 0).all()
    none, attributes = eht.read(settings(tmp_path / "a.csv"), brightness)
    assert (none["flux_sigma"] == 0).all()
    assert attributes["mean_flux_jy"] == pytest.approx(2.5)


@pytest.mark.parametrize(
    ("text", "changes", "says"),
    [
        (
            HEADER.replace("SGRA", "M87") + "12.51,AA,AP,1e9,1e9,1,0,0.1\n",
            {},
            "is of M87, the configuration means SgrA",
        ),
        (HEADER + "9.51,AA,AP,1e9,1e9,1,0,0.1\n", {}, r"from 9\.510 to 9\.510 h UTC.*12\.500 to 14\.313.*start_utc_h"),
        (HEADER + "12.51,AA,AP,1e9,1e9,nan,0,0.1\n", {}, "no visibilities of two stations with a value"),
        (HEADER + "12.51,AA,AP,1e9,1e9,1,0,0\n", {}, "row 3, AA-AP: its sigma is not finite and above 0"),
        (HEADER + "12.51,AA,AP,1e9,1e9,1,0,nan\n", {}, "row 3, AA-AP: its sigma is not finite and above 0"),
        (HEADER + "nan,AA,AP,1e9,1e9,1,0,0.1\n", {}, "row 3, AA-AP: its time or baseline is not finite"),
        (HEADER + "12.51,AA,AP,inf,1e9,1,0,0.1\n", {}, "row 3, AA-AP: its time or baseline is not finite"),
        (HEADER + "12.51,AA,AP,1e9,1e9,1,0\n", {}, "line 3: it has 7; every row has 8 values"),
        (HEADER + "12.51,AA,SM,1e9,1e9,1,0,0.1\n", {}, "no closure during the video.*average_s"),
        (
            HEADER.replace("SGRA", "M87") + "12.51,AA,SM,1e9,1e9,1,0,0.1\n",
            {"source": "M87"},
            "right_ascension_h and data.declination",
        ),
        (HEADER + "12.51,AA,AP,1e9,1e9,one,0,0.1\n", {}, "one"),
        (HEADER, {}, "no visibilities"),
        ("time,T1\n", {}, "does not begin as a table of the EHT"),
        (HEADER + "12.51,AA,SM,1e9,1e9,1,0,0.1\n", {"light_curve": "zero_baseline"}, "no baseline within a site"),
    ],
)
def test_a_table_that_cannot_be_used_is_one_line(tmp_path, brightness, text, changes, says):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(InputError, match=says) as raised:
        eht.read(settings(tmp_path / "a.csv", **changes), brightness)
    assert "a.csv" in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.uvfits", b"SIMPLE", "eht-imaging cannot read"),
        ("a.dat", b"x", "none of .uvfits, .uvp, .csv, .txt"),
        ("", b"", "no file"),
    ],
)
def test_another_file_is_one_line(tmp_path, brightness, name, content, says):
    if name:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=says) as raised:
        eht.read(settings(tmp_path / (name or "none.csv")), brightness)
    assert "\n" not in str(raised.value)


def test_the_directions_of_a_baseline_are_averaged_into_one(tmp_path, brightness):
    start, second = 12.5, 1 / 3600
    there = [(start + 5 * second, *pair, *uv, 2.0, 30.0, 0.1) for pair, uv in BASELINES.items()]
    back = [(t, b, a, -u, -v, amplitude, -phase, s) for t, a, b, u, v, amplitude, phase, s in there]
    both, _ = eht.read(settings(write_csv(tmp_path / "both.csv", there + back)), brightness)
    alone, _ = eht.read(settings(write_csv(tmp_path / "there.csv", there)), brightness)
    turned, _ = eht.read(settings(write_csv(tmp_path / "back.csv", back)), brightness)
    for name, array in alone.items():
        np.testing.assert_array_equal(turned[name], array, err_msg=name)
    assert both["sigma"].shape == alone["sigma"].shape
    np.testing.assert_allclose(both["visibility"], alone["visibility"])
    np.testing.assert_allclose(both["uv"], alone["uv"])
    np.testing.assert_allclose(both["sigma"], alone["sigma"] / np.sqrt(2))
    np.testing.assert_allclose(both["closure_phase_sigma"], alone["closure_phase_sigma"] / np.sqrt(2))


def test_a_station_with_itself_is_no_flux_and_need_not_be_in_the_array(tmp_path, brightness, caplog):
    caplog.set_level("INFO")
    rows = rows_at(12.51) + [(12.51, code, code, 0.0, 0.0, 50.0, 0.0, 0.01) for code in ("AA", "XX")]
    chosen = settings(write_csv(tmp_path / "a.csv", rows), light_curve="zero_baseline")
    measured, attributes = eht.read(chosen, brightness)
    assert attributes["mean_flux_jy"] == pytest.approx(2.0)
    assert (measured["stations"][0, :, 0] != measured["stations"][0, :, 1]).all()
    assert "2 of 5 visibilities of one station with itself are left out" in caplog.text


@pytest.mark.parametrize("amplitude", ["nan", "inf", "0"])
def test_a_frame_without_a_value_on_the_zero_baseline_has_no_flux(tmp_path, brightness, caplog, amplitude):
    caplog.set_level("INFO")
    rows = rows_at(12.51) + rows_at(12.54, amplitude=3.0)
    rows[0] = (*rows[0][:5], amplitude, 0.0, 0.1)
    chosen = settings(write_csv(tmp_path / "a.csv", rows), light_curve="zero_baseline")
    measured, attributes = eht.read(chosen, brightness)
    assert attributes["mean_flux_jy"] == pytest.approx(3.0)
    np.testing.assert_array_equal(measured["flux_sigma"][:2] > 0, [False, True])
    assert (measured["sigma"] > 0).sum() == 5
    assert "1 of 6 visibilities without a value (not finite, or exactly 0) are left out" in caplog.text


def test_times_that_begin_anew_at_midnight_go_on_after_24_h(tmp_path, brightness, caplog):
    caplog.set_level("INFO")
    hours = (23.8, 23.95, 24.01, 24.2)
    going_on = write_csv(tmp_path / "a.csv", rows_at(*hours))
    anew = write_csv(tmp_path / "b.csv", rows_at(*(round(hour % 24, 6) for hour in hours[2:] + hours[:2])))
    (one, said), (other, also) = (eht.read(settings(file, start_utc_h=23.75), brightness) for file in (going_on, anew))
    for name, array in one.items():
        np.testing.assert_allclose(other[name], array, err_msg=name)
    assert (other["sigma"] > 0).sum() == 12
    assert said["mjd"] == also["mjd"] == 57850
    assert caplog.text.count("of the day after") == 1
    assert "6 of 12 visibilities have times modulo 24 h" in caplog.text


def test_hours_outside_the_video_stay_outside(tmp_path, brightness, caplog):
    caplog.set_level("INFO")
    eht.read(settings(write_csv(tmp_path / "a.csv", rows_at(12.51, 0.6, 23.0))), brightness)
    assert "6 of 9 visibilities are outside the video's time and left out" in caplog.text
    assert "day after" not in caplog.text


def test_three_stations_have_closure_phases_alone_and_the_log_says_so(tmp_path, brightness, caplog):
    caplog.set_level("INFO")
    measured, _ = eht.read(settings(write_csv(tmp_path / "a.csv", rows_at(12.51))), brightness)
    assert (measured["closure_phase_sigma"] > 0).sum() == 1
    assert (measured["log_closure_amplitude_sigma"] > 0).sum() == 0
    assert "there are closure phases alone" in caplog.text


@pytest.mark.parametrize("source", ["SGRA", "SgrA", "Sgr A*", "sgr_a*"])
def test_a_table_of_the_task_s_source_has_the_task_s_coordinates(tmp_path, source):
    file = write_csv(tmp_path / "a.csv", rows_at(12.51), HEADER.replace("SGRA", source))
    _, facts = eht.read_visibilities(settings(file))
    assert facts["source"] == source
    assert (facts["right_ascension_h"], facts["declination_deg"]) == (17.76112, -29.007797)


M87 = {"source": "M87", "right_ascension_h": 12.513729, "declination_deg": 12.391123}


def test_m87_is_exported_where_the_configuration_says_it_is(tmp_path, brightness):
    from astropy.wcs import WCS

    file = write_csv(tmp_path / "a.csv", rows_at(12.51), HEADER.replace("SGRA", "M87"))
    chosen = settings(file, frames=2, **M87)
    measured, attributes = eht.read(chosen, brightness)
    video = np.random.default_rng(0).uniform(-1, 1, (2, 1, 32, 32))
    eht.export(chosen, {"mean": video}, measured, attributes, tmp_path)
    movie = eht_imaging().movie.load_hdf5(str(tmp_path / "mean.h5"))
    image = eht_imaging().image.load_fits(str(tmp_path / "mean/frame_000.fits"))
    for found in (movie, image):
        assert found.source == "M87"
        assert found.ra == pytest.approx(12.514, abs=5e-4)
        assert found.dec == pytest.approx(12.391, abs=5e-4)
    centre = WCS(str(tmp_path / "mean/frame_000.fits")).wcs_pix2world([[16.5, 16.5]], 1)[0]
    np.testing.assert_allclose(centre, [12.513729 * 15, 12.391123], atol=1e-9)


def test_a_source_with_letters_that_fits_lacks_can_be_exported(tmp_path, brightness):
    file = tmp_path / "a.csv"
    text = write_csv(file, rows_at(12.51), HEADER.replace("SGRA", "J0501é")).read_text()
    file.write_bytes(text.encode("latin-1"))
    chosen = settings(file, frames=1, **M87 | {"source": "J0501é"})
    measured, attributes = eht.read(chosen, brightness)
    assert attributes["source"] == "J0501é"
    eht.export(chosen, {"mean": np.ones((1, 1, 32, 32))}, measured, attributes, tmp_path)
    assert eht_imaging().movie.load_hdf5(str(tmp_path / "mean.h5")).source == "J0501\\xe9"
    assert eht_imaging().image.load_fits(str(tmp_path / "mean/frame_000.fits")).source == "J0501\\xe9"


def test_one_coordinate_alone_is_refused(tmp_path):
    with pytest.raises(ValueError, match="give both, or neither"):
        settings(tmp_path / "a.csv", right_ascension_h=12.5)


def test_an_observation_of_another_kind_of_task_is_refused(tmp_path):
    file = tmp_path / "mine.yaml"
    text = (PROJECT / "config/sgra_2017.yaml").read_text()
    file.write_text(text.replace("task: sgra_2017", "task: mri8"))
    with pytest.raises(InputError, match="task mri8 of model mri"):
        eht.settings_of(load_config(file), "sgra_2017")


def closures_by_eht_imaging(movie, table: Visibilities, stations: list[str], template) -> tuple[np.ndarray, np.ndarray]:
    """Return closure phases (rad) and log closure amplitudes that eht-imaging has of a movie at the rows of a table."""
    observation = template.copy()
    observation.tarr = observation.tarr[[list(observation.tarr["site"]).index(s) for s in stations]]
    observation.tkey = {site: number for number, site in enumerate(observation.tarr["site"])}
    data = np.zeros(len(table), template.data.dtype)
    names = np.array(stations)
    data["time"], data["t1"], data["t2"] = table.time_h, *names[table.stations].T
    data["u"], data["v"], data["sigma"] = *table.uv.T, table.sigma
    frames = movie.im_list()
    for number in np.unique(table.frame):
        rows = table.frame == number
        data["vis"][rows] = frames[number].sample_uv(table.uv[rows], ttype="direct", verbose=False)[0]
    observation.data = data
    phases = observation.c_phases(mode="all", count="min", ang_unit="rad")["cphase"]
    return phases, observation.c_amplitudes(mode="all", count="min", ctype="logcamp", debias=False)["camp"]


@pytest.mark.skipif(not REAL.is_dir(), reason="the real measurement is not next to the project")
class TestRealData:
    @pytest.fixture(scope="class")
    def files(self) -> dict[str, Path]:
        return {suffix: next(REAL.glob(f"*.{suffix}")) for suffix in ("uvfits", "csv")}

    @pytest.mark.slow
    def test_the_table_and_uvfits_of_the_release_are_the_same_visibilities(self, files):
        (one, facts), (other, more) = (eht.read_visibilities(settings(file)) for file in files.values())
        assert len(one) == len(other) == 6181
        for name in ("frame", "mjd"):
            if name in facts:
                assert facts[name] == more[name]

        # The same baseline may be written either way round.
        def key(t: Visibilities) -> np.ndarray:
            return np.lexsort((t.stations.max(1), t.stations.min(1), np.round(t.time_h * 3600)))

        a, b = one[key(one)], other[key(other)]
        turned = a.stations[:, 0] != b.stations[:, 0]
        np.testing.assert_allclose(a.time_h, b.time_h, atol=1e-4)
        np.testing.assert_allclose(np.where(turned, a.value.conj(), a.value), b.value, rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(a.sigma, b.sigma, rtol=1e-3)

    @pytest.mark.slow
    def test_frames_have_the_data_that_eht_imaging_finds(self, files, brightness):
        measured, attributes = eht.read(
            settings(files["uvfits"], average_s=102.0, light_curve="zero_baseline"), brightness
        )
        present = (measured["sigma"] > 0).sum(-1)
        # Facts of the release: 64 bins of 102 s from 12.5 h, 22 of them empty, 7 to 21 baselines in the others.
        assert (present == 0).sum() == 22
        assert (present[present > 0].min(), present.max()) == (7, 21)
        assert attributes["mean_flux_jy"] == pytest.approx(2.08, abs=0.03)
        assert (attributes["source"], attributes["mjd"]) == ("SGRA", 57850)

    @pytest.mark.slow
    def test_exported_movies_have_in_eht_imaging_the_closures_that_we_compute(self, files, brightness, tmp_path):
        import torch
        from step.physics.closures import closure_phase, log_closure_amplitude, to_measurement
        from step.physics.forward_models import build_forward_model

        frames = 16
        chosen = settings(files["uvfits"], frames=frames, cadence_s=408.0, average_s=204.0)
        measured, attributes = eht.read(chosen, brightness)
        y, x = np.mgrid[:32, :32] - 15.5
        ring = np.exp(-(((np.hypot(x, y) - 6) / 2) ** 2))
        turn = np.arctan2(y, x)
        video = np.stack([2 * ring * (0.6 + 0.4 * np.cos(turn - t / 3)) - 1 for t in range(frames)])[:, None]
        eht.export(chosen, {"mean": video, "std": 0.1 + 0 * video}, measured, attributes, tmp_path)
        measurement = load_config().measurement_of("blackhole")
        measurement = measurement.model_copy(update={"geometry": {"field_of_view_uas": 128.0, "cadence_s": 408.0}})
        model = build_forward_model(measurement, video.shape)
        tensors = {name: torch.from_numpy(array)[None] for name, array in measured.items()}
        ours = model.ideal_visibilities(torch.from_numpy(video)[None], tensors["uv"])
        movie = eht_imaging().movie.load_hdf5(str(tmp_path / "mean.h5"))
        table, _ = eht.read_visibilities(chosen)
        table = eht.average(table[(table.frame >= 0) & (table.frame < frames)], chosen)
        template = eht_imaging().obsdata.load_uvfits(str(files["uvfits"]))
        stations = [code for code in attributes["closure_order"].split() if code in set(template.tarr["site"])]
        numbers = {
            n: stations.index(s)
            for n, s in enumerate(row.split(",")[0] for row in chosen.array.read_text().splitlines()[1:])
            if s in stations
        }
        renumbered = Visibilities(**{**vars(table), "stations": np.vectorize(numbers.get)(table.stations)})
        phases, amplitudes = closures_by_eht_imaging(movie, renumbered, stations, template)
        for name, found, loop in (
            ("closure_phase", phases, closure_phase(ours, tensors["triangle"])),
            ("log_closure_amplitude", amplitudes, log_closure_amplitude(ours, tensors["quadrangle"])),
        ):
            present = (measured[f"{name}_sigma"] > 0) & measured[f"{name}_minimal"]
            assert present.sum() == len(found) > 100
            difference = loop[0].numpy()[present] - found
            if name == "closure_phase":
                difference = np.angle(np.exp(1j * difference))
            np.testing.assert_allclose(difference, 0, atol=1e-6)
        assert to_measurement(table, frames, range(8))["closure_phase"].shape == measured["closure_phase"].shape
        image = eht_imaging().image.load_fits(str(tmp_path / "mean/frame_005.fits"))
        np.testing.assert_allclose(image.imarr(), movie.get_frame(5).imarr(), rtol=1e-10)
        assert movie.lightcurve.mean() == pytest.approx(attributes["mean_flux_jy"])
        assert movie.times[1] - movie.times[0] == pytest.approx(408 / 3600)
