# make demo · make test · make lint       each sets up what it needs in .venv
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
WAV ?= samples/voice.flac
DATA ?= ../shared/data/published_reconstructions
OUT ?= out
CHECKPOINT ?= recipes/checkpoints/speech2face-mel-w4.safetensors
# On Linux x86-64 the default index serves torch with CUDA (about 2 GB). Give the address of PyTorch's
# CPU wheel index here and the same pinned version comes as its CPU build: make demo TORCH_INDEX=...
TORCH_INDEX ?=

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check --no-compile $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))

.PHONY: help demo test lint format evaluate train bundle bench android clean

help:  ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/bin/pip:
	@echo "== a virtual environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV)

# One stamp per set of extras; the larger set contains the smaller.
$(VENV)/.demo: pyproject.toml | $(VENV)/bin/pip
	@test -e $(VENV)/.dev || { echo "== installing the runtime and the exporter (torch is the large part)"; $(PIP) -e '.[export]'; }
	@touch $@
$(VENV)/.dev: pyproject.toml | $(VENV)/bin/pip
	@echo "== installing the development set (torch is the large part)"
	@$(PIP) -e '.[dev]'
	@touch $@

demo: $(VENV)/.demo  ## export, verify, and draw the caller of WAV=path (default: the sample voice)
	@mkdir -p $(OUT)
	@echo "== 1/3 export $(CHECKPOINT) to ONNX, LiteRT and Core ML, each artefact verified against torch"
	@$(BIN)/voxtoon export --checkpoint $(CHECKPOINT) --to onnx litert coreml --precision fp32 fp16 -o $(OUT)/demo.voxtoon
	@echo "== 2/3 verify the finished bundle as a device would, without torch"
	@$(BIN)/voxtoon verify $(OUT)/demo.voxtoon
	@echo "== 3/3 the caller of $(WAV)"
	@$(BIN)/voxtoon face "$(WAV)" --bundle $(OUT)/demo.voxtoon -o $(OUT)/avatar.svg --image $(OUT)/face.png
	@$(BIN)/voxtoon face "$(WAV)" --bundle $(OUT)/demo.voxtoon -o $(OUT)/avatar.png --json > $(OUT)/face.json
	@echo "== made: $(OUT)/demo.voxtoon  $(OUT)/avatar.svg  $(OUT)/avatar.png  $(OUT)/face.png  $(OUT)/face.json"

test: $(VENV)/.dev  ## the whole test suite
	@$(BIN)/python -m pytest

lint: $(VENV)/.dev  ## ruff and mypy --strict
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

format: $(VENV)/.dev  ## let ruff format the code
	@$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

evaluate: $(VENV)/.dev  ## the paper's tables for the default model, on the speakers kept out of DATA
	@mkdir -p $(OUT)
	@$(BIN)/voxtoon export --checkpoint $(CHECKPOINT) -o $(OUT)/evaluate.voxtoon
	@$(BIN)/voxtoon evaluate $(OUT)/evaluate.voxtoon --data $(DATA)

train: $(VENV)/.dev  ## train the default model again from DATA
	@$(BIN)/python -m recipes.train --data $(DATA) --out $(CHECKPOINT)

bundle: $(VENV)/.dev  ## write the embedded int8 bundle from CHECKPOINT, calibrated and judged on DATA
	@$(BIN)/voxtoon export --checkpoint $(CHECKPOINT) --precision int8 --streaming only --calibrate $(DATA) -o runtime/voxtoon/data/default.voxtoon

RECORDS := docs/records
BENCH := $(BIN)/voxtoon bench --runs 200 --cold-runs 10 --sustained-s 120

bench: $(VENV)/.dev  ## measure on an idle machine, beside peers, and write the tables of README.md and docs/devices.md
	@echo "== installing the peers"
	@$(PIP) -e '.[dev,peers]'
	@mkdir -p $(OUT) $(RECORDS)
	@echo "== 1/3 the embedded model, twice (about 3 minutes each)"
	@$(BENCH) --peers --checkpoint $(CHECKPOINT) --json $(RECORDS)/embedded.json --html $(OUT)/bench.html
	@$(BENCH) --json $(RECORDS)/embedded-again.json
	@echo "== 2/3 the same model in float32"
	@$(BIN)/voxtoon export --checkpoint $(CHECKPOINT) --precision fp32 -o $(OUT)/fp32.voxtoon
	@$(BENCH) $(OUT)/fp32.voxtoon --peers --checkpoint $(CHECKPOINT) --json $(RECORDS)/fp32.json
	@echo "== 3/3 README.md and docs/devices.md"
	@$(BIN)/python -m benchmarks.measured --write
	@$(BIN)/python -m benchmarks.front_end
	@$(BIN)/python -m benchmarks.call --write docs/call.md

# Only the runtime is needed to write the vectors; a larger set that is there contains it.
$(VENV)/.runtime: pyproject.toml | $(VENV)/bin/pip
	@test -e $(VENV)/.demo -o -e $(VENV)/.dev || { echo "== installing the runtime"; $(PIP) -e .; }
	@touch $@

MVN ?= mvn
BRIDGE := $(OUT)/android

android: $(VENV)/.runtime  ## the Android bridge: build, golden tests against the Python runtime, AAR, checks (JDK 17, Maven)
	@rm -rf $(BRIDGE) && mkdir -p $(BRIDGE)
	@echo "== 1/3 what the Kotlin is compared with: attacked bundles, golden vectors"
	@$(BIN)/python tests/attacks/write_attacks.py $(BRIDGE)/attacks
	@$(BIN)/python tests/bridge/write_vectors.py $(BRIDGE)/vectors --data $(DATA)
	@echo "== 2/3 build and test"
	@cd android_bridge && MAVEN_OPTS=-Xmx1g $(MVN) -B -ntp -q clean verify \
		-Dvoxtoon.vectors=$(abspath $(BRIDGE)/vectors) -Dvoxtoon.attacks=$(abspath $(BRIDGE)/attacks)
	@cp android_bridge/android/target/voxtoon-*.aar android_bridge/*/target/voxtoon-*-sources.jar $(BRIDGE)/
	@echo "== 3/3 the AAR as a consumer meets it"
	@$(BIN)/python android_bridge/check_aar.py $(BRIDGE)/voxtoon-*.aar
	@echo "== made: $(BRIDGE)/voxtoon-*.aar and sources"

clean:  ## remove what the targets made
	rm -rf $(VENV) $(OUT) dist build android_bridge/target android_bridge/*/target
