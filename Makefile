# make demo: trains, scores and draws. make demo-video: from a video to a
# timeline. make test: what a change must pass.
# make bench: timings against PyTorch.
PYTHON ?= python3
VENV ?= .venv
RUN := $(VENV)/bin/python
INSTALL := $(VENV)/bin/pip install --quiet --disable-pip-version-check \
  -c constraints.txt -e

# Programs with little optimization, each compiled in one piece, fused loops
# without the detour over MLIR: a third of the time a step takes to compile.
FAST_COMPILATION := --xla_backend_optimization_level=0 \
  --xla_cpu_parallel_codegen_split_count=1 --xla_cpu_use_fusion_emitters=false

.PHONY: demo demo-video test test-all bench lint wheel clean

demo: $(VENV)/.demo
	$(RUN) -m adplg_jax.demo

demo-video: $(VENV)/.video
	$(RUN) -m adplg_jax.demo_video docs/videos/car_park.mp4

# Two workers, and programs compiled with little optimization: compiling takes
# most of the time. test-all runs everything as it is used.
test: $(VENV)/.test
	XLA_FLAGS="$(FAST_COMPILATION) $(XLA_FLAGS)" \
	  $(RUN) -m pytest -m "not slow" -n 2 --dist loadfile

test-all: $(VENV)/.test
	$(RUN) -m pytest -n 2 --dist loadfile

# A quarter of an hour on two cores, which must be idle.
bench: $(VENV)/.test
	$(RUN) -m benchmarks.train_step
	$(RUN) -m benchmarks.evaluate
	$(RUN) -m benchmarks.i3d
	$(RUN) -m benchmarks.input
	$(RUN) -m benchmarks.startup --demo
	$(RUN) -m benchmarks.seeds

lint: $(VENV)/.test
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/pyright --pythonpath $(RUN)

wheel: $(VENV)/.test
	$(RUN) -m build --wheel

$(VENV)/bin/pip:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
	  "Python 3.11 or newer is needed: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: setup.cfg constraints.txt | $(VENV)/bin/pip
	$(INSTALL) .[report]
	touch $@

$(VENV)/.video: setup.cfg constraints.txt | $(VENV)/bin/pip
	$(INSTALL) .[video]
	touch $@

$(VENV)/.test: setup.cfg constraints.txt | $(VENV)/bin/pip
	$(INSTALL) .[test,torch,video]
	touch $@ $(VENV)/.demo $(VENV)/.video

clean:
	rm -rf $(VENV) build dist *.egg-info
