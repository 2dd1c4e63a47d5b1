"""Scoring from checkpoints alone."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from adplg_jax import evaluate, main
from adplg_jax.data import pipeline
from adplg_jax.run.checkpoint import Checkpointer
from adplg_jax.run.load_model import load_model
from adplg_jax.scoring import scorer
from tests import layouts
from tests.runs import scores, select, tiny
from tests.sidecars import write_sidecar


def test_scores_do_not_depend_on_batching(whole, data_dir, tmp_path):
  """Crops of a video meet by its name, whatever batch they come in."""
  one = evaluate.evaluate_workdir(whole, "last", output=tmp_path / "a")
  one = one.last.results
  config_file = whole / "config.json"
  config = json.loads(config_file.read_text())
  try:
    changed = {**config, "evaluation": {**config["evaluation"]}}
    changed["evaluation"]["batch_snippets"] = 64
    config_file.write_text(json.dumps(changed))
    two = evaluate.evaluate_workdir(whole, "last", output=tmp_path / "b")
    two = two.last.results
  finally:
    config_file.write_text(json.dumps(config))
  np.testing.assert_allclose(one["frame_auc"], two["frame_auc"], atol=1e-6)
  results = json.loads((whole / "results/last/metrics.json").read_text())
  np.testing.assert_allclose(one["frame_auc"], results["frame_auc"], atol=1e-6)


def test_selection_is_stated_and_the_difference_reported(
  whole, data_dir, tmp_path, capsys
):
  """By training, and by evaluate, which writes the same."""
  assert main.run(tiny(data_dir), str(whole)) == 0
  said = capsys.readouterr().out
  assert evaluate.main(["--workdir", str(whole)]) == 0
  for out in (said, capsys.readouterr().out):
    assert "last: step 8; selected by frame_auc on the test split: step" in out
    assert "last  selected  difference" in out
  for folder in ("results", "evaluation"):
    written = {
      name: json.loads((whole / folder / name).read_text())
      for name in (
        "last/metrics.json",
        "selected/metrics.json",
        "selection.json",
      )
    }
    last, selected, both = written.values()
    assert both["chosen_by"] == "frame_auc on the test split"
    assert (last["step"], selected["step"]) == (8, both["selected_step"])
    change = selected["frame_auc"] - last["frame_auc"]
    assert both["selected_minus_last"]["frame_auc"] == pytest.approx(change)
  checkpoints = Checkpointer(whole / "checkpoints", read_only=True)
  assert checkpoints.best_step() == both["selected_step"]
  selection = checkpoints.selection(both["selected_step"])
  assert selection.chosen_by == "frame_auc on the test split"


def test_last_and_selected_are_scored_each_with_its_own_parameters(
  whole, tmp_path
):
  copy = shutil.copytree(whole, tmp_path / "run")
  select(copy, 4)
  both = evaluate.evaluate_workdir(copy, output=tmp_path / "both")
  assert (both.last.step, both.selected.step) == (8, 4)
  for name, step in (("selected", 4), ("last", 8)):
    one = evaluate.evaluate_workdir(copy, str(step), output=tmp_path / name)
    assert one.last.step == one.selected.step == step
    np.testing.assert_array_equal(
      scores(tmp_path / "both" / name), scores(tmp_path / name)
    )
  difference = scores(tmp_path / "selected") - scores(tmp_path / "last")
  assert np.abs(difference).max() > 1e-3


def test_an_unwritable_output_is_reported_before_scoring(
  whole, tmp_path, capsys, monkeypatch
):
  (tmp_path / "file").write_text("")
  monkeypatch.setattr(evaluate, "_score", None)
  output = str(tmp_path / "file" / "results")
  assert evaluate.main(["--workdir", str(whole), "--output", output]) == 1
  (line,) = capsys.readouterr().err.splitlines()
  assert line == (
    f"ValueError: {output} cannot be made (Not a directory); name a folder for "
    "the results with --output."
  )


def test_evaluate_says_which_checkpoints_there_are(whole, tmp_path, capsys):
  assert evaluate.main(["--workdir", str(whole), "--checkpoint", "5"]) == 1
  assert "allowed: best, last, or one of" in capsys.readouterr().err
  assert evaluate.main(["--workdir", str(tmp_path)]) == 1
  assert "not the workdir of a run" in capsys.readouterr().err


def test_another_data_set_is_scored_by_its_configuration(
  whole, data_dir, tmp_path, capsys
):
  """The same width scores; another is refused, and so is a missing file."""
  layouts.prepare_synthetic(str(data_dir), "tiny", 16)
  text = Path("configs/synthetic.py").read_text()
  for variant, segments, code in (("tiny", 16, 0), ("small", 32, 1)):
    file = tmp_path / f"{variant}.py"
    file.write_text(
      text.replace("num_segments = 32", f"num_segments = {segments}")
    )
    arguments = ["--workdir", str(whole), "--output", str(tmp_path / variant)]
    found = evaluate.main([*arguments, "--config", f"{file}:{variant}"])
    assert found == code
  assert "are 64 wide, but the checkpoint was trained on 16" in (
    capsys.readouterr().err
  )
  assert evaluate.main(["--workdir", str(whole), "--config", "no.py"]) == 1
  assert (
    "--config names 'no.py', but there is no such file"
    in capsys.readouterr().err
  )


def test_another_data_set_may_have_any_number_of_segments(whole, tmp_path):
  """The run's own is taken where it is prepared, else the smallest."""
  manifest = layouts.write_manifest(
    tmp_path / "manifest.csv", layouts.folder(tmp_path, width=16)
  )
  data_dir, found = tmp_path / "data", []
  for segments in (16, 4, 8):
    layouts.prepare_folder(manifest, "other", segments, data_dir)
    outcome = evaluate.evaluate_workdir(
      whole,
      "last",
      config_file="folder:other",
      data_dir=str(data_dir),
      output=tmp_path / str(segments),
    )
    found.append(outcome.last.results)
  assert found[0] == found[1] == found[2]
  assert found[0]["videos"] == 4


def test_features_of_another_kind_are_refused(whole, tmp_path, monkeypatch):
  manifest = layouts.write_manifest(
    tmp_path / "manifest.csv", layouts.folder(tmp_path, width=16)
  )
  for path in tmp_path.glob("t*.npy"):
    write_sidecar(path, kind="rocng:abababab")
  layouts.prepare_folder(manifest, "other", 4, tmp_path / "data")
  load = evaluate.from_checkpoint

  def evaluated(kind):
    monkeypatch.setattr(
      evaluate,
      "from_checkpoint",
      lambda *args, **more: load(*args, **more)._replace(kind=kind),
    )
    return evaluate.evaluate_workdir(
      whole,
      "last",
      config_file="folder:other",
      data_dir=str(tmp_path / "data"),
      output=tmp_path / "out",
    )

  with pytest.raises(
    ValueError, match=r"folder/other .* 'rocng:abababab', but"
  ):
    evaluated("urdmu:abababab")
  assert evaluated("rocng:abababab").last.results["videos"] == 4
  assert evaluated("").last.results["videos"] == 4


def test_features_are_normalised_as_in_training(tmp_path):
  """By the checkpoint's numbers, whatever the data set's own are."""
  for name, factor in (("own", 1), ("other", 100)):
    rows = layouts.folder(tmp_path / name, width=16)
    for row in rows:
      file = tmp_path / name / row["path"]
      if row["split"] == "train":
        np.save(file, np.load(file) * np.float32(factor))
    manifest = layouts.write_manifest(tmp_path / name / "manifest.csv", rows)
    layouts.prepare_folder(manifest, name, 8, tmp_path / "data")
  fields = {
    "data.builder": "folder",
    "data.variant": "own",
    "data.normalize": "standardize",
    "batch_size": 2,
    "total_steps": 4,
  }
  run = tmp_path / "run"
  assert main.run(tiny(tmp_path / "data", **fields), str(run)) == 0
  assert load_model(run).normalization.kind == "standardize"
  for name in ("own", "other"):
    evaluate.evaluate_workdir(
      run, "last", config_file=f"folder:{name}", output=tmp_path / name
    )
    np.testing.assert_allclose(
      scores(tmp_path / name), scores(run / "results" / "last"), atol=1e-6
    )


def test_overrides_change_how_videos_are_scored(whole, tmp_path, monkeypatch):
  """Spans that end inclusively have a frame more each; batches are smaller."""
  frames, batches = {}, {}
  padded_batches = pipeline.padded_batches

  def counted(examples, *, batch_snippets, **keywords):
    batches[name] = batch_snippets
    return padded_batches(examples, batch_snippets=batch_snippets, **keywords)

  monkeypatch.setattr(pipeline, "padded_batches", counted)
  for name, words in {
    "as it is": [],
    "changed": [
      "--config.switches.span_ends=inclusive",
      "--config.evaluation.batch_snippets",
      "64",
    ],
  }.items():
    output = tmp_path / name
    arguments = ["--workdir", str(whole), "--checkpoint=last", *words]
    assert evaluate.main([*arguments, "--output", str(output)]) == 0
    results = json.loads((output / "metrics.json").read_text())
    frames[name] = results["anomalous_frames"]
  assert batches == {"as it is": 256, "changed": 64}
  assert frames["changed"] > frames["as it is"]


def test_the_configuration_says_whether_one_crop_is_scored(
  whole, data_dir, tmp_path, monkeypatch
):
  """The run's own, or that of the data set; they differ by their presets."""
  data = shutil.copytree(
    data_dir / "synthetic/tiny_n8", tmp_path / "data/synthetic/tiny_n8"
  )
  (metadata,) = data.glob("*/metadata.json")
  stored = json.loads(metadata.read_text())
  metadata.write_text(json.dumps(stored | {"official_test_crop": 1}))
  crops = []

  def note(examples):
    crops.append({int(example["crop"]) for example in examples})
    return iter(examples)

  monkeypatch.setattr(evaluate.scorer, "with_progress", note)
  for config_file in (None, "synthetic:tiny,official", "synthetic:tiny,fixed"):
    evaluate.evaluate_workdir(
      whole,
      "last",
      config_file=config_file,
      data_dir=str(tmp_path / "data"),
      output=tmp_path / "out",
    )
  assert crops == [{1}, {1}, {0, 1}]


@pytest.mark.parametrize(
  ("words", "said"),
  [
    (["num_segments=32"], "cannot change config.num_segments; allowed"),
    (["data.normalize=rms"], "cannot change config.data.normalize; allowed"),
    (["video.model.dropout=0.1"], "cannot change config.video.model.dropout;"),
    (
      ["seed=1", "switches.rotary_query_shift=false"],
      "cannot change config.seed, config.switches.rotary_query_shift; allowed: "
      "config.data.builder, config.data.variant, config.data_dir, ",
    ),
    (
      ["data.variant=small", "data.builder=folder"],
      "Changing config.data.builder, config.data.variant changes the results: ",
    ),
    (["switches.span_ends=inclusive"], "changes the results: name another "),
    (["matmul_precision=foo"], "config.matmul_precision is 'foo'; allowed"),
    (["evaluation.batch=4"], "config.evaluation.batch is not a field. Did you"),
    (["evaluation.batch_snippets=x"], "batch_snippets is 'x'; allowed: a who"),
    (["switches.span_ends=open"], "config.switches.span_ends is 'open'"),
  ],
)
def test_overrides_that_cannot_be_are_refused(
  whole, tmp_path, capsys, words, said
):
  overrides = [f"--config.{word}" for word in words]
  if "changes the results" not in said:
    overrides.append(f"--output={tmp_path}")
  assert evaluate.main(["--workdir", str(whole), *overrides]) == 1
  error = capsys.readouterr().err
  assert said in error
  assert "Traceback" not in error


def test_the_scorer_is_made_once(whole, tmp_path, monkeypatch):
  made = []
  make_scorer = scorer.make_scorer

  def counted(method):
    made.append(method)
    return make_scorer(method)

  monkeypatch.setattr(scorer, "make_scorer", counted)
  copy = shutil.copytree(whole, tmp_path / "run")
  select(copy, 4)
  both = evaluate.evaluate_workdir(copy, output=tmp_path / "both")
  assert (both.last.step, both.selected.step) == (8, 4)
  assert len(made) == 1
