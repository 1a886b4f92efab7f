from pathlib import Path

import h5py
import ismrmrd
import numpy as np
import pytest
from ismrmrd_files import SHORT_AXIS, header, line, lines_of, noise_scan, write_ismrmrd
from step.errors import InputError
from step.io.kspace.files import format_of, read_kspace
from step.io.kspace.recording import Selection

COILS, FRAMES, LINES, SAMPLES = 3, 4, 10, 16
FIELD_MM = (300.0, 640.0)


def random(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return (generator.standard_normal(shape) + 1j * generator.standard_normal(shape)).astype(np.complex64)


def cine(seed: int = 0) -> np.ndarray:
    return random((COILS, FRAMES, LINES, SAMPLES), seed)


def every_second_line(n_lines: int = LINES) -> np.ndarray:
    """Return lines (time, ky) that are shifted from frame to frame."""
    return (np.arange(n_lines) + np.arange(FRAMES)[:, None]) % 2 == 0


@pytest.fixture
def write(tmp_path):
    def write_file(acquisitions, matrix=(LINES, SAMPLES), **changes) -> Path:
        return write_ismrmrd(tmp_path / "scan.h5", header(matrix, FIELD_MM, **changes), acquisitions)

    return write_file


def test_lines_that_change_from_frame_to_frame_come_back_with_their_mask_and_place(write):
    mask = every_second_line()
    found = read_kspace(write(lines_of(cine(), mask)), Selection(0))
    np.testing.assert_array_equal(found.mask, mask)
    np.testing.assert_allclose(found.kspace, cine() * mask[:, :, None], atol=1e-6)
    assert found.geometry.pixel_mm == pytest.approx((30, 40))
    assert found.geometry.thickness_mm == 8
    for name, key in (("centre_mm", "position"), ("along_x", "read_dir"), ("along_y", "phase_dir")):
        assert getattr(found.geometry, name) == pytest.approx(SHORT_AXIS[key])
    assert (found.patient, found.noise, found.frame_times_s, found.is_partial) == ("volunteer7", None, None, False)


@pytest.mark.slow
def test_slices_in_any_order_are_told_apart(write):
    acquisitions = [one for s in (1, 0, 2) for one in lines_of(cine(s), every_second_line(), slice=s)]
    np.random.default_rng(0).shuffle(acquisitions)
    path = write(acquisitions)
    assert format_of(path, "").count_slices(path, "") == 3
    for number in range(3):
        expected = cine(number) * every_second_line()[:, :, None]
        np.testing.assert_allclose(read_kspace(path, Selection(number)).kspace, expected, atol=1e-6)


@pytest.mark.slow
def test_averages_are_averaged_and_the_noise_is_that_of_the_mean(write, log):
    noise = random((COILS, 400), 5)
    lines = [one for a in (0, 1) for one in lines_of(cine(a), np.ones((FRAMES, LINES), bool), average=a)]
    more = line(random((COILS, SAMPLES)), 3, phase=1, average=2)
    found = read_kspace(write([noise_scan(noise), *lines, more]), Selection(0))
    np.testing.assert_allclose(found.kspace, (cine(0) + cine(1)) / 2, atol=1e-6)
    np.testing.assert_allclose(found.noise, noise / 2**0.5, rtol=1e-6)
    assert (
        "1 acquisitions are left out: lines of slice and frame were measured 2 to 3 times, 2 are averaged" in log.text
    )


@pytest.mark.slow
def test_repetitions_are_frames_at_the_times_that_the_header_gives_them(write):
    mask = every_second_line()
    found = read_kspace(write(lines_of(cine(), mask, frame="repetition"), tr_ms=3.0), Selection(0))
    np.testing.assert_allclose(found.kspace, cine() * mask[:, :, None], atol=1e-6)
    np.testing.assert_allclose(found.frame_times_s, np.arange(FRAMES) * 5 * 0.003)


@pytest.mark.slow
def test_one_of_several_repetitions_of_a_cine_is_chosen_by_number(write, log):
    mask = np.ones((FRAMES, LINES), bool)
    path = write([one for r in (0, 1) for one in lines_of(cine(r), mask, repetition=r)])
    with pytest.raises(InputError, match="4 phases and 2 repetitions, so frames are not told"):
        read_kspace(path, Selection(0))
    np.testing.assert_allclose(read_kspace(path, Selection(0, {"repetition": 1})).kspace, cine(1), atol=1e-6)
    assert "40 acquisitions are left out: not of repetition 1" in log.text
    by_repetition = read_kspace(path, Selection(0, {"phase": 2})).kspace
    np.testing.assert_allclose(by_repetition, np.stack([cine(0)[:, 2], cine(1)[:, 2]], 1), atol=1e-6)


@pytest.mark.slow
def test_partial_fourier_has_its_centre_where_the_limits_say(write):
    # Lines 0 to 6 of a matrix of 10 were counted from the first measured one, the centre is number 2.
    mask = np.zeros((FRAMES, LINES), bool)
    mask[:, 3:] = True
    acquisitions = lines_of(cine(), mask)
    for acquisition in acquisitions:
        acquisition.idx.kspace_encode_step_1 -= 3
    found = read_kspace(write(acquisitions, centre=2), Selection(0))
    np.testing.assert_array_equal(found.mask, mask)
    np.testing.assert_allclose(found.kspace, cine() * mask[:, :, None], atol=1e-6)


@pytest.mark.slow
def test_an_asymmetric_echo_is_put_about_its_centre_and_said_to_be_partial(write):
    acquisitions = [line(cine()[:, t, y, 4:], y, phase=t) for t in range(FRAMES) for y in range(LINES)]
    for acquisition in acquisitions:
        acquisition.center_sample = SAMPLES // 2 - 4
    found = read_kspace(write(acquisitions), Selection(0))
    assert found.is_partial
    np.testing.assert_allclose(found.kspace[..., 4:], cine()[..., 4:], atol=1e-6)
    assert not found.kspace[..., :4].any()


def test_samples_to_discard_are_discarded(write):
    padded = np.pad(cine(), ((0, 0),) * 3 + ((3, 2),), constant_values=99)
    acquisitions = lines_of(padded, np.ones((FRAMES, LINES), bool))
    for acquisition in acquisitions:
        acquisition.discard_pre, acquisition.discard_post = 3, 2
        acquisition.center_sample = SAMPLES // 2 + 3
    np.testing.assert_allclose(read_kspace(write(acquisitions), Selection(0)).kspace, cine(), atol=1e-6)


def test_noise_of_another_bandwidth_has_the_variance_of_the_readouts(write):
    noise = random((COILS, 500), 3)
    found = read_kspace(write([noise_scan(noise, 4.0), *lines_of(cine(), every_second_line())]), Selection(0))
    # Samples of twice the time have half the bandwidth, and half the variance.
    np.testing.assert_allclose(found.noise, 2**0.5 * noise, rtol=1e-6)


def test_what_is_no_line_of_the_image_is_left_out_and_counted(write, log):
    other = random((COILS, SAMPLES), 9)
    dropped = [
        line(other, 4, [flag], phase=0)
        for flag in (
            *(ismrmrd.ACQ_IS_NAVIGATION_DATA, ismrmrd.ACQ_IS_PHASECORR_DATA, ismrmrd.ACQ_IS_DUMMYSCAN_DATA),
            *(ismrmrd.ACQ_IS_PARALLEL_CALIBRATION, ismrmrd.ACQ_IS_SURFACECOILCORRECTIONSCAN_DATA),
        )
    ]
    kept = lines_of(cine(), every_second_line())
    for acquisition in kept[:3]:
        acquisition.set_flag(ismrmrd.ACQ_IS_PARALLEL_CALIBRATION_AND_IMAGING)
    found = read_kspace(write([*dropped, *kept]), Selection(0))
    np.testing.assert_allclose(found.kspace, cine() * every_second_line()[:, :, None], atol=1e-6)
    for kind in ("navigator", "phase correction", "dummy", "calibration alone", "surface coil"):
        assert f"1 of {len(kept) + 5} acquisitions are left out: {kind}" in log.text


def radial() -> dict:
    return {"changes": {"trajectory": "radial"}}


def beyond_the_matrix() -> dict:
    return {"more": [line(random((COILS, SAMPLES)), 11, phase=0)]}


def of_another_number_of_coils() -> dict:
    return {"more": [line(random((COILS + 1, SAMPLES)), 1, phase=0)]}


def longer_than_the_matrix() -> dict:
    return {"more": [line(random((COILS, SAMPLES + 2)), 1, phase=0)]}


def with_partitions() -> dict:
    return {"more": [line(random((COILS, SAMPLES)), 1, phase=0, kspace_encode_step_2=1)]}


def with_two_contrasts() -> dict:
    return {"more": lines_of(cine(), every_second_line(), contrast=1)}


def with_little_noise() -> dict:
    return {"more": [noise_scan(random((COILS, 4)))]}


def of_nan() -> dict:
    return {"more": [line(np.full((COILS, SAMPLES), np.nan), 1, phase=0)]}


def in_another_place() -> dict:
    moved = line(random((COILS, SAMPLES)), 1, phase=0)
    moved.position[0] = 40
    return {"more": [moved]}


def reversed_readout() -> dict:
    return {"more": [line(random((COILS, SAMPLES)), 1, [ismrmrd.ACQ_IS_REVERSE], phase=0)]}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spoilt", "says"),
    [
        (radial, "the trajectory is radial, only cartesian"),
        (beyond_the_matrix, "1 of 21 lines are outside the encoded matrix of 10 (encoding step 11, centre 5)"),
        (of_another_number_of_coils, "lines of [3, 4] coils in one slice"),
        (longer_than_the_matrix, "readouts of 18 samples about sample 9 do not fit the encoded matrix of 16"),
        (with_partitions, "2 partitions"),
        (with_two_contrasts, "there are 2 of the counter contrast (0 to 1)"),
        (with_little_noise, "4 samples of noise for 3 coils are too few"),
        (of_nan, "values that are not finite"),
        (in_another_place, "28 mm apart"),
        (reversed_readout, "1 of 21 readouts are reversed"),
    ],
)
def test_what_cannot_be_read_is_one_line_that_names_the_file(write, spoilt, says):
    given = spoilt()
    path = write([*lines_of(cine(), every_second_line()), *given.get("more", [])], **given.get("changes", {}))
    with pytest.raises(InputError) as caught:
        read_kspace(path, Selection(0))
    assert says in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_slice_that_is_not_there_is_refused(write):
    with pytest.raises(InputError, match="there are slices 0 to 0, 1 is asked for"):
        read_kspace(write(lines_of(cine(), every_second_line())), Selection(1))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"<ismrmrdHeader><encoding>", "is damaged"),
        (b"<ismrmrdHeader/>", "has no encoding"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><ismrmrdHeader/>', "is no header of ISMRMRD"),
        (header((0, 16), FIELD_MM), "encodedSpace/matrixSize/y is 0, it has to be above 0"),
    ],
)
def test_a_damaged_header_is_one_line(tmp_path, content, says):
    path = write_ismrmrd(tmp_path / "scan.h5", content, lines_of(cine(), every_second_line()))
    with pytest.raises(InputError, match=says):
        read_kspace(path, Selection(0))


def test_a_file_that_was_cut_short_is_one_line(write, tmp_path):
    path = write(lines_of(cine(), every_second_line()))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match=r"scan\.h5"):
        read_kspace(path, Selection(0))


def test_an_hdf5_file_of_another_kind_is_not_taken_for_ismrmrd(tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["numbers"] = np.ones(3)
    with pytest.raises(InputError, match=r"is no file of k-space: ISMRMRD \(.h5\), MATLAB"):
        read_kspace(tmp_path / "other.h5", Selection(0))
