"""Which files are taken: folders, links, lists."""

import re
import shutil

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


def write_list(layout, name, lines):
  path = layout.root / name
  path.write_text("".join(f"{line}\n" for line in lines))
  return path


def test_a_list_wins_over_folders(ucf):
  """A training video that the test list names, and a test video it does not."""
  names = [
    *("Abuse028_x264", "Abuse001_x264", "Normal_Videos_003_x264"),
    "Normal_Videos_010_x264",
  ]
  text = ucf.annotations.read_text()
  ucf.annotations.write_text(
    text.replace(
      "RoadAccidents/RoadAccidents001_x264.mp4 161 RoadAccidents 20 30 150 161",
      "Abuse001_x264.mp4 Abuse 3 90 -1 -1",
    )
  )
  listing = write_list(ucf, "my test.list", names)
  status, printed = ucf.prepare("--list", listing)
  assert status == 0
  assert list(videos(ucf.open().test)) == names
  assert list(videos(ucf.open().train_anomalous)) == ["Arson022_x264"]
  assert "note: 1 videos that the lists leave out" in printed
  assert (
    "splits: train by the names of folders (3 videos), test by my test.list "
    "(4 videos)" in printed
  )


@pytest.mark.parametrize(
  "form", ["{}", "/x/{}_i3d.npy", "{}.mp4", "C:\\y\\{}__3.npy 1", "{},A"]
)
def test_lists_name_videos_in_any_form(xd, form):
  names = list(layouts.XD_TEST)[::-1]
  if form.endswith(" 1"):
    lines = [
      form.replace("__3", f"__{c}").format(n) for n in names for c in range(5)
    ]
  else:
    lines = [form.format(name) for name in names]
  listing = write_list(xd, "test.csv", ["path,label", *lines])
  assert xd.prepare("--list", listing)[0] == 0
  assert list(videos(xd.open().test)) == names


def test_a_list_of_which_no_line_matches_is_refused(ucf):
  listing = write_list(ucf, "test.list", ["Fighting003_x264_i3d.npy"] * 1)
  report = ucf.report("--list", listing, "--skip-bad", "all")
  assert "manifest: 1" in report
  assert "none of its 1 lines names a video that has a feature file" in report


def test_annotated_videos_that_the_list_leaves_out(ucf):
  names = ["Abuse028_x264", "Normal_Videos_003_x264", "Normal_Videos_010_x264"]
  report = ucf.report("--list", write_list(ucf, "test.list", names))
  assert "RoadAccidents001_x264: is annotated, but is not in the list" in report


def test_audio_lists_are_recognized(xd):
  listing = write_list(
    xd, "audio_test.list", [f"{name}__vggish.npy" for name in layouts.XD_TEST]
  )
  status, printed = xd.prepare("--list", listing)
  assert status == 0
  assert "note: 3 lines of audio_test.list not used: it lists audio" in printed


@pytest.mark.parametrize("other", ["the test.list", "all.list"])
def test_a_list_whose_name_does_not_tell(ucf, other):
  """It has the split that the other list does not have, or annotations tell."""
  for path in sorted(ucf.root.glob("t*/RGB/*")):
    (ucf.root / "flat").mkdir(exist_ok=True)
    path.rename(ucf.root / "flat" / f"{path.parent.parent.name[:2]}{path.name}")
  flat = ucf.root / "flat"
  ucf.features = flat
  train = write_list(
    ucf,
    "ucf-i3d.list",
    [
      *("Abuse001_x264", "Arson022_x264", "Normal_Videos001_x264"),
      "Normal_Videos308_3_x264",
    ],
  )
  names = ["RoadAccidents001_x264", "Abuse028_x264", "Normal_Videos_003_x264"]
  test = write_list(ucf, other, [*names, "Normal_Videos_010_x264"])
  assert ucf.prepare("--list", train, "--list", test)[0] == 0
  assert list(videos(ucf.open().test))[:2] == names[:2]
  assert len(ucf.open().train_normal) == 20


def test_a_list_whose_split_nothing_tells_is_refused(shanghai):
  (shanghai.root / "train").rename(shanghai.root / "a")
  (shanghai.root / "test").rename(shanghai.root / "b")
  listing = write_list(shanghai, "all.list", ["01_001", "03_0031"])
  report = shanghai.report("--list", listing, "--list", listing)
  assert "nothing tells the split of it and" in report


def test_splits_that_nothing_tells_are_refused(shanghai):
  for folder in ("train", "test"):
    (shanghai.root / folder).rename(shanghai.root / f"a{folder}s")
  report = shanghai.report()
  assert "03_0031: nothing tells the split of it and 6 other videos" in report


def test_one_named_folder_tells_both_splits(shanghai):
  (shanghai.root / "train").rename(shanghai.root / "others")
  status, printed = shanghai.prepare()
  assert status == 0
  assert "train by not being among the test videos (4 videos)" in printed


def test_two_files_of_a_crop_are_found(ucf):
  (ucf.root / "train/RGB").rename(ucf.root / "train/rgb")
  shutil.copytree(ucf.root / "train/rgb", ucf.root / "train/flow")
  report = ucf.report()
  assert re.search(
    r"surplus-crops: 40 .*crop 0 of Abuse001_x264 is at .*name the folder of "
    "one kind of features by --features",
    report,
  )
