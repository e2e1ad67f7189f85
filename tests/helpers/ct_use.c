/* SPDX-License-Identifier: MIT */
/*
 * A bit of everything a server does, checked byte for byte by itself: accept, answers larger
 * than the buffers, stalls and waits, a thread, a forked worker, close. Says nothing unless asked
 * to, so that every byte on its stdout and stderr is the library's.
 *
 *	ct_use [say] [wait]
 *
 * say: prints what the shim must have counted; wait: ends only after a line on stdin.
 */
#include "ct.h"

#include <sys/epoll.h>

#define ANSWER (3u << 20)

static uint64_t writes, bytes_written;

static uint8_t byte_at(size_t n)
{
	return (uint8_t)(n * 2654435761u >> 24);
}

/* The client: reads slowly, checks each byte. */
static void *read_answer(void *argument)
{
	static uint8_t buffer[1 << 16];
	int fd = *(int *)argument;
	size_t got = 0;

	while (got < ANSWER) {
		long n = syscall(SYS_recvfrom, fd, buffer, sizeof(buffer), 0, NULL, NULL);

		MUST(n > 0);
		for (long i = 0; i < n; i++)
			MUST(buffer[i] == byte_at(got + (size_t)i));
		got += (size_t)n;
		sleep_us(200);
	}
	return NULL;
}

static void send_answer(int fd)
{
	static uint8_t answer[ANSWER];
	struct epoll_event event = { .events = EPOLLOUT, .data.fd = fd };
	int epfd = epoll_create1(EPOLL_CLOEXEC);
	size_t sent = 0;

	for (size_t i = 0; i < ANSWER; i++)
		answer[i] = byte_at(i);
	MUST(epfd >= 0 && epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &event) == 0);
	while (sent < ANSWER) {
		ssize_t n = write(fd, answer + sent, ANSWER - sent);

		writes++;
		if (n < 0) {
			MUST(errno == EAGAIN);
			MUST(epoll_wait(epfd, &event, 1, 10000) == 1);
			continue;
		}
		sent += (size_t)n;
		bytes_written += (uint64_t)n;
	}
	MUST(close(epfd) == 0);
}

static void *small_writes(void *argument)
{
	for (int i = 0; i < 5; i++)
		MUST(send(*(int *)argument, "hello", 5, MSG_NOSIGNAL) == 5);
	return NULL;
}

static void forked(int fd)
{
	int status;
	pid_t child = fork();

	MUST(child >= 0);
	if (!child) {
		MUST(write(fd, "child", 5) == 5);
		_exit(0);
	}
	MUST(waitpid(child, &status, 0) == child && status == 0);
}

int main(int argc, char **argv)
{
	int pair[2], local[2], does_say = 0, does_wait = 0;
	pthread_t thread;
	char line[16];

	for (int i = 1; i < argc; i++) {
		does_say |= !strcmp(argv[i], "say");
		does_wait |= !strcmp(argv[i], "wait");
	}
	tcp_pair(65536, pair);
	set_int(pair[0], SOL_SOCKET, SO_SNDBUF, 65536); /* loopback's own would hold the answer */
	MUST(pthread_create(&thread, NULL, read_answer, &pair[1]) == 0);
	send_answer(pair[0]);
	pthread_join(thread, NULL);
	unix_pair(local);
	MUST(pthread_create(&thread, NULL, small_writes, &local[0]) == 0);
	pthread_join(thread, NULL);
	forked(local[0]);
	MUST(recv(local[1], line, sizeof(line), MSG_PEEK) == sizeof(line));
	MUST(close(pair[0]) == 0 && close(pair[1]) == 0 && close(local[0]) == 0);
	if (does_say) {
		expect("writes", writes + 5);
		expect("write_bytes", bytes_written + 25);
		expect("accepts", 1);
		expect("threads_started", 2);
		expect("threads_ended", 2);
		fflush(stdout);
	}
	if (does_wait)
		MUST(fgets(line, sizeof(line), stdin));
	return 0;
}
