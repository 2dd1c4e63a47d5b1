import pytest

from tests.video.stub import replace_weights


@pytest.fixture
def weights(monkeypatch):
  """A backbone that is a mean; its hash can be changed."""
  return replace_weights(monkeypatch)
