# SPDX-License-Identifier: MIT
# make            build/libunspin.so, build/unspin, build/reactor, test helpers
# make deps       install everything building, testing and the demo need (root or sudo)
# make check      all tests: unit, contract, lab, differential, transparency, wakeups, integration
# make demo       a spinning server and nginx, without and with the shim
# make help       the rest

VERSION := 0.1.0
CC ?= gcc
B := build
PREFIX ?= /usr/local
V ?= 0
Q := $(if $(filter 1,$(V)),,@)

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
	-Wundef $(if $(CI),-Werror)
STD := -std=gnu11 -D_GNU_SOURCE -DUNSPIN_VERSION='"$(VERSION)"'
CFLAGS ?= -O2 -g
FUZZ_SECONDS ?= 60
ALL_CFLAGS = $(STD) $(WARN) -MMD -MP $(CFLAGS)

# Fortify would turn our own read() into __read_chk(); every other reason is in docs/DESIGN.md.
LIB_CFLAGS = $(ALL_CFLAGS) -fPIC -fvisibility=hidden -ftls-model=initial-exec \
	-fasynchronous-unwind-tables -fno-plt -fno-stack-protector -fno-math-errno \
	-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=0
LIB_LDFLAGS = -shared -Wl,-soname,libunspin.so -Wl,-z,now -Wl,-z,relro -Wl,-z,defs \
	-Wl,-z,nodelete -Wl,--as-needed -Wl,--version-script=$(B)/libunspin.map

LIB_SRC := $(wildcard shim/*.c probes/*.c policy/*.c)
TOOL_SRC := $(wildcard tools/*.c) shim/config.c shim/stats_dir.c
REACTOR_SRC := $(wildcard examples/reactor/*.c)
LOAD_SRC := $(wildcard examples/load/*.c)
LAB_SRC := $(wildcard tests/lab/*.c)
# Names instead of numbers for call sites, where elfutils' header is (make deps brings it).
TOOL_DEFS := $(if $(wildcard /usr/include/elfutils/libdwfl.h),-DUNSPIN_HAS_LIBDW)
UNIT_SRC := $(wildcard tests/unit/test_*.c)
HELPER_SRC := $(wildcard tests/helpers/*.c)
BENCH_SRC := $(wildcard tests/bench/*.c tests/bench/wakeups/*.c)
DIFF_SRC := $(wildcard tests/differential/*.c)
HUNT_SRC := $(wildcard tests/wakeups/hunt*.c)

# What programs built in one step depend on beside their sources: any header or table.
HEADERS := $(wildcard shim/*.h shim/*.def probes/*.h policy/*.h policy/*.def tools/*.h tools/*.def \
	tests/unit/*.h tests/helpers/*.h tests/bench/wakeups/*.h examples/*/*.h)

LIB_OBJ := $(LIB_SRC:%.c=$(B)/lib/%.o)
TOOL_OBJ := $(TOOL_SRC:%.c=$(B)/tool/%.o)
REACTOR_OBJ := $(REACTOR_SRC:%.c=$(B)/example/%.o)
LAB_OBJ := $(LAB_SRC:%.c=$(B)/example/%.o)
DIFF_OBJ := $(DIFF_SRC:%.c=$(B)/example/%.o)
HUNT_OBJ := $(HUNT_SRC:%.c=$(B)/example/%.o)
UNIT_BIN := $(UNIT_SRC:tests/unit/%.c=$(B)/unit/%)
LOAD_BIN := $(LOAD_SRC:examples/load/%.c=$(B)/%)
HELPER_BIN := $(HELPER_SRC:tests/helpers/%.c=$(B)/helpers/%)
BENCH_BIN := $(BENCH_SRC:tests/bench/%.c=$(B)/bench/%)

all: $(B)/libunspin.so $(B)/unspin $(B)/reactor $(LOAD_BIN) $(B)/lab $(B)/differential $(B)/hunt $(HELPER_BIN) \
	$(BENCH_BIN)

$(B)/libunspin.so: $(LIB_OBJ) $(B)/libunspin.map
	@echo "  LINK $@"
	$(Q)$(CC) $(CFLAGS) $(LIB_LDFLAGS) $(LDFLAGS) -o $@ $(LIB_OBJ)

# Anonymous on purpose: with a named version node glibc silently does not interpose.
$(B)/libunspin.map: shim/symbols.def shim/version.map.in
	@mkdir -p $(@D)
	$(Q)$(CC) -E -P -x c -Ishim shim/version.map.in -o $@

$(B)/unspin: $(TOOL_OBJ)
	@echo "  LINK $@"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(TOOL_OBJ) -ldl

$(B)/reactor: $(REACTOR_OBJ)
	@echo "  LINK $@"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -pthread -o $@ $(REACTOR_OBJ)

$(B)/lab: $(LAB_OBJ)
	@echo "  LINK $@"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -pthread -o $@ $(LAB_OBJ)

$(B)/differential: $(DIFF_OBJ)
	@echo "  LINK $@"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -pthread -o $@ $(DIFF_OBJ)

$(B)/hunt: $(HUNT_OBJ)
	@echo "  LINK $@"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -pthread -o $@ $(HUNT_OBJ)

$(LOAD_BIN): $(B)/%: examples/load/%.c $(HEADERS)
	@echo "  CC   $@"
	$(Q)mkdir -p $(@D) && $(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $<

$(HELPER_BIN): $(B)/helpers/%: tests/helpers/%.c $(HEADERS)
	@echo "  CC   $@"
	$(Q)mkdir -p $(@D) && $(CC) $(ALL_CFLAGS) -I. $(LDFLAGS) -pthread -o $@ $< -ldl

$(BENCH_BIN): $(B)/bench/%: tests/bench/%.c $(HEADERS)
	@echo "  CC   $@"
	$(Q)mkdir -p $(@D) && $(CC) $(ALL_CFLAGS) -I. $(LDFLAGS) -pthread -o $@ $<

$(B)/lib/%.o: %.c
	@echo "  CC   $<"
	$(Q)mkdir -p $(@D) && $(CC) $(LIB_CFLAGS) -c -o $@ $<

$(B)/tool/%.o: %.c
	@echo "  CC   $<"
	$(Q)mkdir -p $(@D) && $(CC) $(ALL_CFLAGS) $(TOOL_DEFS) -Ishim -I. -c -o $@ $<

$(B)/example/%.o: %.c
	@echo "  CC   $<"
	$(Q)mkdir -p $(@D) && $(CC) $(ALL_CFLAGS) -I. -pthread -c -o $@ $<

# A unit test names the sources it needs in a first-lines comment: /* needs: a.c b.c */
.SECONDEXPANSION:
needs = $(shell sed -n 's|.*needs: *\(.*\) \*/.*|\1|p' tests/unit/$(1).c)
$(B)/unit/%: tests/unit/%.c $$(call needs,$$*) $(HEADERS)
	@echo "  CC   $@"
	$(Q)mkdir -p $(@D) && $(CC) $(ALL_CFLAGS) -I. -Ishim $(LDFLAGS) -o $@ $(filter %.c,$^) -lcmocka

unit: $(UNIT_BIN)

deps:
	$(Q)tests/deps.sh

check: all unit
	$(Q)tests/run.sh unit contract lab differential transparency wakeups integration

check-unit: unit
	$(Q)tests/run.sh unit

check-contract check-integration check-lab check-differential check-transparency check-wakeups: check-%: all
	$(Q)tests/run.sh $*

check-layers:
	$(Q)tests/check_layers.sh

# The same sources under another compiler setting, in a build directory of its own.
check-asan:
	$(Q)$(MAKE) B=build-asan CFLAGS="-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer" \
		unit && B=build-asan tests/run.sh unit

# Four minutes; what it looks at is in tests/tsan/test_tsan.py.
check-tsan:
	$(Q)$(MAKE) B=build-tsan CFLAGS="-O1 -g -fsanitize=thread -Wno-tsan" \
		$(addprefix build-tsan/,libunspin.so reactor timedload differential hunt) && \
		B=build-tsan tests/run.sh tsan

# One of the contract tests, alone. 77: no clang here, it said so.
check-clang: all
	$(Q)B=$(B) tests/contract/test_clang.sh || [ $$? = 77 ]

demo: all
	$(Q)B=$(B) /usr/bin/python3 examples/demo.py

# Recorded in docs/RESULTS.md; on a quiet machine, about 12 minutes.
results: all
	$(Q)B=$(B) tests/bench/record.py cost -- tests/bench/cost.py $(B)
	$(Q)B=$(B) tests/bench/record.py pairs -- tests/bench/pairs.py
	$(Q)B=$(B) tests/bench/record.py growth -- tests/bench/growth.py

# The matrix of docs/RESULTS.md, about an hour; resumable, the report is written after each part.
# PART=named, real or pairs: only that. QUICK=1: a selection in under 10 minutes, reported in build/.
# FIG=11 (1-fig11, tab6, all): the papers' figures instead, all of them in 45 minutes.
bench: all
ifdef FIG
	$(Q)tests/contract/test_bench_papers.py > /dev/null
	$(Q)tests/bench/papers.py --fig $(FIG) $(if $(QUICK),--quick)
else
	$(Q)tests/bench/selftest.py > /dev/null
	$(Q)ret=0; for part in $(or $(PART),named real pairs); do \
		tests/bench/matrix.py --part $$part $(if $(QUICK),--quick) || ret=$$?; \
		[ $$ret -le 1 ] || exit $$ret; \
		tests/bench/matrix.py --report $(if $(QUICK),--quick) || exit $$?; \
	done; exit $$ret
endif

# The wake-up policies in docs/RESULTS.md, about 25 minutes; resumable. QUICK=1: under four
# minutes, reported in build/.
bench-wakeups: all
	$(Q)said=$$(tests/contract/test_bench_wakeups.py cells variants plan verdicts report) || \
		{ echo "$$said"; exit 1; }
	$(Q)ret=0; tests/bench/wakeups/wakeups.py $(if $(QUICK),--quick) || ret=$$?; \
		[ $$ret -le 1 ] || exit $$ret; \
		tests/bench/wakeups/wakeups.py --report $(if $(QUICK),--quick) || exit $$?; exit $$ret

cost: all
	$(Q)tests/bench/cost.py $(B)

docs: $(B)/unspin
	$(Q)$(B)/unspin help config --markdown > docs/CONFIG.md
	$(Q)$(B)/unspin stat --describe --markdown > docs/STATS.md
	$(Q)mkdir -p docs/man && $(B)/unspin help --man > docs/man/unspin.1

format:
	$(Q)clang-format -i $(shell git ls-files '*.c' '*.h')

install: $(B)/libunspin.so $(B)/unspin
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/unspin \
		$(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/doc/unspin
	install -m 755 $(B)/unspin $(DESTDIR)$(PREFIX)/bin/
	install -m 644 $(B)/libunspin.so $(DESTDIR)$(PREFIX)/lib/unspin/
	install -m 644 docs/man/unspin.1 $(DESTDIR)$(PREFIX)/share/man/man1/
	install -m 644 README.md docs/*.md $(DESTDIR)$(PREFIX)/share/doc/unspin/

uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/unspin $(DESTDIR)$(PREFIX)/share/man/man1/unspin.1
	rm -rf $(DESTDIR)$(PREFIX)/lib/unspin $(DESTDIR)$(PREFIX)/share/doc/unspin

clean:
	rm -rf build build-*

help:
	@sed -n '2,7p' Makefile
	@echo "# other targets: check-unit check-contract check-lab check-differential"
	@echo "# check-transparency check-wakeups check-integration check-layers check-asan check-tsan"
	@echo "# check-clang cost bench bench-wakeups soak soak-wakeups soak-readers fuzz docs format"
	@echo "# install uninstall clean; V=1 shows commands"

-include $(LIB_OBJ:.o=.d) $(TOOL_OBJ:.o=.d) $(REACTOR_OBJ:.o=.d) $(LAB_OBJ:.o=.d) $(DIFF_OBJ:.o=.d) $(HUNT_OBJ:.o=.d) $(HELPER_BIN:=.d)

# Ten minutes of random programs in every mode; prints the seed of any difference.
fuzz:
	$(Q)tests/fuzz/run.sh $(B) $(FUZZ_SECONDS)

soak-readers: all
	$(Q)B=$(B) tests/soak/slow_readers.py

soak: all
	$(Q)B=$(B) tests/differential/test_differential.py --minutes 10

# Ten minutes of random wake-up worlds in every mode.
soak-wakeups: all
	$(Q)B=$(B) tests/wakeups/test_hunt.py --minutes 10

.PHONY: all unit deps check check-unit check-contract check-integration check-lab check-layers \
	check-differential check-transparency check-wakeups soak soak-readers soak-wakeups fuzz check-asan check-tsan check-clang demo cost results bench bench-wakeups docs format install uninstall clean help
