import json

import pytest

from adplg_jax.data.sidecar import SidecarError, read_sidecar, sidecar_path
from tests.sidecars import SIDECAR


def test_what_is_written_is_read(tmp_path):
  path = tmp_path / "a.b.npy"
  assert sidecar_path(path).name == "a.b.json"
  assert read_sidecar(path) is None
  sidecar_path(path).write_text(json.dumps(SIDECAR.to_json()))
  assert read_sidecar(path) == SIDECAR


def test_fields_of_later_versions_are_passed_over(tmp_path):
  path = tmp_path / "a.npy"
  later = {**SIDECAR.to_json(), "mood": "good"}
  sidecar_path(path).write_text(json.dumps(later))
  assert read_sidecar(path) == SIDECAR


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"kind": "rocng"}'])
def test_other_files_are_refused_by_name(tmp_path, text):
  path = tmp_path / "a.npy"
  sidecar_path(path).write_text(text)
  with pytest.raises(SidecarError, match=r"a\.json: is no description"):
    read_sidecar(path)
