# hone - sources are found by wildcard: a new file needs no row here.
#   make            build/hone, build/libhone.a, build/libhone.so, build/hone.pc
#   make improve    the main job on an embedded default      make test    all tests
#   make SAN=address,undefined test · SAN=thread test · bench · lint · format · fuzz · docs · install PREFIX=/usr/local
VERSION := 0.1.0
SAN     ?=
CC      := $(if $(filter default undefined,$(origin CC)),gcc,$(CC))
BUILD   ?= build$(if $(SAN),/san-$(subst $(empty) ,-,$(subst $(comma),-,$(SAN))))
PREFIX  ?= /usr/local
comma   := ,
empty   :=
PKGS    := jansson yaml-0.1 libutf8proc libxxhash zlib libzstd sqlite3 libpcre2-8
OPT     ?= -O3
CFLAGS  += -std=gnu11 $(OPT) -g -Wall -Wextra -Wno-missing-field-initializers -Wno-unused-parameter -Wshadow -Wstrict-prototypes -Wvla \
           -fvisibility=hidden -fPIC -fno-math-errno -fno-trapping-math -ffp-contract=off -pthread -D_GNU_SOURCE -Iinclude -Isrc \
           $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=all -DHN_SAN)
# Optional: libpq, for ledgers on a PostgreSQL server. `make PQ=` does without.
PQ      := $(shell pkg-config --exists libpq 2>/dev/null && echo 1)
LIBS    := $(shell pkg-config --libs $(PKGS) 2>/dev/null || echo -ljansson -lyaml -lutf8proc -lxxhash -lz -lzstd -lsqlite3 -lpcre2-8) \
           $(if $(PQ),$(shell pkg-config --libs libpq)) -ldnnl -lgomp -lm -ldl -lpthread
# Optional: libcurl, for `hone get` alone; the library does without.
CURL    := $(shell pkg-config --exists libcurl 2>/dev/null && echo 1)
APPLIBS := $(if $(CURL),$(shell pkg-config --libs libcurl))

LIBSRC  := $(filter-out src/app/%,$(shell find src -name '*.c' ! -path '*/isa/*' | LC_ALL=C sort))
APPSRC  := $(shell find src/app -name '*.c' | LC_ALL=C sort)
# src/tensor/cpu/isa/*.c are compiled once for each instruction set, with HN_ISA naming it; at -O1 under the sanitizers, whose checks in the
# unrolled loops of few.c take a compiler a minute at -O3. gcc 12 puts vectors of 64 bytes on a false stack that is not aligned for them
# (gcc.gnu.org/PR110027), so these files go without its check for the use of a frame after its end.
ISASRC  := $(shell find src -path '*/isa/*.c' | LC_ALL=C sort)
ARCH    := $(shell $(CC) -dumpmachine 2>/dev/null | cut -d- -f1)
ISAS    := plain $(if $(filter x86_64,$(ARCH)),avx2 avx512 avx512bf16)
ISA_ASAN := $(if $(findstring address,$(SAN)),$(if $(findstring clang,$(CC)),,--param asan-use-after-return=0))
FLAGS_avx2   := -mavx2 -mfma -mf16c
FLAGS_avx512 := -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx2 -mfma -mf16c
FLAGS_avx512bf16 := $(FLAGS_avx512) -mavx512bf16
LIBOBJ  := $(LIBSRC:%.c=$(BUILD)/%.o) $(foreach i,$(ISAS),$(ISASRC:%.c=$(BUILD)/%.$(i).o))
APPOBJ  := $(APPSRC:%.c=$(BUILD)/%.o)
# ONLY="base train" builds and runs tests/test_base.c and tests/test_train.c alone.
ONLY    ?=
TESTSRC := $(if $(ONLY),$(ONLY:%=tests/test_%.c),$(wildcard tests/*.c))
TESTS   := $(TESTSRC:tests/%.c=$(BUILD)/tests/%)

all: $(BUILD)/hone $(BUILD)/libhone.a $(BUILD)/libhone.so $(BUILD)/hone.pc

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -MMD -MP -c $< -o $@
define isa_rule
$(BUILD)/%.$(1).o: %.c
	@mkdir -p $$(@D)
	$$(CC) $$(CFLAGS) $$(if $$(SAN),-O1) $$(ISA_ASAN) $$(FLAGS_$(1)) -DHN_ISA=$(1) -MMD -MP -c $$< -o $$@
endef
$(foreach i,$(ISAS),$(eval $(call isa_rule,$(i))))

$(BUILD)/libhone.a: $(LIBOBJ)
	@rm -f $@
	$(AR) rcs $@ $^
$(BUILD)/libhone.so: $(LIBOBJ)
	$(CC) $(CFLAGS) -shared -Wl,-soname,libhone.so.0 $^ -o $@ $(LIBS)
	@ln -sf libhone.so $(BUILD)/libhone.so.0
$(BUILD)/hone: $(APPOBJ) $(BUILD)/libhone.a
	$(CC) $(CFLAGS) $^ -o $@ $(LIBS) $(APPLIBS)
$(BUILD)/hone.pc: Makefile
	@mkdir -p $(@D)
	@printf 'prefix=$(PREFIX)\nlibdir=$${prefix}/lib\nincludedir=$${prefix}/include\n\nName: hone\nDescription: makes a language model measurably smarter\nVersion: $(VERSION)\nLibs: -L$${libdir} -lhone\nLibs.private: $(LIBS)\nCflags: -I$${includedir}\n' > $@

# Unit tests: one program per file of tests/, cmocka, private headers allowed.
# gcc 12.2 for arm64 breaks down where it vectorizes a loop over fmax().
$(BUILD)/tests/%: tests/%.c $(BUILD)/libhone.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(if $(filter aarch64,$(ARCH)),-fno-tree-vectorize) -Itests -MMD -MP -MF $@.d $< -o $@ $(BUILD)/libhone.a $(LIBS) -lcmocka

# `units` runs these; `test` also the scripts of tests/cli, which find the program in $HONE. A sanitizer ends a test at its first finding.
RUN_TESTS := HONE=$(abspath $(BUILD)/hone) SAN=$(SAN) LC_ALL=C.UTF-8 CMOCKA_MESSAGE_OUTPUT=stdout \
	ASAN_OPTIONS=detect_stack_use_after_return=1:abort_on_error=1:$(ASAN_OPTIONS) UBSAN_OPTIONS=print_stacktrace=1:$(UBSAN_OPTIONS) \
	TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1:$(TSAN_OPTIONS) tools/run-tests
test:
	@tools/setup test
	@$(MAKE) --no-print-directory all $(TESTS) $(REPLAYS)
	@$(RUN_TESTS) $(TESTS) $(wildcard tests/cli/*.sh)
units: $(TESTS)
	@$(RUN_TESTS) $(TESTS)

# Parsers of foreign bytes: each fuzz/NAME.c has a corpus in fuzz/corpus/NAME. `make test` replays the corpora (tests/cli/fuzz.sh);
# `make fuzz` searches on from them with libFuzzer, FUZZ_SECONDS for each of FUZZ, and keeps what it finds in build/fuzz.
# tools/fuzz-cover tells which lines they reach.
FUZZ         ?= $(patsubst fuzz/%.c,%,$(filter-out fuzz/driver.c,$(wildcard fuzz/*.c)))
FUZZ_SECONDS ?= 30
REPLAYS      := $(FUZZ:%=$(BUILD)/fuzz/%)
# One of them runs a command of the program.
HUB          := $(BUILD)/fuzz/hub $(BUILD)/fuzzers/hub
$(HUB): $(filter-out %/main.o,$(APPOBJ))
$(HUB): LIBS += $(APPLIBS)
$(REPLAYS): %: %.o $(BUILD)/fuzz/driver.o $(BUILD)/libhone.a
	$(CC) $(CFLAGS) $(filter %.o,$^) $(filter %.a,$^) -o $@ $(LIBS)
$(FUZZ:%=$(BUILD)/fuzzers/%): $(BUILD)/fuzzers/%: $(BUILD)/fuzz/%.o $(BUILD)/libhone.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -fsanitize=fuzzer $(filter %.o,$^) $(filter %.a,$^) -o $@ $(LIBS)
fuzz:
	@command -v clang >/dev/null || { echo "make fuzz needs clang: apt-get install clang libclang-rt-dev"; exit 1; }
	@$(MAKE) --no-print-directory BUILD=build/fuzz CC=clang OPT=-O1 SAN=fuzzer-no-link,address,undefined fuzz-run
fuzz-run: $(FUZZ:%=$(BUILD)/fuzzers/%)
	@for n in $(FUZZ); do mkdir -p $(BUILD)/found/$$n fuzz/corpus/$$n; log=$(BUILD)/found/$$n.log; echo "fuzz $$n: $(FUZZ_SECONDS) s"; \
	 $(BUILD)/fuzzers/$$n -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=2048 -max_len=65536 \
	 -artifact_prefix=$(BUILD)/found/$$n- $(BUILD)/found/$$n fuzz/corpus/$$n >$$log 2>&1 && grep '^Done' $$log || \
	 { tail -n 60 $$log; echo "fuzz $$n: FAILED, see $$log"; exit 1; }; done

# Examples see the public headers only. The test that runs them needs them built.
EXAMPLES := $(patsubst examples/%.c,$(BUILD)/examples/%,$(wildcard examples/*.c))
examples: $(EXAMPLES)
$(BUILD)/examples/%: examples/%.c $(BUILD)/libhone.a
	@mkdir -p $(@D)
	$(CC) $(filter-out -Isrc,$(CFLAGS)) $< -o $@ $(BUILD)/libhone.a $(LIBS)
$(BUILD)/tests/test_examples: $(EXAMPLES)
.PHONY: examples

$(BUILD)/src/improve/preset.o: recipes/text.yaml
# The commit that `hone bench` names; its object is made again when the commit changes.
$(BUILD)/commit.h: FORCE
	@mkdir -p $(@D)
	@echo "#define HN_COMMIT \"$$(git describe --always --dirty --abbrev=12 2>/dev/null)\"" > $@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi
$(BUILD)/src/app/cmd/bench.o: CFLAGS += -include $(BUILD)/commit.h
$(BUILD)/src/app/cmd/bench.o: $(BUILD)/commit.h
# Which optional libraries there are; what depends on it is made again when one comes or goes.
$(BUILD)/optional.h: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '$(if $(CURL),#define HN_CURL 1,/* no libcurl */)' '$(if $(PQ),#define HN_LIBPQ 1,/* no libpq */)' > $@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi
$(BUILD)/src/app/fetch.o: CFLAGS += -include $(BUILD)/optional.h $(if $(CURL),$(shell pkg-config --cflags libcurl))
$(BUILD)/src/base/sql_pg.o: CFLAGS += -include $(BUILD)/optional.h $(if $(PQ),$(shell pkg-config --cflags libpq))
$(BUILD)/src/app/fetch.o $(BUILD)/src/base/sql_pg.o: $(BUILD)/optional.h
FORCE:
.PHONY: bench FORCE
# How fast this build is here: operators, training steps, decoding. ARGS="--filter train --seconds 5" passes on.
bench: $(BUILD)/hone
	$< bench $(ARGS)
-include $(patsubst %.o,%.d,$(LIBOBJ) $(APPOBJ)) $(patsubst %,%.d,$(TESTS) $(REPLAYS) $(BUILD)/fuzz/driver)
.PHONY: all test units
.SECONDARY:

# Error rates of the decision in 10,000 made-up worlds a row (about a minute): docs/results/simulation.md and its picture.
.PHONY: simulate
simulate: $(BUILD)/tests/sim/simulate
	$< $(CURDIR)

# The same with real trainings, of runs whose only lever is placebo: docs/results/real-keeps.md and README's picture. See there how to make them.
.PHONY: deal
deal: $(BUILD)/tests/sim/deal
	$< $(CURDIR) $(ARGS)

# What each gym task's dial does to a model of a million parameters (about twenty minutes): docs/results/gym.md. ARGS="compare sort:3" for some.
.PHONY: gym-dial
gym-dial: $(BUILD)/tests/sim/gym_dial
	$< --flops 4e12 $(ARGS)

.PHONY: improve lint format fuzz fuzz-run
# The main job on questions that it makes itself, at most six minutes on two cores.
improve:
	@tools/setup
	@$(MAKE) --no-print-directory -s -j$$(nproc) $(BUILD)/hone
	$(BUILD)/hone improve recipes/start.yaml out=runs/first
lint:
	@tools/lint
format:
	clang-format -i $$(git ls-files '*.c' '*.h')

# Man page, docs pages and completion from the settings rows; tests/cli/docs.sh sees that they are current.
.PHONY: docs install uninstall
docs: $(BUILD)/hone
	@mkdir -p docs/completion
	$< help --man > docs/hone.1
	$< help --markdown commands > docs/COMMANDS.md
	$< help --markdown settings > docs/SETTINGS.md
	$< help --completion bash > docs/completion/hone.bash
	$< help --completion zsh > docs/completion/_hone

SHARE := $(DESTDIR)$(PREFIX)/share
install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/pkgconfig $(DESTDIR)$(PREFIX)/include/hone $(SHARE)/man/man1 \
	    $(SHARE)/bash-completion/completions $(SHARE)/zsh/site-functions $(SHARE)/doc/hone
	install -m 755 $(BUILD)/hone $(DESTDIR)$(PREFIX)/bin/hone
	install -m 644 $(BUILD)/libhone.a $(DESTDIR)$(PREFIX)/lib/libhone.a
	install -m 755 $(BUILD)/libhone.so $(DESTDIR)$(PREFIX)/lib/libhone.so.$(VERSION)
	ln -sf libhone.so.$(VERSION) $(DESTDIR)$(PREFIX)/lib/libhone.so.0
	ln -sf libhone.so.0 $(DESTDIR)$(PREFIX)/lib/libhone.so
	install -m 644 include/hone/*.h $(DESTDIR)$(PREFIX)/include/hone/
	@rm -f $(BUILD)/hone.pc
	@$(MAKE) --no-print-directory -s $(BUILD)/hone.pc
	install -m 644 $(BUILD)/hone.pc $(DESTDIR)$(PREFIX)/lib/pkgconfig/hone.pc
	install -m 644 docs/hone.1 $(SHARE)/man/man1/hone.1
	install -m 644 docs/completion/hone.bash $(SHARE)/bash-completion/completions/hone
	install -m 644 docs/completion/_hone $(SHARE)/zsh/site-functions/_hone
	for t in tasks/*/; do install -D -m 644 $$t/task.yaml $(SHARE)/hone/$$t/task.yaml; done
	install -d $(SHARE)/hone/recipes
	install -m 644 recipes/*.yaml $(SHARE)/hone/recipes/
	install -m 644 LICENSE $(wildcard README.md) $(SHARE)/doc/hone/
uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/hone $(DESTDIR)$(PREFIX)/lib/libhone.* $(DESTDIR)$(PREFIX)/lib/pkgconfig/hone.pc $(SHARE)/man/man1/hone.1 \
	    $(SHARE)/bash-completion/completions/hone $(SHARE)/zsh/site-functions/_hone
	rm -rf $(DESTDIR)$(PREFIX)/include/hone $(SHARE)/doc/hone $(SHARE)/hone
