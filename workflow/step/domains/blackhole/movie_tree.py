"""Which files of a GRMHD library are which movie or set of single images, and of which simulation.

Only names are looked at, no file is opened: the workflow asks for the simulations each time it is planned.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from step.config.sections import Count, Positive, Section
from step.domains.blackhole.data import BlackHoleData, MovieFiles
from step.errors import InputError
from step.io.raw_files import is_excluded, walk_files

SUFFIXES = {"ehtim": (".h5", ".hdf5"), "ipole": (".h5", ".hdf5"), "fits": (".fits", ".fit"), "npy": (".npy",)}
KEYS = {"movie": "data.blackhole.movies", "image": "data.blackhole.single_images"}
PATTERN_KEY = "data.blackhole.simulation_pattern"


class Library(Section):
    """What says which files are used; `step.domains.blackhole.data.BlackHoleData` explains the values."""

    exclude: tuple[str, ...]
    movies: MovieFiles
    single_images: MovieFiles | None
    simulation_pattern: str | None


class MovieIngestion(Library):
    """The configuration that ingestion uses."""

    frames: Count
    cadence_s: Positive


@dataclass(frozen=True)
class RawSource:
    """One movie, or one set of single images, before a file of it is opened."""

    kind: str  # movie, or image: single ones
    subject: str  # the simulation
    source: str  # unique among its kind
    path: Path  # a file, or the folder of `files`
    files: tuple[Path, ...]  # in the order of their names, numbers in them counted


def find_sources(root: Path, library: Library | BlackHoleData) -> list[RawSource]:
    """Return what lies under `root`: the movies, then the sets of single images, each in the order of their names.

    A movie is an ehtim file, or the frames of one simulation in one folder; so is a set of single images. The
    simulation is named by the groups of `library.simulation_pattern` in a file's path below `root`; without one, by
    the path of the movie, or of the folder of single images, below the folder of all movies or images.
    Raises `InputError` where names clash or the pattern does not fit.
    """
    pattern = _compiled(library.simulation_pattern)
    sources: list[RawSource] = []
    for kind, files, paths in _files_of_each_kind(root, library):
        groups: dict[tuple[Path, str], list[Path]] = {}
        for path in paths:
            subject = _named_by_pattern(pattern, path, root) if pattern else _named_by_place(kind, files, path, root)
            whole = path if files.format == "ehtim" else path.parent
            groups.setdefault((whole, subject), []).append(path)
        sources += _as_sources(kind, root / files.folder, groups)
    _check_unique(sources)
    return sorted(sources, key=lambda source: (list(KEYS).index(source.kind), source.source))


def files_of_kind(library: Library | BlackHoleData) -> dict[str, MovieFiles]:
    """Return where the files of each kind lie that is used."""
    both = {"movie": library.movies, "image": library.single_images}
    return {kind: files for kind, files in both.items() if files is not None}


def _files_of_each_kind(
    root: Path, library: Library | BlackHoleData
) -> Iterator[tuple[str, MovieFiles, Iterable[Path]]]:
    kinds = files_of_kind(library)
    for kind, files in kinds.items():
        folder = PurePosixPath(files.folder)
        if folder.is_absolute() or ".." in folder.parts:
            raise InputError(f"{KEYS[kind]}.folder is {files.folder}; name a folder below data.blackhole.root")
    movies, images = library.movies, library.single_images
    if images is not None and movies.folder == images.folder:
        both = set(SUFFIXES[movies.format]) & set(SUFFIXES[images.format])
        if both:
            raise InputError(
                f"{' and '.join(KEYS.values())} both use the {min(both)} files of folder {movies.folder}; put "
                "single images into a folder of their own, or set single_images to null"
            )
    # One folder may lie within the other, and what is in the inner one is not meant by the outer one.
    taken: set[Path] = set()
    for kind in sorted(kinds, key=lambda kind: -len(PurePosixPath(kinds[kind].folder).parts)):
        paths = [path for path in _walk(root, kinds[kind], library.exclude) if path not in taken]
        taken.update(paths)
        yield kind, kinds[kind], paths


def _walk(root: Path, files: MovieFiles, exclude: Sequence[str]) -> Iterator[Path]:
    for path in walk_files(root / files.folder):
        if path.suffix.lower() in SUFFIXES[files.format] and not path.name.startswith("."):
            file = path.relative_to(root)
            if not any(is_excluded(part.as_posix(), exclude) for part in (file, *file.parents[:-1])):
                yield path


def _as_sources(kind: str, base: Path, groups: dict[tuple[Path, str], list[Path]]) -> Iterator[RawSource]:
    n_subjects = Counter(whole for whole, _ in groups)
    for (whole, subject), paths in groups.items():
        if whole == base:
            source = subject
        else:
            # Several simulations may have their frames in one folder.
            source = "-".join([_name_below(base, whole), *([subject] if n_subjects[whole] > 1 else [])])
        path = paths[0] if whole == base and len(paths) == 1 else whole
        yield RawSource(kind, subject, source, path, tuple(sorted(paths, key=_natural_order)))


def _natural_order(path: Path) -> list[str | int]:
    """Return a key by which ``frame_9`` comes before ``frame_10``."""
    return [int(text) if text.isdecimal() else text for text in re.split(r"([0-9]+)", path.name)]


def _named_by_pattern(pattern: re.Pattern, path: Path, root: Path) -> str:
    file = path.relative_to(root).as_posix()
    match = pattern.search(file)
    if not match:
        raise InputError(
            f"{PATTERN_KEY} {pattern.pattern!r} is not found in {file}, a file below {root}; correct it, or drop the "
            "file with data.blackhole.exclude"
        )
    name = _clean("-".join(group or "" for group in match.groups()))
    # A name that begins with a dash, as with a negative spin, would be taken for an option on the command line.
    return f"minus{name[1:]}" if name.startswith("-") else name


def _named_by_place(kind: str, files: MovieFiles, path: Path, root: Path) -> str:
    base = root / files.folder
    is_alone = files.format == "ehtim" if kind == "movie" else path.parent == base
    return _name_below(base, path if is_alone else path.parent)


def _name_below(base: Path, path: Path) -> str:
    """Return the name of a file or folder at or below `base`."""
    below = path.relative_to(base).as_posix()
    suffix = path.suffix if any(path.suffix.lower() in suffixes for suffixes in SUFFIXES.values()) else ""
    return _clean(base.resolve().name if path == base else below.removesuffix(suffix)).lstrip("-.") or "unnamed"


def _clean(text: str) -> str:
    # Names become parts of HDF5 groups and of command lines.
    return re.sub(r"[^A-Za-z0-9_.+-]+", "-", text)


def _compiled(pattern: str | None) -> re.Pattern | None:
    if pattern is None:
        return None
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise InputError(f"{PATTERN_KEY} {pattern!r} is no regular expression: {error}; correct it") from None
    if not compiled.groups:
        raise InputError(f"{PATTERN_KEY} {pattern!r} has no group; put what names the simulation into parentheses")
    return compiled


def _check_unique(sources: Sequence[RawSource]) -> None:
    named: dict[tuple[str, str], RawSource] = {}
    for source in sources:
        other = named.setdefault((source.kind, source.source), source)
        if other is not source:
            raise InputError(
                f"{other.path} and {source.path} would both be called {source.source}; rename one, or drop it with "
                "data.blackhole.exclude"
            )
