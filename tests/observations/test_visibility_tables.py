"""Tables of visibilities: what is written differently is read as what it says, or refused."""

from pathlib import Path

import numpy as np
import pytest
from step.errors import InputError
from step.observations.visibility_tables import read_visibility_table

HEAD = "#SRC:SGRA,DATE(MJD):57850,FREQ:227.0707GHz"
COLUMNS = "#time(UTC),T1,T2,U(lambda),V(lambda),Iamp(Jy),Iphase(d),Isigma(Jy)"
ROWS = ["12.5,AA,AP,1e6,-2e6,2.0,90.0,0.1", "12.6,AA,SM,4e9,-3e9,0.5,-30.0,0.2"]


def write(path: Path, lines: list[str], end: str = "\n", encoding: str = "utf-8") -> Path:
    path.write_bytes((end.join(lines) + end).encode(encoding))
    return path


@pytest.mark.parametrize(
    ("lines", "way"),
    [
        ([HEAD, COLUMNS, *ROWS], {}),
        ([HEAD, COLUMNS, *ROWS], {"end": "\r\n"}),
        ([HEAD, COLUMNS, *ROWS], {"end": "\r"}),
        ([HEAD, COLUMNS, *ROWS], {"encoding": "utf-8-sig"}),
        ([HEAD, COLUMNS, ROWS[0], "# a remark, with commas", "", ROWS[1], "#"], {}),
        ([HEAD, COLUMNS, "# the \xe9nd", *ROWS], {"encoding": "latin-1"}),
        ([HEAD, COLUMNS, *(row.replace(",", " , ") for row in ROWS)], {}),
        ([f"{line.replace(',', '  ').replace('#', '# ')}" for line in (HEAD, COLUMNS, *ROWS)], {}),
        ([HEAD + ",,,,,", COLUMNS, *ROWS], {}),
    ],
    ids=["as released", "CRLF", "CR", "BOM", "remarks", "latin-1", "spaces in codes", "txt", "from a spreadsheet"],
)
def test_a_table_in_another_hand_is_the_same_table(tmp_path, lines, way):
    read = read_visibility_table(write(tmp_path / "a.csv", lines, **way))
    assert (read.source, read.mjd) == ("SGRA", 57850)
    assert read.frequency_hz == pytest.approx(227.0707e9, rel=1e-12)
    np.testing.assert_array_equal(read.time_h, [12.5, 12.6])
    np.testing.assert_array_equal(read.one, ["AA", "AA"])
    np.testing.assert_array_equal(read.other, ["AP", "SM"])
    np.testing.assert_array_equal(read.uv, [[1e6, -2e6], [4e9, -3e9]])
    np.testing.assert_allclose(read.value, [2j, 0.5 * np.exp(-1j * np.pi / 6)], atol=1e-15)
    np.testing.assert_array_equal(read.sigma, [0.1, 0.2])


@pytest.mark.parametrize(
    ("text", "hz"),
    [
        ("345GHz", 345e9),
        ("227.GHz", 227e9),
        ("2.270707e+02GHz", 227.0707e9),
        ("227070.7MHz", 227.0707e9),
        ("227070.7 MHz", 227.0707e9),
        ("2.270707E11Hz", 227.0707e9),
        ("227070700 kHz", 227.0707e9),
        ("0.2270707THz", 227.0707e9),
        ("227.0707ghz", 227.0707e9),
    ],
)
def test_the_frequency_has_the_unit_that_is_written(tmp_path, text, hz):
    file = write(tmp_path / "a.csv", [HEAD.replace("227.0707GHz", text), COLUMNS, *ROWS])
    assert read_visibility_table(file).frequency_hz == pytest.approx(hz, rel=1e-12)


@pytest.mark.parametrize("text", ["57850", "57850.0", "57850."])
def test_the_day_may_have_a_decimal_point(tmp_path, text):
    file = write(tmp_path / "a.csv", [HEAD.replace("57850", text), COLUMNS, *ROWS])
    assert read_visibility_table(file).mjd == 57850


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ([HEAD.replace("GHz", "furlong"), COLUMNS, *ROWS], "FREQ:227.0707furlong; give a number above 0 with Hz"),
        ([HEAD.replace("GHz", ""), COLUMNS, *ROWS], "FREQ:227.0707; give a number above 0 with Hz"),
        ([HEAD.replace("227.0707", "0"), COLUMNS, *ROWS], "FREQ:0GHz; give a number above 0"),
        ([HEAD.replace("57850", "57850.5"), COLUMNS, *ROWS], "DATE.MJD.:57850.5; give the day as a whole number"),
        ([HEAD.replace("57850", "today"), COLUMNS, *ROWS], "DATE.MJD.:today; give the day as a whole number"),
        ([HEAD, COLUMNS], "has no visibilities; give another file"),
        ([HEAD, COLUMNS, "# nothing"], "has no visibilities; give another file"),
        ([], "does not begin as a table of the EHT does"),
        ([HEAD], "does not begin as a table of the EHT does"),
        ([HEAD, COLUMNS.replace("Isigma", "Isnr"), *ROWS], "does not begin as a table of the EHT does"),
        ([HEAD, COLUMNS, ROWS[0], ROWS[1] + ",7"], "line 4: it has 9; every row has 8 values"),
        ([HEAD, COLUMNS, ROWS[0], "", ROWS[1].replace("0.5", "half")], "line 5: .*half.*every row has 8 values"),
    ],
)
def test_another_table_is_one_line_that_says_what_to_do(tmp_path, lines, says):
    with pytest.raises(InputError, match=says) as raised:
        read_visibility_table(write(tmp_path / "a.csv", lines))
    assert "a.csv" in str(raised.value)
    assert "\n" not in str(raised.value)
