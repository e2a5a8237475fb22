# Two commands matter: `make run` and `make test`. Each sets up what it needs:
# python3 (3.11 or later, with venv) and make are all that has to be there.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# What a person may give on the command line.
MICROPYTHON ?=
BOARD ?=
PORT ?=
FIRMWARE ?=
CA ?=
STATE ?= door
MIC ?= chime
SPEAKER ?= build/heard.wav
ARGS ?=
JOBS ?= 2
FROM ?= door
TO ?= build/kamailio
LISTEN ?=

export MICROPYTHON

.DEFAULT_GOAL := help
.PHONY: help venv build run test bench bench-sound soak flash kamailio house deploy clean

help: ## this list
	@echo 'sipdoor: a SIP door intercom for MicroPython boards'
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' Makefile | while IFS='|' read -r name words; do \
	    printf '  make %-11s %s\n' "$$name" "$$words"; done

venv: $(VENV)/stamp ## the Python tools of this project, in .venv

build: $(VENV)/stamp ## firmware/ precompiled for each chip, in build/
	@$(BIN)/python tools/build.py

run: build ## an intercom on this computer (MIC=card SPEAKER=card, STATE=its folder, ARGS=...)
	@$(BIN)/python tools/virtual_board.py --state '$(STATE)' --heap 96wK --mic '$(MIC)' --speaker '$(SPEAKER)' --terminal \
	    $(if $(wildcard $(STATE)/config.json),,--set sip.mode=house) $(ARGS)

test: $(VENV)/stamp-test build ## all tests (ARGS="-k words" for some; JOBS=1: one at a time)
	@$(BIN)/python tools/peers.py
	@$(MAKE) --no-print-directory $(VENV)/stamp-speech
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder $(ARGS)

bench: $(VENV)/stamp-test build ## figures of speed and memory, in build/bench.json
	@$(BIN)/python tools/peers.py
	@$(MAKE) --no-print-directory $(VENV)/stamp-bench
	@$(BIN)/python tools/bench.py $(ARGS)

bench-sound: $(VENV)/stamp-test build ## how calls sound over bad networks, beside baresip: 8 minutes, kept for bench
	@$(BIN)/python tools/peers.py
	@$(MAKE) --no-print-directory $(VENV)/stamp-bench
	@$(BIN)/python tools/bench_sound.py $(ARGS)

soak: $(VENV)/stamp-test build ## a call of ten minutes with clocks that drift, kept for bench
	@$(BIN)/python tools/peers.py
	@$(BIN)/python tools/bench_soak.py $(ARGS)

flash: $(VENV)/stamp ## MicroPython onto a board (BOARD=name PORT=/dev/... FIRMWARE=file.bin)
	@$(BIN)/python tools/flash.py --board '$(BOARD)' --port '$(PORT)' --firmware '$(FIRMWARE)' $(ARGS)

kamailio: $(VENV)/stamp ## a door's house as a Kamailio (FROM="door /dev/ttyUSB0" TO=folder LISTEN=address)
	@$(BIN)/python tools/export_kamailio.py --to '$(TO)' --listen '$(LISTEN)' $(ARGS) $(FROM)

house: STATE = house
house: $(VENV)/stamp ## the servers of a house alone on this computer (LISTEN=, STATE=, ARGS=)
	@$(BIN)/python tools/house.py --state '$(STATE)' --listen '$(LISTEN)' $(ARGS)

deploy: build ## the intercom onto a board with MicroPython (BOARD=name PORT=/dev/... CA=x.pem)
	@$(BIN)/python tools/deploy.py --board '$(BOARD)' --port '$(PORT)' --ca '$(CA)' $(ARGS)

clean: ## remove build/ and .venv, not what a door keeps in its STATE
	rm -rf build $(VENV) .pytest_cache

# One stamp for each set of packages; made again when its list changes.
$(VENV)/stamp: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "sipdoor needs Python 3.11 or later; this is %s. Name another with PYTHON=path." % sys.version.split()[0])'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	    echo 'Python could not make a virtual environment. On Debian or Ubuntu: apt-get install python3-venv'; exit 1; }
	@echo 'Installing the tools into $(VENV) ...'
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -r $<
	@touch $@

$(VENV)/stamp-test: requirements-test.txt $(VENV)/stamp
	@echo 'Installing what the tests use ...'
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -r $<
	@touch $@

# pesq is compiled as it is installed: where that fails, the tests that score speech say so.
$(VENV)/stamp-speech: requirements-speech.txt $(VENV)/stamp-test
	@if $(BIN)/python -m pip install -qq --disable-pip-version-check -r $< >$(VENV)/speech.log 2>&1; then touch $@; \
	else echo 'The speech score (pesq) could not be built, see $(VENV)/speech.log: its tests will be skipped.'; fi

$(VENV)/stamp-bench: requirements-bench.txt $(VENV)/stamp-test
	@echo 'Installing what the bench measures against ...'
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -r $<
	@touch $@
