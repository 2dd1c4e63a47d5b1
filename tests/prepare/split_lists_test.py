"""List files: lines that cannot be used."""

import pytest


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
