"""List files: lines that cannot be used."""

import pytest

from adplg_jax.prepare.findings import Findings
from adplg_jax.prepare.sources.shanghaitech import SOURCE
from adplg_jax.prepare.split_lists import read_list


@pytest.mark.parametrize(
  ("line", "message"),
  [
    ("Abuse028_x264__10.npy", "Abuse028_x264__10.npy is not among"),
    ("a video", "'a video' names no video: the name is not"),
    ("x/Abuse028_x264.npy", "Abuse028_x264.npy is already listed at"),
  ],
)
def test_bad_lines_of_a_list(ucf, line, message):
  files = sorted((ucf.root / "test").rglob("*.npy"))
  listing = ucf.root / "test.list"
  listing.write_text("".join(f"{path}\n" for path in files) + line + "\n")
  assert message in ucf.report("--list", listing)


@pytest.mark.parametrize(
  ("line", "file", "name", "label"),
  [
    ("01_001", "01_001", ("01_001", None), ""),
    ("/a b/01_001_3.npy", "01_001_3.npy", ("01_001", 3), ""),
    ("'C:\\a\\01_001_i3d.npz' 0.0", "01_001_i3d.npz", ("01_001", None), "0.0"),
    ("01_0014.mp4 320 1", "01_0014.mp4", ("01_0014", None), "1"),
    (
      '"x/01_0014__2.npy","Anomalous"',
      "01_0014__2.npy",
      ("01_0014", 2),
      "Anomalous",
    ),
  ],
)
def test_lines_in_any_form(tmp_path, line, file, name, label):
  path = tmp_path / "latest_train.csv"
  path.write_text(f"path,label\n\n{line}\n")
  findings = Findings()
  found = read_list(path, SOURCE, findings)
  (entry,) = found.entries
  assert findings.items == []
  assert found.split == "train"
  assert (entry.file, entry.label) == (file, label)
  assert (entry.name.video, entry.name.crop) == name
  assert entry.where == f"{path}:3"
