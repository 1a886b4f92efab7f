"""What a search on validation videos is named by."""

import pytest
from step.config.sections import AnySettings
from step.tuning.outcome import search_key


@pytest.mark.parametrize("nested", [False, True])
def test_an_edit_of_a_file_that_settings_from_elsewhere_name_starts_a_search_anew(tmp_path, nested):
    table = tmp_path / "gains.csv"
    table.write_text("1")
    settings = AnySettings(tables=[{"gains": str(table)}]) if nested else AnySettings(gains=str(table))

    def key() -> str:
        return search_key(settings, "step.cli.tune", (), [])

    first = key()
    assert key() == first
    table.write_text("2")
    assert key() != first
