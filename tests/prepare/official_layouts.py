"""A published data set's files on disk, and the command that prepares them."""

from adplg_jax.data import store
from adplg_jax.prepare import __main__ as prepare
from adplg_jax.prepare.findings import Findings


class OfficialLayout:
  """One layout on disk, and the command that prepares it."""

  def __init__(self, root, capsys, target, features, annotations, *more):
    self.root, self.capsys, self.target = root, capsys, target
    self.features, self.annotations, self.more = features, annotations, more

  def prepare(self, *more):
    """Prepares it; returns the status and all that was printed."""
    arguments = [self.target, "--features", self.features, "--data_dir"]
    arguments += [self.root / "data", "--segments", 8, *self.more, *more]
    if self.annotations:
      arguments += ["--annotations", self.annotations]
    status = prepare.main([str(argument) for argument in arguments])
    printed = self.capsys.readouterr()
    return status, printed.out

  def report(self, *more):
    """Prepares it, which must fail and leave nothing; see `report_of`."""
    report = self.report_of(*more)
    assert store.prepared(self.root / "data") == []
    return report

  def report_of(self, *more):
    """Prepares it, which must fail; returns the message in one line."""
    arguments = [self.target, "--features", self.features, "--data_dir"]
    arguments += [self.root / "data", "--segments", 8, *self.more, *more]
    if self.annotations:
      arguments += ["--annotations", self.annotations]
    status = prepare.main([str(argument) for argument in arguments])
    assert status == 1
    return " ".join(self.capsys.readouterr().err.split())

  def open(self):
    builder, variant = self.target.split(":")
    return store.open_dataset(str(self.root / "data"), builder, variant, 8)


def videos(split):
  """{video: (category, frames, spans, crops)} of a split."""
  found = {}
  for example in split:
    spans = [tuple(map(int, span)) for span in example["spans"]]
    facts = (example["category"], int(example["frames"]), spans)
    known = found.setdefault(example["video"], (*facts, []))
    assert known[:3] == facts
    known[3].append(int(example["crop"]))
  return found


def parse_rows(source, tmp_path, text, span_ends="exclusive"):
  """What an annotation file says, and what is wrong with it."""
  path = tmp_path / "annotations.txt"
  path.write_text(text)
  findings = Findings()
  annotations = source.read_annotations(path, findings, span_ends)
  return annotations.rows.videos, findings.items
