# Two commands matter: "make run" and "make test". Each sets up first what is missing.
# PYTHON=/path/to/python3 chooses the interpreter, ARGS="..." goes to the command behind a target.

PYTHON ?= python3
ARGS ?=
BIN := .venv/bin
# The tests start hundreds of processes: where the environment forbids to keep bytecode, each would compile the whole product anew.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help setup run test lint bench scenarios storm timescale pictures clean

help: ## this list · 本列表
	@echo "make run     set up, then the whole loop with a simulated district: http://127.0.0.1:8080/ · 一键运行"
	@echo "make test    set up, then lint and all tests on real parts · 全部测试"
	@echo "make setup   the set-up alone: .venv, packages, broker · 仅安装"
	@echo "make lint    ruff, mypy, import contracts · 静态检查"
	@echo "make bench   the benchmarks · 性能基准"
	@echo "make scenarios  every scenario on a platform of its own, one table; ARGS=--broken: each broken one must turn red · 全部场景"
	@echo "make storm   a thousand homes leak while every part is killed at random · 千户风暴，其间随机杀进程"
	@echo "make timescale  migrations, writing and reading of readings on a real TimescaleDB (WebAssembly) beside PostgreSQL · 在真实 TimescaleDB 上核对读数存储"
	@echo "make pictures  a picture of every page, in both languages, at three widths, into screenshots/ · 各页面截图"
	@echo "make clean   remove what the set-up made; data in .data stays · 清理，保留数据"
	@echo "PYTHON=...   another interpreter · 指定解释器;  ARGS=\"...\"  passed on · 传给命令的参数"

setup:
	@command -v "$(PYTHON)" >/dev/null 2>&1 || { echo "cannot go on: no $(PYTHON) on this machine: install python3 (3.11 or newer) · 没有 $(PYTHON)：请安装 python3（3.11 或更新）" >&2; exit 2; }
	@"$(PYTHON)" deploy/setup_env.py

run: setup
	@exec $(BIN)/gas-sentinel run $(ARGS)

test: setup
	@$(MAKE) --no-print-directory lint
ifeq ($(ARGS),)
	@$(BIN)/python -m deploy.pages --test
	@$(BIN)/python -m pytest -n 5 --dist worksteal --ignore tests/scenarios --ignore tests/browser --ignore tests/timescale
	@$(BIN)/python -m pytest tests/scenarios
	@$(BIN)/python -m tests.browser.chromium
	@exec $(BIN)/python -m pytest -n 3 --dist worksteal tests/browser
else
	@exec $(BIN)/python -m pytest $(ARGS)
endif

# The types of the pages take as long as everything of Python: both at once, and either refuses.
lint: setup
	@$(BIN)/python -m deploy.pages --check & pages=$$!; \
	$(BIN)/ruff check && $(BIN)/ruff format --check && $(BIN)/mypy && $(BIN)/lint-imports; python=$$?; \
	wait $$pages && exit $$python

bench: setup
	@exec $(BIN)/python -m benchmarks $(ARGS)

scenarios: setup
	@exec $(BIN)/gas-sentinel simulate scenarios $(ARGS)

storm: setup
	@exec $(BIN)/gas-sentinel simulate run storm-1000 --kill line,dispatch,voice,console,broker,postgres $(ARGS)

timescale: setup
	@$(BIN)/python -m tests.timescale.server
	@exec $(BIN)/python -m pytest tests/timescale $(ARGS)

pictures: setup
	@$(BIN)/python -m tests.browser.chromium
	@exec $(BIN)/python -m tests.browser.pictures $(ARGS)

clean:
	rm -rf .venv .cache console/pages console/web/node_modules tests/timescale/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -not -path './.data/*' -prune -exec rm -rf {} +
