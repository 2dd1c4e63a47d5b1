"""One self-contained HTML page: plotly, data and code inside, no network."""

import importlib.resources
import json
import re
from collections.abc import Mapping
from html import escape
from typing import Any

from adplg_jax.run.files import as_json

_SCRIPTS = ("base", "results", "videos", "training", "fields")


def render(title: str, contents: Mapping[str, Any]) -> str:
  """The page.

  Args:
    title: Its title.
    contents: What its code shows, as `contents.contents` gives it.

  Returns:
    HTML; no text in it, whatever it is, is taken for markup.

  Raises:
    ValueError: plotly is not installed.
  """
  parts = {
    "title": escape(title),
    "style": _static("page.css"),
    "contents": _embedded(contents),
    "plotly": _plotly(),
    "script": "\n".join(_static(f"{name}.js") for name in _SCRIPTS),
  }
  # In one pass: what is put in may itself look like a place.
  return re.sub(r"@(\w+)@", lambda m: parts[m[1]], _static("page.html"))


def _static(name: str) -> str:
  folder = importlib.resources.files("adplg_jax.report") / "static"
  return (folder / name).read_text("utf-8")


def _embedded(contents: Mapping[str, Any]) -> str:
  """JSON that cannot end the element it stands in."""
  text = json.dumps(as_json(contents), allow_nan=False, separators=(",", ":"))
  return text.replace("<", "\\u003c")


def _plotly() -> str:
  """The code of plotly, as its package has it.

  Raises:
    ValueError: It is not installed.
  """
  try:
    from plotly.offline import get_plotlyjs
  except ImportError as error:
    raise ValueError(
      "A report needs plotly, which is not installed: pip install "
      "'adplg_jax[report]', or pip install plotly."
    ) from error
  return get_plotlyjs().replace("</script", "<\\/script")
