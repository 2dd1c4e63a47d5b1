"""The layouts that people have, as files and as a table of docs/datasets.md.

  python -m tests.layouts_table

writes the table. `tests/layouts_table_test.py` prepares and scores each layout
and holds the table against this list.
"""

import dataclasses
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from tests import layouts

DOCUMENT = Path(__file__).parents[1] / "docs/datasets.md"
START, END = "<!-- layouts:begin -->\n", "<!-- layouts:end -->\n"

# Each video's snippets and spans, by split. Features are functions of the name.
Videos = Mapping[str, tuple[int, tuple[tuple[int, int], ...]]]
UCF: Mapping[str, Videos] = {
  "train": {
    "Abuse001_x264": (6, ()),
    "Arson022_x264": (9, ()),
    "Normal_Videos001_x264": (5, ()),
    "Normal_Videos308_3_x264": (8, ()),
  },
  "test": {
    "Abuse028_x264": (16, ((165, 240),)),
    "RoadAccidents001_x264": (10, ((20, 30), (150, 160))),
    "Normal_Videos_003_x264": (4, ()),
    "Normal_Videos_010_x264": (6, ()),
  },
}
XD: Mapping[str, Videos] = {
  "train": {
    "v=a__#1_label_A": (5, ()),
    "A Film__#00-01_label_A": (9, ()),
    "v=b__#2_label_B1": (7, ()),
    "v=c__#1_label_G-B2-0": (6, ()),
  },
  "test": {
    "v=d__#1_label_A": (4, ()),
    "v=e__#1_label_B2-0-0": (8, ((16, 48), (100, 128))),
    "Film No. 2__#0-30_label_0-B6-0": (6, ((0, 33),)),
  },
}
SHANGHAI: Mapping[str, Videos] = {
  "train": {
    "01_0014": (6, ()),
    "05_0018": (4, ()),
    "01_001": (5, ()),
    "02_002": (8, ()),
  },
  "test": {
    "03_0031": (4, ((50, 64),)),
    "07_0008": (5, ((3, 9),)),
    "12_149": (6, ()),
  },
}
OWN: Mapping[str, Videos] = {
  "train": {"n1": (6, ()), "n2": (5, ()), "fire1": (7, ()), "fire2": (4, ())},
  "test": {"n3": (6, ()), "n4": (5, ()), "fire3": (7, ((20, 60),))},
}
Write = Callable[[Path], None]


@dataclasses.dataclass(frozen=True)
class Layout:
  """One way in which people have a data set.

  Attributes:
    videos: What it holds.
    files: Its files, for the table.
    found_in: Who has them.
    command: What to type after `python -m adplg_jax.prepare`.
    write: Writes the files below a folder.
  """

  videos: Mapping[str, Videos]
  files: str
  found_in: str
  command: str
  write: Write


def features(name: str, snippets: int, width: int) -> np.ndarray:
  return layouts.features(name, snippets, width)


def each(
  videos: Mapping[str, Videos],
  place: Callable[[str, str, int], str],
  *,
  width: int,
  crops: int = 1,
) -> Write:
  """Writes one [T, D] file a crop at place(split, video, crop)."""

  def write(root: Path) -> None:
    for split, own in videos.items():
      for name, (snippets, _) in own.items():
        for crop in range(crops):
          path = root / place(split, name, crop)
          layouts.save(path, features(name, snippets, width))

  return write


def whole(
  videos: Mapping[str, Videos],
  place: Callable[[str, str], str],
  *,
  width: int,
  crops: int,
) -> Write:
  """Writes one [T, C, D] file a video at place(split, video)."""

  def write(root: Path) -> None:
    for split, own in videos.items():
      for name, (snippets, _) in own.items():
        x = features(name, snippets, width)
        layouts.save(root / place(split, name), np.stack([x] * crops, axis=1))

  return write


def lists(
  videos: Mapping[str, Videos], names: Mapping[str, str], line: str
) -> Write:
  """Writes the list of each split."""

  def write(root: Path) -> None:
    for split, name in names.items():
      lines = [line.format(video) for video in videos[split]]
      (root / name).write_text("".join(f"{line}\n" for line in lines))

  return write


def both(*writers: Write) -> Write:
  def write(root: Path) -> None:
    for writer in writers:
      writer(root)

  return write


def ucf_rows(root: Path) -> None:
  with (root / "annotations.txt").open("w") as file:
    for name, (_, spans) in UCF["test"].items():
      category = ucf_class(name)
      numbers = [number for span in spans for number in span]
      numbers += [-1] * (4 - len(numbers))
      file.write(f"{name}.mp4  {category}  {'  '.join(map(str, numbers))}\n")


def xd_rows(root: Path) -> None:
  with (root / "annotations.txt").open("w") as file:
    for name, (_, spans) in XD["test"].items():
      if spans:
        numbers = " ".join(str(number) for span in spans for number in span)
        file.write(f"{name}.mp4 {numbers}\n")


def shanghai_masks(root: Path) -> None:
  for name, (snippets, spans) in SHANGHAI["test"].items():
    if spans:
      mask = np.zeros(16 * snippets, np.uint8)
      for start, end in spans:
        mask[start:end] = 1
      layouts.save(root / f"masks/{name}.npy", mask)


def ucf_class(name: str) -> str:
  found = re.match(r"[A-Za-z]+?(?=\d|_)", name)
  assert found is not None
  return found[0]


def ucf_folder(name: str, split: str) -> str:
  if ucf_class(name) != "Normal":
    return ucf_class(name)
  return f"{split.title()}ing_Normal_Videos_Anomaly"


def own_label(name: str) -> str:
  return "normal" if name.startswith("n") else "Fire"


def own_spans(root: Path) -> None:
  (root / "spans.txt").write_text("fire3 20-60\n")


def manifest(path: Callable[[str], str], **columns: str) -> Write:
  def write(root: Path) -> None:
    rows = []
    for split, own in OWN.items():
      for name, (_, spans) in own.items():
        label = int(own_label(name) == "Fire")
        text = " ".join(f"{start}-{end}" for start, end in spans)
        row = {"path": path(name), "label": label, "split": split}
        rows.append({**row, "video": name, "spans": text, **columns})
    layouts.write_manifest(root / "manifest.csv", rows)

  return write


def one_array(root: Path) -> None:
  """All videos in one array, a row range each."""
  start, rows, arrays = 0, [], []
  for split, own in OWN.items():
    for name, (snippets, spans) in own.items():
      text = " ".join(f"{first}-{last}" for first, last in spans)
      rows.append(
        {
          "path": "all.npy",
          "rows": f"{start}-{start + snippets}",
          "video": name,
          "label": int(own_label(name) == "Fire"),
          "split": split,
          "spans": text,
        }
      )
      arrays.append(features(name, snippets, 8))
      start += snippets
  layouts.save(root / "all.npy", np.concatenate(arrays))
  layouts.write_manifest(root / "manifest.csv", rows)


LAYOUTS = (
  Layout(
    UCF,
    "`train/RGB/CLASS/NAME_x264.npy` and `..._x264__1.npy` to `__9`, the same "
    "below `test/RGB`, 1024 wide",
    "the authors' program",
    "ucf_crime:i3d --features DIR --annotations annotations.txt",
    both(
      each(
        UCF,
        lambda split, name, crop: (
          f"{split}/RGB/{ucf_folder(name, split)}/{name}"
          f"{f'__{crop}' if crop else ''}.npy"
        ),
        width=1024,
        crops=10,
      ),
      ucf_rows,
    ),
  ),
  Layout(
    UCF,
    "`UCF_Train_ten_crop_i3d/NAME_x264_i3d.npy`, `UCF_Test_ten_crop_i3d/...`, "
    "[T, 10, D]",
    "RTFM's lists, and those copied from them",
    "ucf_crime:NAME --features DIR --annotations annotations.txt --list "
    "ucf-i3d-test.list",
    both(
      whole(
        UCF,
        lambda split, name: f"UCF_{split.title()}_ten_crop_i3d/{name}_i3d.npy",
        width=16,
        crops=10,
      ),
      lists(
        UCF,
        {"test": "ucf-i3d-test.list"},
        "/home/someone/UCF_Test_ten_crop_i3d/{}_i3d.npy",
      ),
      ucf_rows,
    ),
  ),
  Layout(
    UCF,
    "`CLASS/NAME_x264.npy` for both splits, one crop; the annotations tell "
    "which videos are tested",
    "features extracted from the videos' folders",
    "ucf_crime:NAME --features DIR --annotations annotations.txt",
    both(
      each(
        UCF,
        lambda split, name, crop: f"{ucf_folder(name, split)}/{name}.npy",
        width=16,
      ),
      ucf_rows,
    ),
  ),
  Layout(
    UCF,
    "flat `train` and `test`, any suffix after the name",
    "",
    "ucf_crime:NAME --features DIR --annotations annotations.txt",
    both(
      each(
        UCF,
        lambda split, name, crop: f"{split}/{name}_c3d_crop{crop}.npy",
        width=16,
        crops=3,
      ),
      ucf_rows,
    ),
  ),
  Layout(
    UCF,
    "`CLASS/NAME_x264__0.npy` to `__9`, 512 wide, with two csv lists "
    "`path,label`",
    "VadCLIP",
    "ucf_crime:clip --features DIR --annotations annotations.txt --list "
    "ucf_CLIP_rgb.csv --list ucf_CLIP_rgbtest.csv",
    both(
      each(
        UCF,
        lambda split, name, crop: (
          f"clip/{ucf_folder(name, split)}/{name}__{crop}.npy"
        ),
        width=512,
        crops=10,
      ),
      lists(
        UCF,
        {"train": "ucf_CLIP_rgb.csv", "test": "ucf_CLIP_rgbtest.csv"},
        "/home/someone/{}__5.npy",
      ),
      lambda root: (root / "ucf_CLIP_rgb.csv").write_text(
        "path,label\n"
        + "".join(
          f"/x/{name}__{crop}.npy,{ucf_class(name)}\n"
          for name in UCF["train"]
          for crop in range(10)
        )
      ),
      ucf_rows,
    ),
  ),
  Layout(
    XD,
    "`i3d-features/RGB/NAME__0.npy` to `__4`, `i3d-features/RGBTest/...`, "
    "`vggish-features/train|test/NAME__vggish.npy`",
    "the data set's authors",
    "xd_violence:i3d_vggish --features DIR --annotations annotations.txt",
    both(
      each(
        XD,
        lambda split, name, crop: (
          f"i3d-features/RGB{'Test' * (split == 'test')}/{name}__{crop}.npy"
        ),
        width=1024,
        crops=5,
      ),
      each(
        XD,
        lambda split, name, crop: f"vggish-features/{split}/{name}__vggish.npy",
        width=128,
      ),
      xd_rows,
    ),
  ),
  Layout(
    XD,
    "`train/NAME_i3d.npy` and `test/NAME_i3d.npy`, [T, 5, D]",
    "",
    "xd_violence:NAME --features DIR --annotations annotations.txt",
    both(
      whole(
        XD, lambda split, name: f"{split}/{name}_i3d.npy", width=16, crops=5
      ),
      xd_rows,
    ),
  ),
  Layout(
    XD,
    "all in one folder, with a list",
    "`rgb.list` and `rgbtest.list` of the data set's authors",
    "xd_violence:NAME --features DIR --annotations annotations.txt --list "
    "rgbtest.list",
    both(
      each(XD, lambda split, name, crop: f"all/{name}.npy", width=16),
      lists(XD, {"test": "rgbtest.list"}, "/x/i3d-features/RGBTest/{}__0.npy"),
      xd_rows,
    ),
  ),
  Layout(
    SHANGHAI,
    "`train/01_0014_0.npy` to `_9`, `test/...`, 1024 wide",
    "the authors' program",
    "shanghaitech:i3d --features DIR --annotations masks",
    both(
      each(
        SHANGHAI,
        lambda split, name, crop: f"{split}/{name}_{crop}.npy",
        width=1024,
        crops=10,
      ),
      shanghai_masks,
    ),
  ),
  Layout(
    SHANGHAI,
    "`SH_Train_ten_crop_i3d/01_0014_i3d.npy`, `SH_Test_ten_crop_i3d/...`, "
    "[T, 10, D]",
    "RTFM's lists",
    "shanghaitech:NAME --features DIR --annotations masks --list "
    "shanghai-i3d-test-10crop.list",
    both(
      whole(
        SHANGHAI,
        lambda split, name: f"SH_{split.title()}_ten_crop_i3d/{name}_i3d.npy",
        width=16,
        crops=10,
      ),
      lists(
        SHANGHAI,
        {"test": "shanghai-i3d-test-10crop.list"},
        "/home/someone/SH_Test_ten_crop_i3d/{}_i3d.npy",
      ),
      shanghai_masks,
    ),
  ),
  Layout(
    SHANGHAI,
    "all in one folder, with a list of bare names",
    "",
    "shanghaitech:NAME --features DIR --annotations masks --list test.txt",
    both(
      each(SHANGHAI, lambda split, name, crop: f"all/{name}.npy", width=16),
      lists(SHANGHAI, {"test": "test.txt"}, "{} 1"),
      shanghai_masks,
    ),
  ),
  Layout(
    OWN,
    "any files, and a [manifest](own_features.md#manifestcsv)",
    "own features",
    "folder --name NAME --manifest manifest.csv",
    both(
      each(OWN, lambda split, name, crop: f"{name}.npy", width=8),
      manifest(lambda name: f"{name}.npy"),
    ),
  ),
  Layout(
    OWN,
    "one array with all videos, and a manifest with row ranges",
    "own features",
    "folder --name NAME --manifest manifest.csv",
    one_array,
  ),
  Layout(
    OWN,
    "`train|test/normal|CLASS/FILE`, and a file of spans",
    "own features",
    "folder --name NAME --features DIR --spans spans.txt",
    both(
      each(
        OWN,
        lambda split, name, crop: f"x/{split}/{own_label(name)}/{name}.npy",
        width=8,
      ),
      own_spans,
    ),
  ),
)


def table() -> str:
  """The table in Markdown."""
  lines = ["| files below `--features` | found in | what to type |\n"]
  lines.append("|---|---|---|\n")
  lines += [
    f"| {one.files} | {one.found_in} | `{one.command}` |\n" for one in LAYOUTS
  ]
  return "".join(lines)


def main() -> None:
  text = DOCUMENT.read_text("utf-8")
  before, rest = text.split(START)
  _, after = rest.split(END)
  DOCUMENT.write_text(f"{before}{START}{table()}{END}{after}", "utf-8")


if __name__ == "__main__":
  main()
