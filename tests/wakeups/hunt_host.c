/* SPDX-License-Identifier: MIT */
/* The host: producers, those who disturb, and the processes and threads of it all. */
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "hunt.h"

struct board *board;

static pid_t thread_id[CONSUMERS_MAX];

uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void pause_us(unsigned us)
{
	struct timespec t = { us / 1000000, (long)(us % 1000000) * 1000 };

	nanosleep(&t, NULL);
}

void lock(uint32_t *word)
{
	while (__atomic_exchange_n(word, 1, __ATOMIC_ACQUIRE))
		pause_us(20);
}

void complain(const char *rule, const char *format, ...)
{
	uint32_t n = __atomic_fetch_add(&board->complaints, 1, __ATOMIC_ACQ_REL);
	char *text, said[160];
	va_list args;

	if (n >= sizeof(board->complaint) / sizeof(board->complaint[0]))
		return;
	va_start(args, format);
	vsnprintf(said, sizeof(said), format, args);
	va_end(args);
	text = board->complaint[n];
	snprintf(text, sizeof(board->complaint[0]), "%s: %s", rule, said);
}

void must_failed(const char *what, const char *file, int line)
{
	complain("must", "%s:%d: %s (errno %d)", file, line, what, errno);
	_exit(3);
}

/* ---- producers -------------------------------------------------------------------------- */

/* Work handed over by a flag alone: a consumer that is told of room again and again finds it. */
static void hand(unsigned c)
{
	add(&board->channel[c].owed, 1);
	add(&board->channel[c].moved, 1);
}

static void pause_between(uint64_t draw)
{
	switch (draw % 8) {
	case 0:
	case 1:
		return;
	case 2:
		pause_us(chance_below(draw, 6000));
		return;
	default:
		pause_us(chance_below(draw, 300));
	}
}

static int is_mine(unsigned c, unsigned producer)
{
	return plan.channel[c].producer == producer;
}

static unsigned left_of(unsigned c)
{
	return plan.channel[c].tokens - get(&board->channel[c].produced);
}

static unsigned all_left(unsigned producer)
{
	unsigned n = 0;

	for (unsigned c = 0; c < plan.channels; c++)
		n += is_mine(c, producer) ? left_of(c) : 0;
	return n;
}

static void produce_some(unsigned c, uint64_t draw)
{
	unsigned n = draw % 4 ? 1 : 1 + chance_below(draw, 8);

	n = n < left_of(c) ? n : left_of(c);
	if (plan.channel[c].kind == LISTENER)
		channel_produce(c, n);
	else
		while (n--)
			channel_produce(c, 1);
	if (plan.channel[c].is_handed && draw % 3 == 0)
		hand(c);
	if (plan.channel[c].answer != NONE && draw % 5 == 0)
		channel_await_answers(c);
}

void produce(unsigned producer)
{
	uint64_t cursor = chance(plan.seed, 2000 + producer);

	while (all_left(producer)) {
		unsigned c = chance_below(chance_next(&cursor), plan.channels);

		if (!is_mine(c, producer) || !left_of(c))
			continue;
		produce_some(c, chance_next(&cursor));
		pause_between(chance_next(&cursor));
	}
	for (unsigned c = 0; c < plan.channels; c++)
		if (is_mine(c, producer) && plan.channel[c].answer != NONE)
			channel_await_answers(c);
}

/* ---- those who disturb ------------------------------------------------------------------ */

void churn(void)
{
	uint64_t cursor = chance(plan.seed, 3000);

	while (!get(&board->is_over)) {
		unsigned set = chance_below(chance_next(&cursor), plan.sets);

		if (plan.set[set].owner < 0 && plan.regs)
			reg_churn(set, chance_next(&cursor));
		pause_us(chance_below(chance_next(&cursor), 1000));
	}
}

static void interrupted(int unused)
{
	(void)unused;
}

void disturb(void)
{
	uint64_t cursor = chance(plan.seed, 4000);

	while (!get(&board->is_over)) {
		pid_t id = thread_id[chance_below(chance_next(&cursor), plan.consumers)];

		if (id)
			syscall(SYS_tgkill, getpid(), id, SIGUSR1);
		pause_us(100 + chance_below(chance_next(&cursor), 2000));
	}
}

/* ---- processes and threads -------------------------------------------------------------- */

static void *consumer_thread(void *number)
{
	thread_id[(uintptr_t)number] = (pid_t)syscall(SYS_gettid);
	consume((unsigned)(uintptr_t)number);
	thread_id[(uintptr_t)number] = 0;
	return NULL;
}

static void *producer_thread(void *number)
{
	produce((unsigned)(uintptr_t)number);
	return NULL;
}

static void *churner_thread(void *unused)
{
	churn();
	return unused;
}

static void *disturber_thread(void *unused)
{
	disturb();
	return unused;
}

static pthread_t threads[CONSUMERS_MAX + PRODUCERS_MAX + 2];
static unsigned thread_count;

static void start(void *(*function)(void *), unsigned number)
{
	MUST(pthread_create(&threads[thread_count++], NULL, function, (void *)(uintptr_t)number) ==
	     0);
}

static unsigned fork_processes(void)
{
	unsigned n = 0;

	for (unsigned c = 0; c < plan.consumers; c++) {
		if (!plan.consumer[c].is_process)
			continue;
		n++;
		if (fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			sets_make((int)c);
			consume(c);
			_exit(0);
		}
	}
	for (unsigned p = 0; p < plan.producers; p++) {
		if (!plan.is_process[p])
			continue;
		n++;
		if (fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			produce(p);
			_exit(0);
		}
	}
	return n;
}

static int is_all_done(void)
{
	for (unsigned c = 0; c < plan.channels; c++)
		if (get(&board->channel[c].consumed) < plan.channel[c].tokens ||
		    get(&board->channel[c].acked) < get(&board->channel[c].owed))
			return 0;
	for (unsigned p = 0; p < plan.producers; p++)
		if (all_left(p))
			return 0;
	return 1;
}

static void start_threads(void)
{
	for (unsigned c = 0; c < plan.consumers; c++)
		if (!plan.consumer[c].is_process)
			start(consumer_thread, c);
	for (unsigned p = 0; p < plan.producers; p++)
		if (!plan.is_process[p])
			start(producer_thread, p);
	if (plan.has_churner)
		start(churner_thread, 0);
	if (plan.has_signals)
		start(disturber_thread, 0);
}

void host_main(uint64_t seed)
{
	struct sigaction action = { .sa_handler = interrupted };
	uint64_t one = 1;
	unsigned children;
	sigset_t signals;
	int status;

	board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED, BOARD_FD, 0);
	if (board == MAP_FAILED)
		_exit(98);
	plan_make(seed);
	sigemptyset(&signals);
	sigaddset(&signals, SIGRTMIN);
	/* Ignored by default, but not while pthread_create blocks all: then it interrupts another
	 * thread's wait. */
	sigaddset(&signals, SIGCHLD);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	sigaction(SIGUSR1, &action, NULL);
	channels_make();
	sets_make(-1);
	children = fork_processes();
	start_threads();
	while (!is_all_done())
		pause_us(300);
	pause_us(plan.quiet_ms * 1000u);
	put(&board->is_over, 1);
	MUST(write(bell, &one, sizeof(one)) == sizeof(one));
	for (unsigned t = 0; t < thread_count; t++)
		pthread_join(threads[t], NULL);
	for (; children; children--) {
		MUST(wait(&status) > 0);
		if (status)
			complain("child", "status %#x", status);
	}
	exit(0);
}
