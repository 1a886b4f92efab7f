"""Tables of stations, and the array files of eht-imaging."""

import numpy as np
import pytest
from eht_observations import PROJECT
from step.errors import InputError
from step.physics.array import read_array
from step.physics.eht_imaging import eht_imaging


@pytest.fixture
def array_file(tmp_path):
    """The study's stations as eht-imaging writes them."""
    stations = read_array(PROJECT / "resources/eht2017.csv")
    dtype = eht_imaging().const_def.DTARR
    rows = [
        (s.station, s.x_m, s.y_m, s.z_m, s.sefd_r_jy, s.sefd_l_jy, 0.03 + 0.04j, 0, 1, s.feed_elevation, 0)
        for s in stations
    ]
    eht_imaging().array.Array(np.array(rows, dtype=dtype)).save_txt(str(tmp_path / "eht.TXT"))
    return tmp_path / "eht.TXT"


def test_an_array_file_of_eht_imaging_has_its_stations_positions_and_sensitivities(array_file):
    expected, found = read_array(PROJECT / "resources/eht2017.csv"), read_array(array_file)
    for name in ("station", "x_m", "y_m", "z_m", "sefd_r_jy", "sefd_l_jy", "feed_elevation"):
        ours, theirs = ([getattr(station, name) for station in stations] for stations in (found, expected))
        if name == "station":
            assert ours == theirs
        else:
            np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1)
    assert found[0].gain_scatter == 0
    assert found[0].leakage == pytest.approx(0.025)


def test_five_columns_have_one_sensitivity(tmp_path):
    (tmp_path / "a.txt").write_text("#site x y z sefd\nGL 541647.0 -1388536.0 6180829.0 9000 # Greenland\n")
    (station,) = read_array(tmp_path / "a.txt")
    assert (station.station, station.sefd_r_jy, station.sefd_l_jy, station.leakage) == ("GL", 9000, 9000, 0)


@pytest.mark.parametrize(
    ("text", "says"),
    [("GL 1 2 3\n", "5 or 13 columns"), ("# nothing\n", "5 or 13 columns"), ("GL 1 2 3 high\n", "give a number")],
)
def test_another_text_is_one_line(tmp_path, text, says):
    (tmp_path / "a.txt").write_text(text)
    with pytest.raises(InputError, match=says):
        read_array(tmp_path / "a.txt")
