/* SPDX-License-Identifier: MIT */
/*
 * Calls every symbol of symbols.def with arguments that fail and that succeed and prints what it
 * returned and what it left in errno. tests/contract/test_errno.py runs it natively and under the
 * shim and compares: not a line may differ, but those of a full socket where the shim may act.
 *
 *	ct_errno raw|known|early|fixed [NAME]
 *
 * raw: the sockets were made by raw system calls, so the shim meets each one for the first time
 * in the call under test; known: by libc's functions; early: as known, but from .preinit_array,
 * before the shim's constructor; fixed: as known, and the full socket's buffer has a size which
 * the host chose. A row of symbols.def without a function case_NAME prints "NAME has no case".
 */
#include "ct_errno.h"
#include "ct_errno_io.h"
#include "ct_errno_wait.h"

/* ---- life ------------------------------------------------------------------------------ */

void case_socket(void)
{
	T("tcp", socket(AF_INET, SOCK_STREAM, 0));
	T("unix", socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
	T("udp", socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0));
	T("packet", socket(AF_UNIX, SOCK_SEQPACKET, 0));
	T("no_family", socket(255, SOCK_STREAM, 0));
	T("no_type", socket(AF_INET, 15, 0));
	T("no_protocol", socket(AF_INET, SOCK_STREAM, IPPROTO_UDP));
}

void case_socketpair(void)
{
	int pair[2] = { -1, -1 };

	T("unix", socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	T("first", pair[0]);
	T("second", pair[1]);
	T("datagrams", socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
	T("tcp", socketpair(AF_INET, SOCK_STREAM, 0, pair));
	T("fault", socketpair(AF_UNIX, SOCK_STREAM, 0, BAD));
}

/* The address buffer ends where the next page is not mapped: only its own bytes may be read. */
static void *at_page_end(size_t bytes)
{
	char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	MUST(pages != MAP_FAILED && munmap(pages + 4096, 4096) == 0);
	return pages + 4096 - bytes;
}

static void dial(void)
{
	int fd = (int)syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);

	MUST(fd >= 0 && syscall(SYS_connect, fd, &address, sizeof(address)) == 0);
}

#define ACCEPTS(CALL)                                                             \
	do {                                                                      \
		struct sockaddr_in6 from;                                         \
		socklen_t size = sizeof(from), *bytes = &size;                    \
		void *peer = &from;                                               \
		int fd = f.listener;                                              \
		T("nobody", CALL);                                                \
		dial(), T("ok", CALL), T("bytes", size);                          \
		size = 4, peer = at_page_end(4), dial(), T("cut", CALL);          \
		T("bytes", size);                                                 \
		size = 0, dial(), T("zero", CALL), T("bytes", size);              \
		bytes = NULL, peer = NULL, dial(), T("no_address", CALL);         \
		dial(), peer = &from, T("no_bytes", CALL);                        \
		bytes = BAD, dial(), T("fault", CALL);                            \
		fd = f.tcp, T("no_listener", CALL);                               \
		fd = f.udp, T("udp", CALL);                                       \
		fd = f.file, T("file", CALL);                                     \
		fd = -1, T("negative", CALL);                                     \
		fd = f.listener, make_blocking(fd);                               \
		while (syscall(SYS_poll, &(struct pollfd){ fd, POLLIN, 0 }, 1, 0)) \
			syscall(SYS_accept, fd, NULL, NULL);                      \
		T_INTERRUPTED(CALL);                              \
	} while (0)

void case_accept(void) { ACCEPTS(accept(fd, peer, bytes)); }
void case_accept4(void)
{
	ACCEPTS(accept4(fd, peer, bytes, SOCK_NONBLOCK));
	T("bad_flags", accept4(f.listener, NULL, NULL, 0x123));
}

#define CONNECTS(NAME)                                                                  \
	do {                                                                            \
		struct sockaddr_in nobody = address;                                    \
		struct sockaddr_un nowhere = { AF_UNIX, "/nonexistent/x" };             \
		int fd = (int)syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);             \
		int local = (int)syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0);          \
		nobody.sin_port = htons(1);                                             \
		T("refused", NAME(fd, (void *)&nobody, sizeof(nobody)));                \
		T("ok", NAME(fd, (void *)&address, sizeof(address)));                   \
		T("connected", NAME(fd, (void *)&address, sizeof(address)));            \
		T("udp", NAME(f.udp, (void *)&address, sizeof(address)));               \
		T("in_progress", NAME(f.fresh, (void *)&address, sizeof(address)));     \
		T("nowhere", NAME(local, (void *)&nowhere, sizeof(nowhere)));           \
		T("fault", NAME(f.tcp, BAD, 16));                                       \
		T("short", NAME(f.tcp, (void *)&address, 1));                           \
		T("file", NAME(f.file, (void *)&address, sizeof(address)));             \
		T("negative", NAME(-1, (void *)&address, sizeof(address)));             \
	} while (0)
void case_connect(void) { CONNECTS(connect); }
void case___connect(void) { CONNECTS(__connect); }

void case_listen(void)
{
	T("ok", listen(f.fresh, 5));
	T("again", listen(f.listener, 5));
	T("connected", listen(f.tcp, 5));
	T("udp", listen(f.udp, 5));
	T("file", listen(f.file, 5));
	T("negative", listen(-1, 5));
}

void case_epoll_create(void)
{
	T("ok", epoll_create(1));
	T("zero", epoll_create(0));
}
void case_epoll_create1(void)
{
	T("ok", epoll_create1(EPOLL_CLOEXEC));
	T("bad_flags", epoll_create1(12345));
}
void case_epoll_ctl(void)
{
	struct epoll_event e = { .events = EPOLLIN, .data.u64 = ~0ull };

	T("add", epoll_ctl(f.epoll, EPOLL_CTL_ADD, f.tcp, &e));
	T("twice", epoll_ctl(f.epoll, EPOLL_CTL_ADD, f.tcp, &e));
	T("mod", epoll_ctl(f.epoll, EPOLL_CTL_MOD, f.tcp, &e));
	T("mod_unknown", epoll_ctl(f.epoll, EPOLL_CTL_MOD, f.full, &e));
	T("add_pipe", epoll_ctl(f.epoll, EPOLL_CTL_ADD, f.pipe_in, &e));
	T("add_file", epoll_ctl(f.epoll, EPOLL_CTL_ADD, f.file, &e));
	T("add_itself", epoll_ctl(f.epoll, EPOLL_CTL_ADD, f.epoll, &e));
	T("fault", epoll_ctl(f.epoll, EPOLL_CTL_ADD, f.udp, BAD));
	T("del_null", epoll_ctl(f.epoll, EPOLL_CTL_DEL, f.tcp, NULL));
	T("del_bad", epoll_ctl(f.epoll, EPOLL_CTL_DEL, f.pipe_in, BAD));
	T("del_again", epoll_ctl(f.epoll, EPOLL_CTL_DEL, f.tcp, &e));
	T("bad_op", epoll_ctl(f.epoll, 77, f.tcp, &e));
	T("no_epoll", epoll_ctl(f.tcp, EPOLL_CTL_ADD, f.udp, &e));
	T("negative", epoll_ctl(-1, EPOLL_CTL_ADD, f.udp, &e));
	T("negative_fd", epoll_ctl(f.epoll, EPOLL_CTL_ADD, -1, &e));
}

#define CLOSES(NAME)                                                    \
	do {                                                            \
		T("tcp", NAME(f.tcp));                                  \
		T("again", NAME(f.tcp));                                \
		T("full", NAME(f.full));                                \
		T("file", NAME(f.file));                                \
		T("epoll", NAME(f.epoll));                              \
		T("negative", NAME(-1));                                \
		T("huge", NAME(1 << 25));                               \
		T("lowest_free", dup(0));                               \
	} while (0)
void case_close(void) { CLOSES(close); }
void case___close(void) { CLOSES(__close); }
void case_close_range(void)
{
	T("cloexec", close_range(3, 40, 4 /* CLOSE_RANGE_CLOEXEC */));
	T("still_open", fcntl(f.tcp, F_GETFD));
	T("bad_flags", close_range(3, 40, 1 << 20));
	T("turned", close_range(40, 3, 0));
	T("some", close_range((unsigned)f.tcp, (unsigned)f.full, 0));
	T("closed", fcntl(f.full, F_GETFD));
	T("all", close_range(3, ~0u, 0));
	T("lowest_free", dup(0));
}
void case_closefrom(void)
{
	T("high", (closefrom(50), 0));
	T("closed", fcntl(f.high, F_GETFD));
	T("open", fcntl(f.tcp, F_GETFD) >= 0);
	T("rest", (closefrom(3), 0));
	T("closed", fcntl(f.tcp, F_GETFD));
}
void case_dup(void)
{
	T("tcp", dup(f.tcp));
	T("file", dup(f.file));
	T("closed", dup(99));
	T("negative", dup(-1));
}
#define DUP2S(CALL)                                                                    \
	do {                                                                           \
		int fd = f.tcp, to = 101;                                              \
		T("new", CALL);                                                        \
		to = f.full, T("over", CALL);                                          \
		T("again", CALL);                                                      \
		to = f.tcp, T("itself", CALL);                                         \
		fd = 99, to = f.tcp, T("closed", CALL);                                \
		T("target_lives", fcntl(f.tcp, F_GETFD));                              \
		to = 99, T("closed_itself", CALL);                                     \
		fd = f.tcp, to = -1, T("negative", CALL);                              \
		to = 1 << 30, T("huge", CALL);                                         \
	} while (0)
void case_dup2(void) { DUP2S(dup2(fd, to)); }
void case___dup2(void) { DUP2S(__dup2(fd, to)); }
void case_dup3(void)
{
	DUP2S(dup3(fd, to, O_CLOEXEC));
	T("bad_flags", dup3(f.tcp, 102, 77));
}
void case_shutdown(void)
{
	T("write", shutdown(f.tcp, SHUT_WR));
	T("both", shutdown(f.tcp, SHUT_RDWR));
	T("not_connected", shutdown(f.fresh, SHUT_WR));
	T("bad_how", shutdown(f.tcp, 77));
	T("listener", shutdown(f.listener, SHUT_RDWR));
	T("file", shutdown(f.file, SHUT_RDWR));
	T("negative", shutdown(-1, SHUT_RDWR));
}
void case_setsockopt(void)
{
	int n = 70000;

	T("sndbuf", setsockopt(f.tcp, SOL_SOCKET, SO_SNDBUF, &n, sizeof(n)));
	T("read_back", get_int(f.tcp, SOL_SOCKET, SO_SNDBUF));
	T("short", setsockopt(f.tcp, SOL_SOCKET, SO_SNDBUF, &n, 1));
	T("fault", setsockopt(f.tcp, SOL_SOCKET, SO_SNDBUF, BAD, sizeof(n)));
	T("null", setsockopt(f.tcp, IPPROTO_TCP, TCP_NOTSENT_LOWAT, NULL, 4));
	T("lowat", setsockopt(f.tcp, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &n, sizeof(n)));
	T("unknown", setsockopt(f.tcp, SOL_SOCKET, 9999, &n, sizeof(n)));
	T("udp", setsockopt(f.udp, SOL_SOCKET, SO_SNDBUF, &n, sizeof(n)));
	T("file", setsockopt(f.file, SOL_SOCKET, SO_SNDBUF, &n, sizeof(n)));
	T("negative", setsockopt(-1, SOL_SOCKET, SO_SNDBUF, &n, sizeof(n)));
}

/* ---- threads --------------------------------------------------------------------------- */

static void *say_errno(void *unused)
{
	(void)unused;
	return (void *)(long)errno; /* a new thread starts with 0 */
}

void case_pthread_create(void)
{
	pthread_attr_t attr;
	pthread_t thread;
	void *value;

	T("ok", pthread_create(&thread, NULL, say_errno, NULL));
	T("join", pthread_join(thread, &value));
	T("value", (long)value);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, (size_t)1 << 46);
	T("no_room", pthread_create(&thread, &attr, say_errno, NULL));
}

/* ---- all of them ----------------------------------------------------------------------- */

static void run(const char *name, void (*one)(void), const char *only)
{
	if (only && strcmp(only, name))
		return;
	current = name;
	if (!one) {
		printf("%s has no case\n", name);
		return;
	}
	make_fixtures();
	one();
	drop_fixtures();
}

static void run_all(const char *how, const char *only)
{
	struct sigaction on = { .sa_handler = on_alarm }; /* no SA_RESTART */
	struct sigaction ignore = { .sa_handler = SIG_IGN };

	is_raw = !strcmp(how, "raw");
	is_fixed = !strcmp(how, "fixed");
	sigaction(SIGALRM, &on, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
	setvbuf(stdout, NULL, _IOFBF, 1 << 20);
#define SYM(class, ret, name, params, args, raw) run(#name, case_##name, only);
#define ALIAS(name, alias) run(#alias, case_##alias, only);
#include "shim/symbols.def"
	fflush(stdout);
}

/* Before the constructor of any library, a preloaded one's included. */
static void run_early(int argc, char **argv, char **environment)
{
	(void)environment;
	if (argc > 1 && !strcmp(argv[1], "early"))
		run_all("known", argc > 2 ? argv[2] : NULL);
}

__attribute__((section(".preinit_array"), used)) static void (*early)(int, char **, char **) =
	run_early;

int main(int argc, char **argv)
{
	MUST(argc > 1);
	if (strcmp(argv[1], "early"))
		run_all(argv[1], argc > 2 ? argv[2] : NULL);
	return 0;
}
