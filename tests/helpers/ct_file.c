/* SPDX-License-Identifier: MIT */
/* Programs whose statistics file meets with every kind of trouble.   ct_file SCENARIO [ARGUMENT] */
#include "ct.h"

#include <dirent.h>
#include <grp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>

static int pair[2];

static void put(int fd, int times)
{
	for (int i = 0; i < times; i++)
		MUST(write(fd, "0123456789", 10) == 10);
}

static const char *argument; /* of the scenario; NULL: none */

static void open_pair(void)
{
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
}

static void say(const char *text)
{
	puts(text);
	fflush(stdout);
}

static void line(void)
{
	char text[16];

	MUST(fgets(text, sizeof(text), stdin));
}

static void use(void)
{
	open_pair();
	put(pair[0], 10);
	expect("writes", 10);
}

/* Until somebody kills it. */
static void stays(void)
{
	use();
	say("ready");
	for (;;)
		pause();
}

/* Waits for a line, then uses every row of the file there is. */
static void touches(void)
{
	use();
	say("ready");
	line();
	for (int i = 0; i < 5000; i++) {
		open_pair();
		put(pair[0], 1);
		MUST(close(pair[0]) == 0 && close(pair[1]) == 0);
	}
	say("done");
}

/* Gives root away, and its root directory too if one is named; then goes on and forks. */
static void drops(void)
{
	pid_t child;
	int status;

	open_pair();
	put(pair[0], 3);
	if (argument)
		MUST(chroot(argument) == 0 && chdir("/") == 0);
	MUST(setgroups(0, NULL) == 0 && setgid(65534) == 0 && setuid(65534) == 0);
	put(pair[0], 4);
	child = fork();
	if (!child) {
		put(pair[0], 5);
		_exit(0);
	}
	MUST(waitpid(child, &status, 0) == child && status == 0);
	fact("child", (uint64_t)child);
	expect("writes", 7);
}

/* Everything a program can see of its descriptors. */
static void descriptors(void)
{
	DIR *dir;
	struct dirent *entry;
	int listener;
	struct sockaddr_in address;

	printf("open %d\n", open("/dev/null", O_RDONLY));
	listener = tcp_listener(&address);
	printf("listener %d\n", listener);
	tcp_pair_on(listener, &address, 8192, pair);
	printf("pair %d %d\n", pair[0], pair[1]);
	for (int i = 0; i < 100; i++)
		if (send(pair[0], &address, sizeof(address), MSG_NOSIGNAL) < 0)
			break;
	open_pair();
	put(pair[0], 1);
	printf("pair %d %d\n", pair[0], pair[1]);
	if (!fork()) {
		put(pair[0], 1);
		printf("child %d\n", dup(0));
		exit(0);
	}
	wait(NULL);
	printf("dup %d\n", dup(0));
	close(pair[0]);
	printf("open %d\n", open("/dev/null", O_RDONLY));
	dir = opendir("/proc/self/fd");
	MUST(dir);
	while ((entry = readdir(dir)))
		printf("fd %s\n", entry->d_name);
}

/* Signals rain while the file is being made. */
static void nothing(int unused)
{
	(void)unused;
}

static void rain(void)
{
	struct sigaction action = { .sa_handler = nothing, .sa_flags = SA_RESTART };
	struct itimerval often = { { 0, 100 }, { 0, 100 } }, never = { { 0, 0 }, { 0, 0 } };

	MUST(sigaction(SIGALRM, &action, NULL) == 0);
	MUST(setitimer(ITIMER_REAL, &often, NULL) == 0);
	use();
	MUST(setitimer(ITIMER_REAL, &never, NULL) == 0);
}

/* As whom we run, and whether the library is there. */
static void identity(void)
{
	char text[4096];
	FILE *maps = fopen("/proc/self/maps", "r");
	uint64_t is_loaded = 0;

	use();
	while (maps && fgets(text, sizeof(text), maps))
		is_loaded |= strstr(text, "libunspin") || strstr(text, "libpcprofile");
	fact("euid", geteuid());
	fact("uid", getuid());
	fact("is_loaded", is_loaded);
}

/* A server that starts its workers by fork, each with a file of its own. */
static void workers(void)
{
	use();
	for (int i = atoi(argument); i > 0; i--) {
		pid_t child = fork();

		if (!child) {
			put(pair[0], 1);
			_exit(0);
		}
		MUST(waitpid(child, NULL, 0) == child);
	}
}

static const struct scenario scenarios[] = {
	SCENARIO(use), SCENARIO(stays), SCENARIO(touches), SCENARIO(drops), SCENARIO(descriptors),
	SCENARIO(rain), SCENARIO(identity), SCENARIO(workers), { NULL, NULL },
};

int main(int argc, char **argv)
{
	if (argc > 2)
		argument = argv[2];
	return run_scenario(scenarios, argc, argv);
}
