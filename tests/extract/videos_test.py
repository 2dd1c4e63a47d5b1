import os

import pytest

from adplg_jax.extract.videos import find_videos, shard


def make(folder, *names):
  for name in names:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(b"x" * 10)


def names(*given):
  return [item.name for item in find_videos([str(text) for text in given])]


def test_folders_keep_what_is_below_them(tmp_path):
  make(tmp_path, "normal/b.MP4", "normal/a.mkv", "fire/x/c.avi", "readme.txt")
  make(tmp_path, "normal/.hidden.mp4")
  assert names(tmp_path) == ["fire/x/c", "normal/a", "normal/b"]
  item = find_videos([str(tmp_path)])[1]
  assert item.video == str(tmp_path / "normal/a.mkv") and item.size == 10


def test_linked_folders_are_followed_once(tmp_path):
  make(tmp_path, "store/a.mp4")
  (tmp_path / "clips").mkdir()
  os.symlink(tmp_path / "store", tmp_path / "clips/normal")
  os.symlink(tmp_path / "clips", tmp_path / "clips/again")
  assert names(tmp_path / "clips") == ["normal/a"]


def test_files_and_patterns_are_named_by_themselves(tmp_path):
  make(tmp_path, "x/a.1.mp4", "x/b.dat", "x/c.mp4", "x/日本語 видео.mp4")
  assert names(tmp_path / "x/a.1.mp4", tmp_path / "x/b.dat") == ["a.1", "b"]
  assert names(tmp_path / "x/*.mp4") == ["a.1", "c", "日本語 видео"]
  # Named twice, it is one video.
  assert names(tmp_path / "x/c.mp4", tmp_path / "x/c.mp4") == ["c"]


def test_a_name_that_looks_like_a_pattern_is_a_file(tmp_path):
  make(tmp_path, "a[1].mp4", "a1.mp4")
  assert names(tmp_path / "a[1].mp4") == ["a[1]"]


def test_addresses(tmp_path):
  assert names("http://h:80/a/my%20clip.mp4?x=1") == ["my clip"]
  assert names("rtsp://camera:554/") == ["camera_554"]
  assert find_videos(["rtsp://camera/1"])[0].size is None


def test_a_number_is_a_camera_unless_there_is_such_a_file(
  tmp_path, monkeypatch
):
  monkeypatch.chdir(tmp_path)
  assert find_videos(["0"]) == [("0", "camera0")]
  (tmp_path / "0").touch()
  assert find_videos(["0"]) == [("0", "0")]


def test_videos_that_differ_by_suffix_keep_it(tmp_path):
  make(tmp_path, "a.mp4", "a.avi", "b.mp4")
  assert names(tmp_path) == ["a.avi", "a.mp4", "b"]


def test_two_videos_of_one_name_are_refused(tmp_path):
  make(tmp_path, "x/a.mp4", "y/a.mp4")
  with pytest.raises(ValueError, match=r"x/a\.mp4 and .*y/a\.mp4 would both"):
    names(tmp_path / "x", tmp_path / "y")
  assert names(tmp_path) == ["x/a", "y/a"]


@pytest.mark.parametrize("text", ["nowhere.mp4", "*.mp4", ""])
def test_what_is_not_there_is_refused_by_name(tmp_path, monkeypatch, text):
  monkeypatch.chdir(tmp_path)
  with pytest.raises(ValueError, match=r"--videos .*: there is no such file"):
    find_videos([text])


def test_an_empty_folder_is_refused(tmp_path):
  with pytest.raises(ValueError, match="no video below it"):
    names(tmp_path)


def test_names_that_are_no_text_are_refused(tmp_path):
  file = os.path.join(os.fsencode(tmp_path), b"\xff.mp4")
  try:
    with open(file, "wb"):
      pass
  except OSError:
    pytest.skip("the file system has no such names")
  with pytest.raises(ValueError, match=r"\\xff\.mp4' is not UTF-8"):
    names(tmp_path)


@pytest.mark.parametrize("count", [1, 3, 16, 40])
def test_each_video_is_in_one_part(tmp_path, count):
  make(tmp_path, *(f"{number:02}.mp4" for number in range(35)))
  videos = find_videos([str(tmp_path)])
  parts = [shard(videos, f"{k}/{count}") for k in range(1, count + 1)]
  assert sorted(v.name for part in parts for v in part) == [
    v.name for v in videos
  ]
  assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize("part", ["0/16", "17/16", "3", "3/0", "a/b", "-1/2"])
def test_other_parts_are_refused(part):
  with pytest.raises(ValueError, match=r"--shard is .* allowed: K/N"):
    shard([], part)
