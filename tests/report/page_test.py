"""The page as text: whole, and nothing in it taken for markup."""

import builtins
import json
import re
from html.parser import HTMLParser

import pytest

from adplg_jax.report import page


class Elements(HTMLParser):
  """Start tags, and the text of each element by its id or number."""

  def __init__(self, text):
    super().__init__()
    self.tags, self.texts = [], {}
    self._inside = None
    self.feed(text)

  def handle_starttag(self, tag, attrs):
    self.tags.append((tag, dict(attrs)))
    self._inside = dict(attrs).get("id", f"{tag} {len(self.tags)}")

  def handle_data(self, data):
    known = self.texts.get(self._inside, "")
    self.texts[self._inside] = known + data


def test_the_contents_come_back_as_they_were():
  hostile = {
    "name": '</script><!--<script>@plotly@ & \u2028 "x"',
    "value": float("nan"),
  }
  text = page.render("a <b> & c", {"runs": [hostile]})
  found = Elements(text)
  embedded = json.loads(found.texts["contents"])
  assert embedded == {"runs": [hostile | {"value": None}]}
  assert [tag for tag, _ in found.tags].count("script") == 3
  assert "b" not in [tag for tag, _ in found.tags]
  assert "<title>a &lt;b&gt; &amp; c</title>" in text


def test_the_page_names_nothing_outside_itself():
  found = Elements(page.render("title", {}))
  for tag, attributes in found.tags:
    assert "src" not in attributes, tag
    assert tag != "link"
    assert attributes.get("href", "#").startswith("#")
  policy = next(a["content"] for _, a in found.tags if "http-equiv" in a)
  assert policy.startswith("default-src 'none'; ")
  assert "http" not in policy


def test_every_part_is_there_and_every_name_is_used():
  text = page.render("title", {})
  assert not re.search(r"@(title|style|contents|plotly|script)@", text)
  assert "plotly.js v" in text
  ids = {a["id"] for _, a in Elements(text).tags if "id" in a}
  used = set(re.findall(r'\bby\("([\w-]+)"\)', text))
  assert used <= ids
  assert len(used) > 20


def test_without_plotly_it_says_what_to_install(monkeypatch):
  imported = builtins.__import__

  def no_plotly(name, *arguments, **keywords):
    if name.startswith("plotly"):
      raise ImportError(name)
    return imported(name, *arguments, **keywords)

  monkeypatch.setattr(builtins, "__import__", no_plotly)
  with pytest.raises(ValueError, match=r"pip install 'adplg_jax\[report\]'"):
    page.render("title", {})
