"""Which files are taken: folders, links, lists."""

import pytest

from tests import layouts
from tests.prepare.official_layouts import videos


@pytest.mark.parametrize(
  ("label", "fits"),
  [
    *[("Abuse", True), ("abuse", True), ("1.0", True), ("1", True)],
    *[("Arson", False), ("Dancing", False), ("Normal", False), ("0", False)],
    *[("2.0", False), ("B1", False)],
  ],
)
def test_labels_of_a_list_must_agree(clip, label, fits):
  listing = clip.root / "ucf_CLIP_rgb.csv"
  text = listing.read_text()
  listing.write_text(text.replace("x264__0.npy,Abuse", f"x264__0.npy,{label}"))
  if fits:
    assert clip.prepare()[0] == 0
  else:
    assert f"label '{label}', but Abuse001_x264__0.npy" in clip.report()


def test_folders_tell_the_split_of_a_lists_lines(xd):
  names = [*list(layouts.XD_TRAIN)[::-1], *list(layouts.XD_TEST)[::-1]]
  listing = xd.root / "everything.csv"
  listing.write_text(
    "".join(f"{n}__{c}.npy\n" for n in names for c in range(5))
  )
  assert xd.prepare("--list", listing)[0] == 0
  assert list(videos(xd.open().test)) == names[4:]
  assert list(videos(xd.open().train_anomalous)) == names[:2]


def test_lists_choose_and_order_whatever_their_prefix(xd):
  names = list(layouts.XD_TEST)[::-1]
  listing = xd.root / "the test.list"
  listing.write_text(
    "".join(f"C:\\old disk\\{n}__{c}.npy\n" for n in names for c in range(5))
  )
  assert xd.prepare("--list", listing)[0] == 0
  assert list(videos(xd.open().test)) == names
  assert len(xd.open().train_normal) == 10


def test_an_edited_list_lacks_crops(ucf):
  files = sorted((ucf.root / "test").rglob("*.npy"))
  listing = ucf.root / "test.list"
  listing.write_text("".join(f"{path}\n" for path in files[:-1]))
  report = ucf.report("--list", listing)
  assert "missing-crops: 1" in report
  assert "lacks crops 9 (test); a video has crops 0 to 9" in report


def test_linked_folders_are_read(ucf):
  folder = ucf.root / "train/RGB/Abuse"
  folder.rename(ucf.root / "elsewhere")
  folder.symlink_to(ucf.root / "elsewhere")
  (ucf.root / "elsewhere" / "circle").symlink_to(folder)
  assert ucf.prepare()[0] == 0
  assert set(videos(ucf.open().train_anomalous)) == {
    "Abuse001_x264",
    "Arson022_x264",
  }
