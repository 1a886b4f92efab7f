"""Movies: what is on them, and that a player can read them."""

import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image
from step.errors import InputError
from step.figures import movie as figure
from step.figures import movies
from step.figures.reading import ShownVideo


@pytest.fixture
def videos() -> list[ShownVideo]:
    """Return two videos of 3 frames of 16 x 24, each frame of one grey, brighter from frame to frame."""
    truth = np.repeat(np.array([0.0, 0.5, 1.0]), 16 * 24).reshape(3, 16, 24)
    return [ShownVideo(name, truth, {"bis": 1 - truth}) for name in ("video000", "video001")]


def test_each_tile_shows_its_video(videos):
    movie = figure.animate(videos, "magnitude")
    height, width = 16 * 8, 24 * 8
    assert movie.dtype == np.uint8
    for row in range(2):
        for column, greys in enumerate(([0, 128, 255], [255, 128, 0])):
            top = figure.TITLE_PIXELS + row * (height + figure.GAP_PIXELS)
            left = 2 * figure.FONT_PIXELS + column * (width + figure.GAP_PIXELS)
            tile = movie[:, top : top + height, left : left + width]
            assert np.array_equal(tile.min(axis=(1, 2, 3)), greys)
            assert np.array_equal(tile.max(axis=(1, 2, 3)), greys)


def test_labels_stand_above_and_next_to_the_tiles(videos):
    movie = figure.animate(videos, "magnitude")
    assert (movie[:, : figure.TITLE_PIXELS] < 128).any()
    assert (movie[:, :, : 2 * figure.FONT_PIXELS] < 128).any()


@pytest.mark.slow
def test_an_mp4_plays_with_all_frames_at_its_size(videos, tmp_path):
    movie = figure.animate(videos, "magnitude")[:, :-1, :-1]  # odd sides, which H.264 does not take
    movies.write_movie(movie, tmp_path / "bis.mp4")
    reader = imageio_ffmpeg.read_frames(str(tmp_path / "bis.mp4"))
    facts = next(reader)
    width, height = facts["size"]
    frames = [np.frombuffer(frame, np.uint8).reshape(height, width, 3) for frame in reader]
    assert facts["codec"] == "h264"
    assert facts["pix_fmt"].startswith("yuv420p")
    assert (height, width) == tuple(side + side % 2 for side in movie.shape[1:3])
    assert len(frames) == 3 * movies.PASSES
    assert np.abs(frames[4][: movie.shape[1], : movie.shape[2]].astype(int) - movie[1]).mean() < 4
    assert [path.name for path in tmp_path.iterdir()] == ["bis.mp4"]


def test_a_gif_has_the_frames_of_one_pass_and_repeats(videos, tmp_path):
    movie = figure.animate(videos, "magnitude")
    movies.write_movie(movie, tmp_path / "comparison.gif")
    with Image.open(tmp_path / "comparison.gif") as image:
        assert image.n_frames == 3
        assert image.size == (movie.shape[2], movie.shape[1])
        assert image.info["loop"] == 0
        image.seek(1)
        assert np.array_equal(np.array(image.convert("RGB")), movie[1])


def test_another_format_is_refused(videos, tmp_path):
    with pytest.raises(InputError, match=r"no movie can be written as bis\.avi"):
        movies.write_movie(figure.animate(videos, "magnitude"), tmp_path / "bis.avi")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_movie_that_ffmpeg_cut_short_is_not_left_behind(videos, tmp_path, monkeypatch):
    monkeypatch.setattr(imageio_ffmpeg, "count_frames_and_secs", lambda path: (1, 0.1))
    with pytest.raises(OSError, match="1 of 18 frames"):
        movies.write_movie(figure.animate(videos, "magnitude"), tmp_path / "bis.mp4")
    assert not list(tmp_path.iterdir())
