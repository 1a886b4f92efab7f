"""A miniature study, run once through the real graph from a copy of the project that tests may edit."""

import shutil

import pytest
from project_copy import Copy, Run, copy_of_project, run_miniature


@pytest.hookimpl(tryfirst=True)  # before the marked ones are left out
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a miniature that has been run."""
    for item in items:
        if {"first_run", "tour"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.study)


@pytest.fixture(scope="session")
def project_copy(tmp_path_factory) -> Copy:
    """A copy of the project's workflow, library and configuration, without results."""
    return copy_of_project(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="session")
def first_run(project_copy) -> Run:
    """The run of the miniature from nothing to the end."""
    return run_miniature(project_copy, "all")


@pytest.fixture(scope="session")
def tour(tmp_path_factory) -> Copy:
    """A copy of the project with the finished tour of the miniature in it, and nothing else."""
    copy = copy_of_project(tmp_path_factory.mktemp("tour"))
    run = run_miniature(copy, "tour")
    assert run.status == 0, run.stdout + run.stderr
    return copy


@pytest.fixture(scope="module")
def tour_to_edit(tour, tmp_path_factory) -> Copy:
    """The finished tour once more, which the tests of a module may change."""
    return Copy(shutil.copytree(tour.folder, tmp_path_factory.mktemp("tour_to_edit"), dirs_exist_ok=True))


@pytest.fixture(scope="session")
def miniature(project_copy, first_run) -> Copy:
    """The copy with the finished miniature in it."""
    assert first_run.status == 0, first_run.stdout + first_run.stderr
    return project_copy
