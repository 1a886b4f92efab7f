import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from grmhd_files import flux_images, write_ehtim, write_ipole
from step.config.study import load_config
from step.domains.blackhole.data import BlackHoleData, MovieFiles
from step.domains.blackhole.ingest import Settings, find_files, ingest, settings_of
from step.errors import InputError
from step.io.movies import read_movies

PATTERN = r"Sa([+-][\d.]+)_w\d.*Rh(\d+)_i(\d+)"


def files(folder: str, file_format: str) -> MovieFiles:
    return MovieFiles(folder=folder, format=file_format, pixel_uas=None, cadence_s=None)


@pytest.fixture
def library(tmp_path) -> Callable[..., BlackHoleData]:
    """Return the study's data section with other values and the root ``tmp_path``."""
    data = load_config().data["blackhole"]

    def make(**changes: object) -> BlackHoleData:
        values = {"source": "grmhd", "root": tmp_path, "exclude": (), "single_images": None, **changes}
        return data.model_copy(update=values)

    return make


def touch(root: Path, *names: str) -> None:
    """Make empty files: nothing that looks at names alone minds."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def named(root: Path, found: dict[str, list[Path]]) -> dict[str, list[str]]:
    return {subject: [path.relative_to(root).as_posix() for path in paths] for subject, paths in found.items()}


def test_simulated_subjects_need_no_folder(library, tmp_path):
    data = library(source="simulation", root=tmp_path / "nowhere")
    found = find_files(data)
    assert list(found) == data.simulated_subjects
    assert len(found) == data.simulation.movies  # the single images are left out here
    assert set(map(tuple, found.values())) == {()}


def test_every_ehtim_movie_is_a_simulation(library, tmp_path):
    touch(tmp_path, "movies/a.h5", "movies/mad/b.h5", "movies/mad/c.hdf5", "movies/notes.txt", "movies/._a.h5", "d.h5")
    assert named(tmp_path, find_files(library(movies=files("movies", "ehtim")))) == {
        "a": ["movies/a.h5"],
        "mad-b": ["movies/mad/b.h5"],
        "mad-c": ["movies/mad/c.hdf5"],
    }


@pytest.mark.slow
@pytest.mark.parametrize(("file_format", "suffix"), [("ipole", ".h5"), ("fits", ".fits"), ("npy", ".npy")])
def test_every_folder_of_frames_is_a_simulation(library, tmp_path, file_format, suffix):
    touch(tmp_path, *(f"movies/{name}/{n}{suffix}" for name in ("Sa+0.5_w3", "sane/low") for n in range(3)))
    assert named(tmp_path, find_files(library(movies=files("movies", file_format)))) == {
        "Sa+0.5_w3": ["movies/Sa+0.5_w3"],
        "sane-low": ["movies/sane/low"],
    }


def test_frames_right_in_the_folder_are_one_movie(library, tmp_path):
    touch(tmp_path, "movies/0.npy", "movies/1.npy")
    assert named(tmp_path, find_files(library(movies=files("movies", "npy")))) == {"movies": ["movies"]}


def test_folders_of_single_images_are_simulations_and_so_are_images_without_one(library, tmp_path):
    touch(tmp_path, "movies/flow1.h5", "images/still1/img_s1.h5", "images/still1/img_s2.h5", "images/m87.h5")
    data = library(movies=files("movies", "ehtim"), single_images=files("images", "ipole"))
    assert named(tmp_path, find_files(data)) == {
        "flow1": ["movies/flow1.h5"],
        "m87": ["images/m87.h5"],
        "still1": ["images/still1"],
    }


def test_movie_and_images_of_one_name_are_one_simulation(library, tmp_path):
    touch(tmp_path, "movies/flow1.h5", "images/flow1/img_s1.h5")
    data = library(movies=files("movies", "ehtim"), single_images=files("images", "ipole"))
    assert named(tmp_path, find_files(data)) == {"flow1": ["movies/flow1.h5", "images/flow1"]}


def test_images_within_the_folder_of_movies_are_no_movies(library, tmp_path):
    touch(tmp_path, "a.h5", "images/b.h5")
    data = library(movies=files(".", "ehtim"), single_images=files("images", "ipole"))
    assert named(tmp_path, find_files(data)) == {"a": ["a.h5"], "b": ["images/b.h5"]}


def test_a_pattern_puts_what_belongs_together_into_one_simulation(library, tmp_path):
    names = [f"230GHz/Sa{spin}_w{window}/img_s1000_Rh10_i30.h5" for spin in ("+0.5", "-0.5") for window in (3, 4)]
    touch(tmp_path, *names)
    data = library(movies=files("230GHz", "ipole"), simulation_pattern=PATTERN)
    assert named(tmp_path, find_files(data)) == {
        "+0.5-10-30": ["230GHz/Sa+0.5_w3", "230GHz/Sa+0.5_w4"],
        # Not -0.5-10-30, which would be an option on the command line.
        "minus0.5-10-30": ["230GHz/Sa-0.5_w3", "230GHz/Sa-0.5_w4"],
    }


@pytest.mark.slow
def test_frames_of_several_simulations_in_one_folder_are_several_movies(library, tmp_path):
    for r_high in (10, 40):
        for number, image in enumerate(flux_images(3, seed=r_high)):
            name = f"movies/Sa+0.5_w3/img_s{5 * number}_Rh{r_high}_i30.h5"
            write_ipole(tmp_path / name, image, time_m=5.0 * number)
    data = library(movies=files("movies", "ipole"), simulation_pattern=PATTERN, frames=3, cadence_s=102.0)
    settings = settings_of_data(data)
    assert set(find_files(data)) == {"+0.5-10-30", "+0.5-40-30"}
    ingest(settings, tmp_path, ["+0.5-40-30"], tmp_path / "out/store.h5")
    (movie,) = read_movies(tmp_path / "out/store.h5")
    assert (movie.facts.source, movie.facts.subject) == ("Sa+0.5_w3-+0.5-40-30", "+0.5-40-30")
    ingest(settings, tmp_path, ["+0.5-10-30", "+0.5-40-30"], tmp_path / "out/both.h5")
    stored = [
        np.stack([movie.read_frame(number) for number in range(3)]) for movie in read_movies(tmp_path / "out/both.h5")
    ]
    np.testing.assert_allclose(stored, [flux_images(3, seed=10), flux_images(3, seed=40)], rtol=1e-6)


def settings_of_data(data: BlackHoleData) -> Settings:
    return Settings(**{name: getattr(data, name) for name in Settings.model_fields})


def test_settings_are_the_values_of_the_configuration():
    config = load_config()
    data = config.data["blackhole"]
    assert settings_of(data, config.seed) == settings_of_data(data)


@pytest.mark.slow
def test_a_movie_and_images_of_one_name_are_both_in_the_raw_store(library, tmp_path):
    write_ehtim(tmp_path / "movies/a.h5", flux_images(3), np.arange(3) * 102 / 3600)
    write_ipole(tmp_path / "images/a/0.h5", flux_images(1)[0])
    data = library(movies=files("movies", "ehtim"), single_images=files("images", "ipole"), frames=3, cadence_s=102.0)
    ingest(settings_of_data(data), tmp_path, ["a"], tmp_path / "store.h5")
    assert [(movie.facts.kind, len(movie.dataset)) for movie in read_movies(tmp_path / "store.h5")] == [
        ("movie", 3),
        ("image", 1),
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("exclude", "left"),
    [
        (("a.h5",), {"mad-b", "mad-c"}),
        (("movies/mad",), {"a"}),
        (("mad",), {"a"}),
        (("mad/*",), {"a"}),
        (("b.h5", "c.h5"), {"a"}),
    ],
)
def test_files_and_folders_can_be_left_out(library, tmp_path, exclude, left):
    touch(tmp_path, "movies/a.h5", "movies/mad/b.h5", "movies/mad/c.h5")
    assert set(find_files(library(movies=files("movies", "ehtim"), exclude=exclude))) == left


def test_names_are_fit_for_hdf5_and_the_command_line(library, tmp_path):
    touch(tmp_path, "movies/--a b;c/é/x.h5", "movies/.../x.h5")
    for subject in find_files(library(movies=files("movies", "ehtim"))):
        assert subject.isascii()
        assert not set(subject) & set("/ ;")
        assert subject[0] not in "-."


EHTIM, IMAGES = files("movies", "ehtim"), files("images", "ipole")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("names", "changes", "says"),
    [
        ([], {}, r"no \.h5 or \.hdf5 files of data\.blackhole\.movies under .*/movies; .*data\.blackhole\.root"),
        (["movies/a.h5"], {"exclude": ("a.h5",)}, r"no \.h5 .*data\.blackhole\.exclude"),
        (["movies/a.h5"], {"single_images": IMAGES}, r"no \.h5 .*data\.blackhole\.single_images under .*/images"),
        (["movies/a.h5"], {"simulation_pattern": "Rh(\\d+)"}, r"simulation_pattern 'Rh.*not found in movies/a\.h5"),
        (["movies/a.h5"], {"simulation_pattern": "a"}, r"simulation_pattern 'a' has no group"),
        (["movies/a.h5"], {"simulation_pattern": "(a"}, r"simulation_pattern '\(a' is no regular expression"),
        (["movies/a/b.h5", "movies/a-b.h5"], {}, r"a-b\.h5 and .*a/b\.h5 would both be called a-b"),
        (["movies/a.h5"], {"movies": files("/movies", "ehtim")}, r"movies\.folder is /movies; name a folder below"),
        (["movies/a.h5"], {"movies": files("../movies", "ehtim")}, r"movies\.folder is \.\./movies"),
        (["movies/a.h5"], {"single_images": files("movies", "ipole")}, r"both use the \.h5 files of folder movies"),
    ],
)
def test_a_library_that_cannot_be_used_is_said_in_one_line(library, tmp_path, names, changes, says):
    touch(tmp_path, *names)
    with pytest.raises(InputError, match=says) as caught:
        find_files(library(**{"movies": EHTIM, **changes}))
    assert "\n" not in str(caught.value)


def test_a_missing_root_is_named_with_its_key(library, tmp_path):
    with pytest.raises(InputError, match=r"no folder .*nowhere \(data\.blackhole\.root\); set data\.blackhole\.root"):
        find_files(library(root=tmp_path / "nowhere"))


def test_a_job_with_single_images_alone_needs_no_folder_of_movies(library, tmp_path):
    write_ipole(tmp_path / "images/still1/0.h5", flux_images(1)[0])
    data = library(movies=EHTIM, single_images=IMAGES)
    ingest(settings_of_data(data), tmp_path, ["still1"], tmp_path / "store.h5")
    assert [movie.facts.kind for movie in read_movies(tmp_path / "store.h5")] == ["image"]


def test_a_loop_of_links_is_walked_once(library, tmp_path):
    touch(tmp_path, "movies/a.h5")
    (tmp_path / "movies/again").symlink_to(tmp_path / "movies")
    assert set(find_files(library(movies=EHTIM))) == {"a"}


@pytest.mark.slow
def test_planning_loads_no_numpy():
    program = (
        f"import sys; sys.path[:0] = {sys.path}; import step.domains.blackhole.ingest, step.domains.blackhole.prepare"
    )
    program += "; print(sys.modules.keys() & {'numpy', 'h5py', 'astropy', 'torch'})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
