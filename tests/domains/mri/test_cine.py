import numpy as np
import pytest
import torch
from step.domains.mri import prepare as mri
from step.domains.mri.cine import crop_or_pad, prepare_sequence, reference_phase, resample, window_starts
from step.domains.mri.video_format import CineFormat
from step.errors import InputError
from step.io.sequences import RawSequence, write_sequences
from step.io.videos import VideoRecord, VideoStore, read_columns, write_index
from step.physics.fourier import fft2c


def make_format(**changes: object) -> CineFormat:
    values = {"frames": 12, "resolution": 8, "scale": 2.0, "peak": 3.0, "reference_phase": False, "window_stride": 12}
    values |= changes
    return CineFormat(**{"crop": values["resolution"], **values})


def make_sequence(shape: tuple[int, ...] = (12, 8, 8), seed: int = 0, source: str = "P1-sax-00") -> RawSequence:
    generator = np.random.default_rng(seed)
    image = generator.standard_normal(shape) + 1j * generator.standard_normal(shape)
    return RawSequence(source, "P1", "P1/cine_sax.mat", "sax", image.astype(np.complex64))


@pytest.mark.parametrize("n_y", [4, 5, 8, 9, 12, 13])
@pytest.mark.parametrize("n_x", [4, 5, 8, 9, 12, 13])
@pytest.mark.parametrize("side", [8, 9])
def test_crop_and_pad_keep_the_centre_and_all_around_it(n_y, n_x, side):
    y, x = np.mgrid[:n_y, :n_x]
    # Each pixel holds its own offset from the centre of the FFT convention.
    image = ((y - n_y // 2) + 1j * (x - n_x // 2) + 100)[None]
    fitted = crop_or_pad(image, side)[0]
    assert fitted.shape == (side, side)
    y, x = np.mgrid[:side, :side] - side // 2
    inside = (-(n_y // 2) <= y) & (y < n_y - n_y // 2) & (-(n_x // 2) <= x) & (x < n_x - n_x // 2)
    np.testing.assert_array_equal(fitted, np.where(inside, y + 1j * x + 100, 0))


@pytest.mark.parametrize("side", [6, 24])
def test_resampling_a_band_limited_image_gives_the_same_image_at_other_points(side):
    def wave(n: int) -> np.ndarray:
        y, x = (np.mgrid[:n, :n] - n // 2) / n
        return (2 + np.exp(2j * np.pi * (y - 2 * x)))[None].astype(np.complex64)

    np.testing.assert_allclose(resample(wave(12), side), wave(side), atol=1e-5)


def test_resampling_keeps_the_field_of_view_that_crop_chose():
    sequence = make_sequence((12, 16, 20))
    (video,) = prepare_sequence(sequence, make_format(crop=16, resolution=8, scale=1.0))
    low = fft2c(torch.from_numpy(crop_or_pad(sequence.image, 16)))[:, 4:12, 4:12].numpy()
    kept = fft2c(torch.complex(*torch.from_numpy(video.frames).unbind(1))).numpy()
    np.testing.assert_allclose(kept, low / 2, atol=1e-4)


def test_a_referenced_sequence_has_a_real_positive_centre_of_k_space():
    image = reference_phase(make_sequence((12, 9, 8)).image)
    centre = fft2c(torch.from_numpy(image.mean(0)))[4, 4].numpy()
    assert centre.real > 0
    assert abs(centre.imag) < 1e-5 * centre.real


def test_referencing_is_one_rotation_of_the_whole_sequence():
    image = make_sequence().image
    turn = reference_phase(image) / image
    np.testing.assert_allclose(turn, turn[0, 0, 0], rtol=1e-4)
    assert abs(turn[0, 0, 0]) == pytest.approx(1, rel=1e-5)
    np.testing.assert_allclose(reference_phase(image * np.exp(2j)), reference_phase(image), atol=1e-5)


def test_channels_are_real_and_imaginary_part_times_the_scale():
    sequence = make_sequence()
    (video,) = prepare_sequence(sequence, make_format())
    assert video.frames.dtype == np.float32
    assert video.frames.shape == (12, 2, 8, 8)
    np.testing.assert_allclose(video.frames[:, 0] + 1j * video.frames[:, 1], 2 * sequence.image, rtol=1e-6)


def test_peak_scale_makes_the_largest_magnitude_of_the_sequence_the_stated_one():
    windows = list(prepare_sequence(make_sequence((24, 8, 8)), make_format(scale="peak")))
    magnitudes = [np.hypot(video.frames[:, 0], video.frames[:, 1]).max() for video in windows]
    assert max(magnitudes) == pytest.approx(3, rel=1e-5)
    assert len({video.scale for video in windows}) == 1


@pytest.mark.parametrize(
    ("n_frames", "stride", "starts"), [(12, 12, [0]), (20, 12, [0]), (20, 4, [0, 4, 8]), (24, 12, [0, 12])]
)
def test_windows_fit_into_the_sequence(n_frames, stride, starts):
    assert list(window_starts(n_frames, 12, stride)) == starts
    sequence = make_sequence((n_frames, 8, 8))
    videos = list(prepare_sequence(sequence, make_format(window_stride=stride)))
    assert [video.video for video in videos] == [f"P1-sax-00-{n:02d}" for n in range(len(starts))]
    for video, start in zip(videos, starts, strict=True):
        np.testing.assert_allclose(video.frames[:, 0], 2 * sequence.image[start : start + 12].real, rtol=1e-6)


def test_a_sequence_of_zeros_is_refused_by_name():
    sequence = RawSequence("P1-sax-00", "P1", "P1/cine_sax.mat", "sax", np.zeros((12, 8, 8), np.complex64))
    with pytest.raises(InputError, match=r"P1-sax-00 is zero everywhere: P1/cine_sax\.mat"):
        list(prepare_sequence(sequence, make_format()))


def test_prepared_files_hold_all_windows_with_names_and_scale(tmp_path):
    sequences = [make_sequence((12 + 4 * n, 7 + n, 9), n, f"P1-sax-{n:02d}") for n in range(3)]
    write_sequences(tmp_path / "raw.h5", sequences)
    settings = make_format(window_stride=4)
    mri.prepare(settings, tmp_path / "raw.h5", tmp_path / "videos.h5")
    rows = read_columns(tmp_path / "videos.h5", ("video", "subject", "source"))
    expected = [video for sequence in sequences for video in prepare_sequence(sequence, settings)]
    assert len(expected) == 6
    assert rows == [{"video": v.video, "subject": "P1", "source": v.source} for v in expected]
    records = [
        VideoRecord(v.video, "P1", v.source, "videos.h5", n, "video", "train", "video") for n, v in enumerate(expected)
    ]
    write_index(tmp_path / "index.csv", records)
    store = VideoStore(tmp_path / "index.csv")
    for number, video in enumerate(expected):
        np.testing.assert_array_equal(store.video(number), video.frames)


def test_a_bad_sequence_leaves_no_prepared_file_behind(tmp_path):
    bad = RawSequence("P1-sax-01", "P1", "f", "sax", np.zeros((12, 8, 8), np.complex64))
    write_sequences(tmp_path / "raw.h5", [make_sequence(), bad])
    with pytest.raises(InputError):
        mri.prepare(make_format(), tmp_path / "raw.h5", tmp_path / "out/v.h5")
    assert list((tmp_path / "out").iterdir()) == []


def test_another_hdf5_file_is_not_taken_for_a_raw_store(tmp_path):
    import h5py

    with h5py.File(tmp_path / "raw.h5", "w") as file:
        file["videos"] = np.zeros(3)
    with pytest.raises(InputError, match="is no raw store"):
        mri.prepare(make_format(), tmp_path / "raw.h5", tmp_path / "v.h5")
