/* SPDX-License-Identifier: MIT */
/*
 * Listeners in several epoll sets, and everything a host may do with the registrations.
 *	ct_exclusive SCENARIO
 *
 * Every `trace` line must be the same natively and under the shim. errno is 99 before each call,
 * so that a call that changes it without reason shows. `fact exclusive` is how many registrations
 * the kernel says are EPOLLEXCLUSIVE.
 */
#include "ct.h"

#include <sys/epoll.h>

static struct sockaddr_in address;
static int listener, one, two;
static struct epoll_event events[8];
static int step;

static void trace(const char *what, long value)
{
	int error = errno;

	printf("trace %d %s %ld errno %d\n", ++step, what, value, error);
}

#define T(call)                        \
	do {                           \
		errno = 99;            \
		trace(#call, (call));  \
	} while (0)

static int ctl(int set, int op, int fd, uint32_t mask, uint64_t data)
{
	struct epoll_event event = { .events = mask, .data.u64 = data };

	return epoll_ctl(set, op, fd, &event);
}

#define ADD(set, fd, mask, data) T(ctl(set, EPOLL_CTL_ADD, fd, mask, data))
#define MOD(set, fd, mask, data) T(ctl(set, EPOLL_CTL_MOD, fd, mask, data))
#define DEL(set, fd) T(ctl(set, EPOLL_CTL_DEL, fd, 0, 0))

/* What the kernel has, not what anybody believes. */
static int exclusive_in(int set)
{
	char path[64], line[256];
	int n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", set);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f)) {
		unsigned mask;

		if (sscanf(line, "tfd: %*d events: %x", &mask) == 1)
			n += (mask & EPOLLEXCLUSIVE) != 0;
	}
	if (f)
		fclose(f);
	return n;
}

static void say_exclusive(void)
{
	fact("exclusive", (uint64_t)(exclusive_in(one) + exclusive_in(two)));
}

static void knock(void)
{
	int fd = (int)syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);

	MUST(syscall(SYS_connect, fd, &address, sizeof(address)) == 0);
}

static void look(int set)
{
	int n;

	errno = 99;
	n = epoll_wait(set, events, 8, 100);
	trace("epoll_wait", n);
	if (n > 0)
		printf("trace %d event %x data %llx\n", step, events[0].events,
		       (unsigned long long)events[0].data.u64);
}

static void take(void)
{
	int fd;

	errno = 99;
	fd = accept(listener, NULL, NULL);
	trace("accept", fd >= 0);
	if (fd >= 0)
		MUST(close(fd) == 0);
}

static void prepare(void)
{
	listener = tcp_listener(&address);
	set_nonblocking(listener);
	one = epoll_create1(0);
	two = epoll_create1(0);
	MUST(one >= 0 && two >= 0);
}

/* Both sets, each through an event and an accept: where re-adding is wanted, it has been done. */
static void both(uint32_t mask)
{
	prepare();
	ADD(one, listener, mask, 0x1111111111ull);
	ADD(two, listener, mask, 0x2222222222ull);
	for (int i = 0; i < 2; i++) {
		knock();
		look(one);
		take();
		take();
		look(two);
		knock();
		look(two);
		take();
		look(one);
	}
	say_exclusive();
}

static void host_changes(void)
{
	both(EPOLLIN);
	ADD(one, listener, EPOLLIN, 1);
	MOD(one, listener, EPOLLIN, 3);
	MOD(two, listener, EPOLLIN, 4);
	MOD(one, listener, EPOLLIN, 0xabcdef0123ull);
	MOD(two, listener, EPOLLIN, 0x9876543210ull);
	knock();
	look(one);
	look(two);
	MOD(one, listener, EPOLLIN, 5);
	look(one); /* still waiting: told again, with the new data */
	take();
	T(epoll_ctl(one, EPOLL_CTL_MOD, listener, (void *)8));
	T(epoll_ctl(one, EPOLL_CTL_ADD, listener, (void *)8));
	T(epoll_ctl(one, 77, listener, events));
	MOD(one, listener, EPOLLIN | EPOLLRDHUP, 6);
	MOD(two, listener, EPOLLIN | EPOLLONESHOT, 7);
	knock();
	look(one);
	look(two);
	look(two);
	take();
	MOD(two, listener, EPOLLIN | EPOLLONESHOT, 8);
	knock();
	look(two);
	take();
	MOD(two, listener, EPOLLIN, 9);
	MOD(one, listener, 0, 10);
	knock();
	look(one);
	look(two);
	take();
	MOD(one, listener, EPOLLIN, 11);
	knock();
	look(one);
	look(two);
	take();
	DEL(one, listener);
	DEL(one, listener);
	MOD(one, listener, EPOLLIN, 12);
	knock();
	look(one);
	look(two);
	take();
	ADD(one, listener, EPOLLIN, 13);
	T(epoll_ctl(two, EPOLL_CTL_DEL, listener, NULL));
	T(close(listener));
	DEL(one, listener);
	MOD(one, listener, EPOLLIN, 14);
	look(one);
	look(two);
}

static void wrong_sets(void)
{
	both(EPOLLIN);
	MOD(listener, listener, EPOLLIN, 1);
	MOD(one, one, EPOLLIN, 1);
	MOD(-1, listener, EPOLLIN, 1);
	MOD(1000, listener, EPOLLIN, 1);
	MOD(0, listener, EPOLLIN, 1);
	DEL(listener, listener);
	knock();
	look(one);
	look(two);
}

static void edge(void)
{
	both(EPOLLIN | EPOLLET);
	knock();
	look(one);
	look(one); /* an edge comes once */
	MOD(one, listener, EPOLLIN | EPOLLET, 0x51ull); /* and again when armed anew */
	look(one);
	look(one);
	take();
	MOD(one, listener, EPOLLIN | EPOLLET, 0x52ull); /* nothing there: no edge */
	look(one);
	knock();
	look(two);
	look(one);
	take();
	take();
	DEL(two, listener);
	DEL(one, listener);
}

static void copies(void)
{
	int copy, set;

	both(EPOLLIN);
	copy = dup(listener);
	MUST(copy >= 0);
	ADD(one, copy, EPOLLIN, 0x77ull);
	ADD(two, copy, EPOLLIN, 0x78ull);
	knock();
	look(one);
	take();
	MOD(one, copy, EPOLLIN, 0x79ull);
	MOD(one, listener, EPOLLIN, 0x80ull);
	DEL(one, listener);
	DEL(two, copy);
	knock();
	look(one);
	take();
	set = dup(two); /* the set by another number */
	MUST(set >= 0);
	MOD(set, listener, EPOLLIN, 0x81ull);
	knock();
	look(set);
	take();
	MOD(two, listener, EPOLLIN, 0x82ull);
	DEL(set, listener);
	DEL(two, listener);
	MOD(two, listener, EPOLLIN, 0x82ull);
	DEL(one, copy);
}

static void one_set(void)
{
	prepare();
	ADD(one, listener, EPOLLIN, 1);
	for (int i = 0; i < 100; i++) {
		knock();
		look(one);
		take();
		look(one);
		if (i > 2)
			MUST(close(dup(listener)) == 0);
	}
	MOD(one, listener, EPOLLIN, 2);
	say_exclusive();
	expect("exclusive_adds", 0);
	expect("mods_translated", 0);
	expect("wakeups_passed_on", 0);
	expect("accepts", 100);
	expect("herd_accepts", 0);
}

static void hosts_own(void)
{
	prepare();
	ADD(one, listener, EPOLLIN | EPOLLEXCLUSIVE, 1);
	ADD(two, listener, EPOLLIN | EPOLLEXCLUSIVE, 2);
	knock();
	look(one);
	take();
	MOD(one, listener, EPOLLIN, 3);
	MOD(one, listener, EPOLLIN | EPOLLEXCLUSIVE, 3);
	DEL(one, listener);
	ADD(one, listener, EPOLLIN | EPOLLEXCLUSIVE | EPOLLRDHUP, 3);
	ADD(one, listener, EPOLLIN, 3);
	MOD(one, listener, EPOLLIN, 4);
	knock();
	look(one);
	take();
	expect("exclusive_adds", 0);
	expect("mods_translated", 0);
}

static void fork_after_add(void)
{
	int status;
	pid_t pid;

	both(EPOLLIN);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		/* The sets are the parent's too. */
		MOD(one, listener, EPOLLIN, 0x31);
		DEL(two, listener);
		T(close(listener));
		fflush(stdout);
		_exit(0);
	}
	MUST(waitpid(pid, &status, 0) == pid && status == 0);
	step = 100;
	MOD(two, listener, EPOLLIN, 0x32);
	knock();
	look(one);
	take();
	MOD(one, listener, EPOLLIN, 0x33);
	ADD(two, listener, EPOLLIN, 0x34);
	knock();
	look(one);
	look(two);
	take();
	DEL(one, listener);
	DEL(two, listener);
}

static const struct scenario scenarios[] = {
	SCENARIO(host_changes), SCENARIO(wrong_sets), SCENARIO(edge), SCENARIO(copies),
	SCENARIO(one_set), SCENARIO(hosts_own), SCENARIO(fork_after_add), { NULL, NULL },
};

int main(int argc, char **argv)
{
	return run_scenario(scenarios, argc, argv);
}
