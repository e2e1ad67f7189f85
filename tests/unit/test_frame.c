/* SPDX-License-Identifier: MIT */
/* needs: shim/frame.c */
/*
 * The oracle is libgcc's unwinder: what we find must be the beginning of what it finds, and all
 * of it where only ordinary frames are.
 */
#include "unit.h"

#include "shim/frame.h"
#include "tests/helpers/plain.h"

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unwind.h>

#if defined(__x86_64__)

#define FRAMES 64

static int (*find_object)(void *, struct frame_object *);
static uintptr_t ours[FRAMES], truth[FRAMES];
static unsigned our_count, true_count;

static _Unwind_Reason_Code note(struct _Unwind_Context *context, void *unused)
{
	(void)unused;
	if (true_count == FRAMES || !_Unwind_GetIP(context)) /* beyond the first function it is 0 */
		return _URC_END_OF_STACK;
	truth[true_count++] = _Unwind_GetIP(context);
	return _URC_NO_REASON;
}

PLAIN static int walk(void)
{
	const uintptr_t *words = __builtin_frame_address(0);
	struct frame frame = { words[1], (uintptr_t)(words + 2), words[0] };
	struct frame_object object;

	our_count = true_count = 0;
	do
		ours[our_count++] = frame.pc;
	while (our_count < FRAMES && find_object((void *)frame.pc, &object) == 0 &&
	       frame_up(&frame, frame_rule(frame.pc, &object)));
	_Unwind_Backtrace(note, NULL);
	return 1;
}

/* How many addresses of the truth we found, from walk()'s caller on; fails where they differ. */
static unsigned agreed(void)
{
	unsigned skip = 0;

	while (skip < true_count && truth[skip] != ours[0])
		skip++;
	assert_true(skip < true_count);
	for (unsigned i = 0; i < our_count && skip + i < true_count; i++)
		assert_int_equal(ours[i], truth[skip + i]);
	return true_count - skip;
}

PLAIN static int plain(int n)
{
	int r = n ? plain(n - 1) : walk();

	STAY;
	return r;
}

PLAIN static int large(void)
{
	volatile char room[100000];
	int r;

	room[0] = 1;
	r = plain(1) + room[0];
	STAY;
	return r;
}

PLAIN static int variable(unsigned n)
{
	volatile char *room = __builtin_alloca(n);
	int r;

	room[0] = 1;
	r = plain(2) + room[0];
	STAY;
	return r;
}

/* To ask for its frame's address is what makes either compiler give it a frame pointer. */
PLAIN static int pointed(void)
{
	const void *volatile own = __builtin_frame_address(0);
	int r = variable(777) + variable(33);

	STAY;
	return own ? r : 0;
}

static int compare(const void *a, const void *b)
{
	(void)a;
	(void)b;
	pointed();
	return 0;
}

static void ordinary_frames_are_all_found(void **unused)
{
	int pair[2] = { 1, 2 };

	(void)unused;
	plain(10);
	assert_true(our_count >= agreed());
	large();
	assert_true(our_count >= agreed());
	pointed();
	assert_true(our_count >= agreed());
	qsort(pair, 2, sizeof(pair[0]), compare); /* through libc's frames */
	assert_true(our_count >= agreed());
}

static void *thread_body(void *unused)
{
	plain(2);
	return unused;
}

static void a_thread_ends_at_its_first_function(void **unused)
{
	pthread_t thread;

	(void)unused;
	assert_int_equal(pthread_create(&thread, NULL, thread_body, NULL), 0);
	pthread_join(thread, NULL);
	assert_true(our_count >= agreed());
	assert_true(our_count < 12); /* observed: 6 */
}

static ucontext_t outside, inside;

static void coroutine(void)
{
	plain(1);
}

/* Its stack ends where nothing is mapped: a step too far would be seen. */
static void a_coroutine_ends_at_its_first_function(void **unused)
{
	size_t page = 65536;
	char *stack = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			   0);

	(void)unused;
	assert_true(stack != MAP_FAILED);
	assert_int_equal(mprotect(stack + page, page, PROT_NONE), 0);
	assert_int_equal(getcontext(&inside), 0);
	inside.uc_stack.ss_sp = stack;
	inside.uc_stack.ss_size = page;
	inside.uc_link = &outside;
	makecontext(&inside, coroutine, 0);
	assert_int_equal(swapcontext(&outside, &inside), 0);
	agreed();
	assert_in_range(our_count, 3, 4);
	munmap(stack, 2 * page);
}

static void handle(int number)
{
	(void)number;
	plain(1);
}

static void the_frame_of_a_signal_ends_the_walk(void **unused)
{
	(void)unused;
	signal(SIGUSR1, handle);
	raise(SIGUSR1);
	agreed();
	assert_in_range(our_count, 2, 5);
	signal(SIGUSR1, SIG_DFL);
}

PLAIN static int realigned(unsigned n)
{
	_Alignas(256) volatile char room[256];
	volatile char *more = __builtin_alloca(n);
	int r;

	more[0] = room[n % 256] = 1;
	r = plain(0) + room[0];
	STAY;
	return r;
}

static void a_realigned_stack_ends_or_is_right(void **unused)
{
	(void)unused;
	realigned(100);
	agreed();
	assert_true(our_count >= 2);
}

/* A code address that nothing called: a coroutine's last return address. */
static void the_first_byte_of_a_function_is_no_return_address(void **unused)
{
	struct frame_object object;
	uintptr_t pc = (uintptr_t)plain;

	(void)unused;
	assert_int_equal(find_object((void *)pc, &object), 0);
	assert_int_equal(frame_rule(pc, &object).base, FRAME_END);
	assert_int_not_equal(frame_rule(pc + 1, &object).base, FRAME_END);
}

/* ---- frame information of our own making ----------------------------------------------- */

struct image { /* header, one CIE, one FDE for [code, code + 64), and the code itself */
	uint8_t header[12], row[8];
	uint8_t cie[24];
	uint8_t fde[17 + 64 + 3];
	uint8_t code[64];
};

static void put4(uint8_t *at, int64_t value)
{
	for (int i = 0; i < 4; i++)
		at[i] = (uint8_t)(value >> 8 * i);
}

static void build(struct image *m, const uint8_t *program, size_t n)
{
	static const uint8_t cie[24] = { 20, 0, 0, 0, 0, 0, 0, 0, 1, 'z', 'R', 0, 1, 0x78, 16, 1,
					 0x1b, 0x0c, 7, 8, 0x90, 1 };

	memset(m, 0, sizeof(*m));
	memcpy(m->header, (uint8_t[]){ 1, 0x1b, 0x03, 0x3b, 0, 0, 0, 0, 1 }, 9);
	put4(m->row, m->code - m->header);
	put4(m->row + 4, m->fde - m->header);
	memcpy(m->cie, cie, sizeof(cie));
	put4(m->fde, sizeof(m->fde) - 4);
	put4(m->fde + 4, m->fde + 4 - m->cie);
	put4(m->fde + 8, m->code - (m->fde + 8));
	put4(m->fde + 12, sizeof(m->code));
	memcpy(m->fde + 17, program, n);
}

static struct frame_rule rule_at(struct image *m, unsigned offset)
{
	struct frame_object object = { .map_start = m, .map_end = m + 1, .eh_frame_hdr = m->header };

	return frame_rule((uintptr_t)m->code + offset, &object);
}

static void check_rule(struct frame_rule rule, unsigned base, int cfa, int bp)
{
	assert_int_equal(rule.base, base);
	if (base == FRAME_END)
		return;
	assert_int_equal(rule.cfa, cfa);
	assert_int_equal(rule.bp, bp);
}

static void programs_are_followed_to_the_row_of_the_call(void **unused)
{
	/* push %rbp; mov; ...; remember, leave, restore; expression */
	static const uint8_t program[] = { 0x41, 0x0e, 16, 0x86, 2, 0x43, 0x0d, 6, 0x02, 20, 0x0a,
					   0xc6, 0x0c, 7, 8, 0x41, 0x0b, 0x03, 10, 0, 0x2e, 8, 0x0f, 2,
					   0x77, 8 };
	struct image m;

	(void)unused;
	build(&m, program, sizeof(program));
	check_rule(rule_at(&m, 1), FRAME_SP, 8, FRAME_BP_KEPT); /* the call ends before the row */
	check_rule(rule_at(&m, 2), FRAME_SP, 16, -16);
	check_rule(rule_at(&m, 5), FRAME_BP, 16, -16);
	check_rule(rule_at(&m, 24), FRAME_BP, 16, -16);
	check_rule(rule_at(&m, 25), FRAME_SP, 8, FRAME_BP_KEPT);
	check_rule(rule_at(&m, 26), FRAME_BP, 16, -16);
	check_rule(rule_at(&m, 36), FRAME_END, 0, 0);
	check_rule(rule_at(&m, 64), FRAME_END, 0, 0);
	check_rule(rule_at(&m, 65), FRAME_END, 0, 0); /* beyond the function */
}

static void what_is_not_understood_ends(void **unused)
{
	static const struct {
		uint8_t program[8];
		unsigned base;
		int bp;
	} rows[] = {
		{ { 0x07, 16 }, FRAME_END, 0 },		       /* undefined return address */
		{ { 0x90, 2 }, FRAME_END, 0 },		       /* kept elsewhere */
		{ { 0x09, 16, 3 }, FRAME_END, 0 },	       /* kept in a register */
		{ { 0x0d, 3 }, FRAME_END, 0 },		       /* CFA by another register */
		{ { 0x0b }, FRAME_END, 0 },		       /* restore without remember */
		{ { 0x0a, 0x0a, 0x0a, 0x0a, 0x0a }, FRAME_END, 0 },
		{ { 0x3f }, FRAME_END, 0 },
		{ { 0x10, 6, 1, 0x70 }, FRAME_SP, FRAME_BP_LOST }, /* rbp by expression */
		{ { 0x11, 6, 2 }, FRAME_SP, -16 },
		{ { 0x05, 6, 3 }, FRAME_SP, -24 },
		{ { 0x08, 6 }, FRAME_SP, FRAME_BP_KEPT },
		{ { 0x86, 2, 0x06, 6 }, FRAME_SP, FRAME_BP_KEPT },
	};
	struct image m;

	(void)unused;
	for (unsigned i = 0; i < COUNT_OF(rows); i++) {
		build(&m, rows[i].program, sizeof(rows[i].program));
		check_rule(rule_at(&m, 30), rows[i].base, 8, rows[i].bp);
	}
}

/* Found by tests/fuzz/fuzz_frame.c: a word read askew, a product beyond 64 bits. */
static void offsets_no_compiler_makes_are_no_rule(void **unused)
{
	static const uint8_t askew[] = { 0x86, 17 };
	static const uint8_t wide[] = { 0x86, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f };
	static const uint8_t far[] = { 0x13, 0xff, 0xff, 0xff, 0xff, 0x80, 0xff, 0xff, 0xff, 0x3f };
	struct image m;

	(void)unused;
	build(&m, askew, sizeof(askew));
	m.cie[13] = 0x7f; /* alignment -1, so the return address is 8 of it below */
	m.cie[21] = 8;
	check_rule(rule_at(&m, 30), FRAME_SP, 8, FRAME_BP_LOST);
	m.fde[18] = 24;
	check_rule(rule_at(&m, 30), FRAME_SP, 8, -24);
	build(&m, wide, sizeof(wide));
	check_rule(rule_at(&m, 30), FRAME_SP, 8, FRAME_BP_LOST);
	build(&m, far, sizeof(far));
	check_rule(rule_at(&m, 30), FRAME_END, 0, 0);
}

/* Nothing beyond the mapping is read, whatever the bytes say (make check-asan sees it). */
static void garbage_is_survived(void **unused)
{
	static const uint8_t program[] = { 0x41, 0x0e, 16, 0x86, 2, 0x43, 0x0d, 6, 0x0f, 2, 0x77 };
	struct image *m = malloc(sizeof(*m));
	uint64_t x = 88172645463325252ull;
	unsigned found = 0;

	(void)unused;
	for (int i = 0; i < 200000; i++) {
		build(m, program, sizeof(program));
		for (int k = 0; k < 1 + i % 4; k++) {
			x ^= x << 13, x ^= x >> 7, x ^= x << 17; /* xorshift64 */
			((uint8_t *)m)[x % (sizeof(*m) - 64)] = (uint8_t)(x >> 32);
		}
		found += rule_at(m, 1 + i % 64).base != FRAME_END;
	}
	free(m);
	assert_in_range(found, 1000, 199000);
}

static void a_step_is_upwards_and_not_far(void **unused)
{
	uintptr_t stack[4] = { 1, 2, 3, 4 }, here = (uintptr_t)stack;
	struct frame frame = { 9, here, 0 };

	(void)unused;
	assert_false(frame_up(&frame, (struct frame_rule){ 8, 0, FRAME_BP })); /* rbp is 0 */
	assert_false(frame_up(&frame, (struct frame_rule){ 0, 0, FRAME_SP }));
	assert_false(frame_up(&frame, (struct frame_rule){ -8, 0, FRAME_SP }));
	assert_false(frame_up(&frame, (struct frame_rule){ 12, 0, FRAME_SP }));
	assert_false(frame_up(&frame, (struct frame_rule){ 1 << 20, 0, FRAME_SP }));
	assert_false(frame_up(&frame, (struct frame_rule){ 8, 0, FRAME_END }));
	assert_int_equal(frame.pc, 9);
	assert_true(frame_up(&frame, (struct frame_rule){ 16, -16, FRAME_SP }));
	assert_int_equal(frame.pc, 2);
	assert_int_equal(frame.bp, 1);
	assert_int_equal(frame.sp, here + 16);
	assert_true(frame_up(&frame, (struct frame_rule){ 8, -16, FRAME_SP }));
	assert_int_equal(frame.bp, 0); /* said to be kept below our own frame */
	assert_int_equal(frame.pc, 3);
}

int main(void)
{
	const struct CMUnitTest needs_glibc_2_35[] = {
		cmocka_unit_test(ordinary_frames_are_all_found),
		cmocka_unit_test(a_thread_ends_at_its_first_function),
		cmocka_unit_test(a_coroutine_ends_at_its_first_function),
		cmocka_unit_test(the_frame_of_a_signal_ends_the_walk),
		cmocka_unit_test(a_realigned_stack_ends_or_is_right),
		cmocka_unit_test(the_first_byte_of_a_function_is_no_return_address),
	};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(programs_are_followed_to_the_row_of_the_call),
		cmocka_unit_test(what_is_not_understood_ends),
		cmocka_unit_test(offsets_no_compiler_makes_are_no_rule),
		cmocka_unit_test(garbage_is_survived),
		cmocka_unit_test(a_step_is_upwards_and_not_far),
	};
	void *found = dlsym(RTLD_DEFAULT, "_dl_find_object");
	int failed = 0;

	find_object = (int (*)(void *, struct frame_object *))found;
	if (find_object)
		failed = cmocka_run_group_tests(needs_glibc_2_35, NULL, NULL);
	return failed + cmocka_run_group_tests(tests, NULL, NULL);
}

#else

static void no_walk_leaves_the_first_frame(void **unused)
{
	struct frame frame = { 1, 2, 3 };

	(void)unused;
	assert_false(frame_up(&frame, frame_rule(1, NULL)));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(no_walk_leaves_the_first_frame) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
