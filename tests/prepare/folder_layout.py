"""A folder data set's files on disk, and the command that prepares it."""

from adplg_jax.data import store
from adplg_jax.prepare import __main__ as prepare
from tests import layouts


class FolderLayout:
  """A folder of features with its manifest.

  Attributes:
    root: Where they are, and the prepared data sets below `data`.
    rows: The rows of the manifest, as dicts; `write` writes them.
  """

  def __init__(self, root, capsys):
    self.root, self._capsys = root, capsys
    self.rows = layouts.folder(root)
    self.write()

  def write(self):
    """Writes the manifest."""
    layouts.write_manifest(self.root / "manifest.csv", self.rows)

  def prepare(self, *more, segments=4, name="mine"):
    """Prepares it; returns the status and all that was printed."""
    arguments = ["folder", "--name", name, "--data_dir", self.root / "data"]
    arguments += ["--manifest", self.root / "manifest.csv"]
    arguments += ["--segments", segments, *more]
    status = prepare.main([str(argument) for argument in arguments])
    printed = self._capsys.readouterr()
    return status, printed.out + printed.err

  def report(self, *more):
    """Prepares it, which must fail and leave nothing; the report, one line."""
    status, printed = self.prepare(*more)
    assert status == 1
    assert self.left_over() == []
    assert store.prepared(self.root / "data") == []
    return " ".join(printed.split("\n"))

  def open(self):
    """The prepared data set."""
    return store.open_dataset(str(self.root / "data"), "folder", "mine", 4)

  def left_over(self):
    """The names in the data set's folder, the lock aside."""
    return sorted(
      path.name
      for path in (self.root / "data/folder/mine_n4").glob("*")
      if path.name != ".lock"
    )
