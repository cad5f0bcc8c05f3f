# Every target is done by scripts/dev.py, for machines without make. `make demo DATA=folder KEEP=1`.
PYTHON ?= python3
export DATA KEEP

.PHONY: setup demo test check soak mutants bench migrate
setup demo test check soak mutants bench migrate:
	@$(PYTHON) scripts/dev.py $@ $(ARGS)
