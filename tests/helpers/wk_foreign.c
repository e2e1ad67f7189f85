/* SPDX-License-Identifier: MIT */
/*
 * Registrations that do not come by the library, and ones that only look so.
 *	wk_foreign SCENARIO
 * Says `fact set N`, the number of the set that is (or is not) to be found out.
 */
#include "ct.h"

#include <linux/io_uring.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#define LOOK_MS 300 /* thrice what the library waits for a note that may be late */
#define FOREIGN 0xf0e1d2c3b4a59687ull

static int set, pair[2];
static struct epoll_event events[64];

static void add_as(int epfd, int fd, uint32_t mask, uint64_t data)
{
	struct epoll_event event = { .events = mask, .data.u64 = data };

	MUST(epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &event) == 0);
}

static int bell(void)
{
	int fd = eventfd(1, EFD_NONBLOCK);

	MUST(fd >= 0);
	return fd;
}

static void wait_for_a_while(int epfd)
{
	uint64_t end = now_ns() + LOOK_MS * 1000000ull;

	while (now_ns() < end) {
		MUST(epoll_wait(epfd, events, 64, 5) >= 0);
		sleep_us(500);
	}
}

/* ---- foreign ones ----------------------------------------------------------------------- */

/* One IORING_OP_EPOLL_CTL by a ring of one entry. Exit 77: no io_uring here. */
static void add_by_io_uring(int epfd, int fd, uint64_t data)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = data };
	struct io_uring_params p = { 0 };
	int ring = (int)syscall(SYS_io_uring_setup, 1, &p);
	char *sq;
	struct io_uring_sqe *sqe;
	const struct io_uring_cqe *cqe;

	if (ring < 0 || !(p.features & IORING_FEAT_SINGLE_MMAP)) {
		puts("fact no_io_uring 1");
		exit(77);
	}
	sq = mmap(NULL, p.cq_off.cqes + p.cq_entries * sizeof(*cqe) + 4096, PROT_READ | PROT_WRITE,
		  MAP_SHARED, ring, IORING_OFF_SQ_RING);
	sqe = mmap(NULL, p.sq_entries * sizeof(*sqe), PROT_READ | PROT_WRITE, MAP_SHARED, ring,
		   IORING_OFF_SQES);
	MUST(sq != MAP_FAILED && sqe != MAP_FAILED);
	*sqe = (struct io_uring_sqe){ .opcode = IORING_OP_EPOLL_CTL,
				      .fd = epfd,
				      .len = EPOLL_CTL_ADD,
				      .off = (uint64_t)fd,
				      .addr = (uint64_t)(uintptr_t)&event };
	((unsigned *)(sq + p.sq_off.array))[0] = 0;
	__atomic_store_n((unsigned *)(sq + p.sq_off.tail), 1, __ATOMIC_RELEASE);
	MUST(syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) == 1);
	cqe = (const struct io_uring_cqe *)(sq + p.cq_off.cqes);
	if (cqe->res == -EINVAL || cqe->res == -EOPNOTSUPP) {
		puts("fact no_io_uring 1");
		exit(77);
	}
	MUST(cqe->res == 0);
	close(ring);
}

static void io_uring(void)
{
	add_by_io_uring(set, bell(), FOREIGN);
	wait_for_a_while(set);
}

static void raw(void)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = FOREIGN };

	MUST(syscall(SYS_epoll_ctl, set, EPOLL_CTL_ADD, bell(), &event) == 0);
	wait_for_a_while(set);
}

/* Its data is a small number, as most hosts' is, but of no descriptor registered here. */
static void raw_by_number(void)
{
	int fd = bell();
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

	MUST(syscall(SYS_epoll_ctl, set, EPOLL_CTL_ADD, fd, &event) == 0);
	wait_for_a_while(set);
}

/* Another process that shares the set registers something. */
static void by_the_child(void)
{
	int fd = bell();
	pid_t child = fork();

	if (!child) {
		add_as(set, fd, EPOLLIN, FOREIGN);
		_exit(0);
	}
	MUST(waitpid(child, NULL, 0) == child);
	wait_for_a_while(set);
}

/*
 * Is what is polled idly stretched, is a listener in two sets made exclusive in the one that is
 * waited for? In a foreign set neither may be.
 */
static void treat(int is_foreign)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = FOREIGN };
	struct sockaddr_in address;
	int fd = bell(), listener, other = epoll_create1(0);
	uint64_t end;

	MUST((is_foreign ? syscall(SYS_epoll_ctl, set, EPOLL_CTL_ADD, fd, &event)
			 : epoll_ctl(set, EPOLL_CTL_ADD, fd, &event)) == 0);
	wait_for_a_while(set);
	MUST(epoll_ctl(set, EPOLL_CTL_DEL, fd, &event) == 0);
	listener = tcp_listener(&address);
	add_as(other, listener, EPOLLIN, (uint64_t)listener);
	add_as(set, listener, EPOLLIN, (uint64_t)listener); /* the second: this one is treated */
	end = now_ns() + LOOK_MS * 1000000ull;
	while (now_ns() < end)
		MUST(epoll_wait(set, events, 64, 0) == 0);
}

static void treated(void)
{
	treat(0);
}

static void left_alone(void)
{
	treat(1);
}

/* ---- ones that only look so ------------------------------------------------------------- */

/* One descriptor in two sets: the record knows the latter. */
static void two_sets(void)
{
	int fd = bell(), other = epoll_create1(0);

	add_as(set, fd, EPOLLIN, (uint64_t)fd);
	add_as(other, fd, EPOLLIN, FOREIGN);
	wait_for_a_while(set);
	wait_for_a_while(other);
}

/* The registration lives on in a duplicate, its number is somebody else's. */
static void outlived(void)
{
	int fd = bell(), kept = dup(fd), next;

	add_as(set, fd, EPOLLIN, FOREIGN);
	MUST(close(fd) == 0);
	next = bell();
	MUST(next == fd && kept >= 0);
	add_as(set, next, EPOLLIN, FOREIGN + 1);
	wait_for_a_while(set);
}

/* Closed by a raw call, unregistered or not, and another descriptor gets the number. */
static void closed_unseen(void)
{
	for (int i = 0; i < 50; i++) {
		int fd = bell(), kept = (int)syscall(SYS_dup, fd);

		add_as(set, fd, EPOLLIN, (uint64_t)(uintptr_t)&events[i]);
		if (i % 2)
			MUST(epoll_ctl(set, EPOLL_CTL_DEL, fd, NULL) == 0);
		syscall(SYS_close, fd);
		MUST(epoll_wait(set, events, 64, 0) >= 0);
		if (i % 3)
			syscall(SYS_close, kept);
	}
	wait_for_a_while(set);
}

/* Thousands with pointers for data, as many again after them, in one set: the map's entries are
 * overwritten, its places are shared. */
#define MANY 4000

static void many(void)
{
	static char place[2][MANY][96];
	static int fd[MANY];

	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < MANY; i++) {
			fd[i] = bell();
			add_as(set, fd[i], EPOLLIN, (uint64_t)(uintptr_t)place[round][i]);
			MUST(epoll_wait(set, events, 64, 0) > 0);
		}
		wait_for_a_while(set);
		for (int i = 0; i < MANY; i++)
			MUST(round ? close(fd[i]) == 0 : syscall(SYS_close, fd[i]) == 0);
	}
}

/*
 * Another thread registers what is ready at once, and is interrupted whenever it returns from the
 * kernel: for milliseconds events overtake the note of their registration.
 */
#define INTERRUPTED 2000

static volatile pid_t registering;
static uint32_t is_held;

static void hold(int unused)
{
	(void)unused;
	sleep_us(2000);
	__atomic_store_n(&is_held, 0, __ATOMIC_RELEASE);
}

static void *register_all(void *unused)
{
	registering = (pid_t)syscall(SYS_gettid);
	sleep_us(5000); /* the others are at work by then */
	for (int i = 0; i < INTERRUPTED; i++) {
		int fd = bell();

		add_as(set, fd, EPOLLIN, FOREIGN + (uint64_t)i);
		if (i % 2)
			syscall(SYS_close, fd);
		else
			close(fd);
	}
	registering = -1;
	return unused;
}

/* Again some moments after the last: soon enough to hit one of its calls, late enough to let it. */
static void *interrupt_it(void *unused)
{
	for (unsigned n = 0; registering >= 0; n++) {
		uint64_t end = now_ns() + 1000 + n * 7919 % 10000;

		while (now_ns() < end)
			;
		if (registering <= 0)
			continue;
		__atomic_store_n(&is_held, 1, __ATOMIC_RELEASE);
		syscall(SYS_tgkill, getpid(), registering, SIGUSR1);
		while (registering > 0 && __atomic_load_n(&is_held, __ATOMIC_ACQUIRE))
			sleep_us(100);
	}
	return unused;
}

static void other_thread(void)
{
	struct sigaction action = { .sa_handler = hold, .sa_flags = SA_RESTART };
	pthread_t thread, other;

	MUST(sigaction(SIGUSR1, &action, NULL) == 0);
	MUST(pthread_create(&thread, NULL, register_all, NULL) == 0);
	MUST(pthread_create(&other, NULL, interrupt_it, NULL) == 0);
	while (pthread_tryjoin_np(thread, NULL))
		MUST(epoll_wait(set, events, 64, 1) >= 0);
	MUST(pthread_join(other, NULL) == 0);
	wait_for_a_while(set);
}

/* Inherited over fork: the child knows what the parent had registered. */
static void inherited(void)
{
	int status;
	pid_t child;

	add_as(set, bell(), EPOLLIN, FOREIGN);
	child = fork();
	if (!child) {
		wait_for_a_while(set);
		exit(0);
	}
	fact("child", (uint64_t)child);
	MUST(waitpid(child, &status, 0) == child && status == 0);
}

#define S(name)                                                                                    \
	{                                                                                          \
#name, name                                                                        \
	}
static const struct {
	const char *name;
	void (*run)(void);
} scenarios[] = { S(io_uring),	    S(raw),	   S(raw_by_number), S(by_the_child),
		  S(treated),	    S(left_alone), S(two_sets),	     S(outlived),
		  S(closed_unseen), S(many),	   S(other_thread),  S(inherited) };

int main(int argc, char **argv)
{
	MUST(argc == 2);
	tcp_pair(0, pair);
	set = epoll_create1(0);
	fact("set", (uint64_t)set);
	fflush(stdout);
	for (unsigned i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++)
		if (!strcmp(scenarios[i].name, argv[1]))
			scenarios[i].run();
	return 0;
}
