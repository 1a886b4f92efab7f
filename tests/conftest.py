"""What all tests share: which of them are quick, and how many processes run them."""

import os
import sys

import pytest

SLOW = {"slow", "long", "plan", "study", "slurm", "faults", "trained"}
"""Markers of what is left out of the quick tests."""

SLOW_FIXTURES = {"learned_weights", "project_copy", "importing", "tour", "installed"}
"""What takes seconds by itself: networks that are fetched, plans that snakemake makes, and an installed copy."""

PLANS = {"project_copy", "importing", "planner"}
"""Fixtures of tests that have snakemake plan a study."""

RUN = {"first_run", "tour"}
"""Fixtures of tests that run one."""

ONE_PROCESS = SLOW - {"slow", "long", "plan"}
"""Markers of tests that share what takes minutes, which every process would make for itself."""

LOADED = pytest.StashKey[frozenset[str]]()

if "PYTEST_XDIST_WORKER" in os.environ:
    # Before PyTorch is loaded: processes that share the cores take one each.
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """Return 0 for the sets of tests that one process must run, and leave the number to the machine for all others."""
    asked_for = config.option.markexpr
    return 0 if "not " not in asked_for and any(name in asked_for for name in ONE_PROCESS) else None


@pytest.hookimpl(tryfirst=True)  # before markers choose
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what plans a study, and as quick what nothing marks as slow: a test or a fixture of seconds."""
    for item in items:
        names, fixtures = {marker.name for marker in item.iter_markers()}, set(getattr(item, "fixturenames", ()))
        if PLANS & fixtures and not RUN & fixtures and not names & (ONE_PROCESS | {"quick"}):
            item.add_marker(pytest.mark.plan)
        if SLOW_FIXTURES & fixtures and "quick" not in names:
            item.add_marker(pytest.mark.slow)
        elif not names & SLOW:
            item.add_marker(pytest.mark.quick)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Note what collecting has loaded."""
    session.config.stash[LOADED] = frozenset(sys.modules)


@pytest.fixture(scope="session")
def loaded_by_collection(pytestconfig: pytest.Config) -> frozenset[str]:
    """The modules that were loaded when the tests had been collected."""
    return pytestconfig.stash[LOADED]
