import pytest


@pytest.fixture(autouse=True)
def _folder_of_its_own(tmp_path, monkeypatch):
    """Whatever a pure test writes goes where nobody misses it."""
    monkeypatch.chdir(tmp_path)
