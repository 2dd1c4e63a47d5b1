"""A run that runs on many devices or in many processes are compared with."""

import pytest

from tests.jobs import finish, start


@pytest.fixture(scope="session")
def one_device(tmp_path_factory, data_dir):
  workdir = tmp_path_factory.mktemp("one")
  finish(start(workdir, data_dir))
  return workdir
