/* SPDX-License-Identifier: MIT */
/* Deterministic cases of what no library may retry: zero-copy, urgent data, control messages,
 * files that end, pipes that are empty. */
#include <fcntl.h>
#include <linux/errqueue.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "call.h"
#include "chance.h"
#include "exact.h"
#include "pattern.h"

#ifndef MSG_ZEROCOPY
#define MSG_ZEROCOPY 0x4000000
#define SO_ZEROCOPY  60
#endif

/* Completions that have come: how many sends they answer for. */
static uint32_t completions(int fd)
{
	union {
		struct cmsghdr head;
		char room[256];
	} ancillary;
	uint32_t count = 0;

	for (;;) {
		struct msghdr m = { .msg_control = &ancillary,
				    .msg_controllen = sizeof(ancillary) };
		struct sock_extended_err e;

		if (syscall(SYS_recvmsg, fd, &m, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
			return count;
		memcpy(&e, CMSG_DATA(&ancillary.head), sizeof(e));
		count += e.ee_data - e.ee_info + 1;
	}
}

/* Every successful call is answered by one completion: one call more, and the host reuses a
 * buffer that is still being sent. */
static void case_zerocopy(uint64_t draw)
{
	uint32_t sends = 0, stalls = 0, answered = 0;
	uint64_t sent = 0;
	struct ends e;
	int on = 1;

	exact_tcp(&e, 1);
	if (DO("SO_ZEROCOPY", setsockopt(e.near, SOL_SOCKET, SO_ZEROCOPY, &on, sizeof(on))) == 0) {
		while (stalls < 4) {
			ssize_t r = send(e.near, pattern(5, sent), 20000 + draw % 5000,
					 MSG_ZEROCOPY | MSG_NOSIGNAL);

			stalls += r < 0;
			sends += r > 0;
			sent += r > 0 ? (uint64_t)r : 0;
			if (r < 0 && errno != EAGAIN && errno != ENOBUFS)
				violate("zerocopy", "errno %d", errno);
		}
		trace("all %d\n", exact_far_drain(&e, sent) == sent);
		for (int n = 0; n < 200 && answered < sends; n++) {
			answered += completions(e.near);
			usleep(500);
		}
		if (answered != sends)
			violate("zerocopy", "%u sends, %u completions", sends, answered);
	}
	exact_close(&e, draw);
}

static void case_urgent(uint64_t draw)
{
	char buf[16] = "";
	struct ends e;

	exact_tcp(&e, draw & 1 ? 1 : 0);
	DO("send", send(e.near, "abc", 3, 0));
	DO("send urgent", send(e.near, "!", 1, MSG_OOB));
	DO("send", send(e.near, "def", 3, 0));
	usleep(1000);
	DO("recv urgent", syscall(SYS_recvfrom, e.far, buf, sizeof(buf), MSG_OOB, NULL, NULL));
	trace("urgent %d arrived %llu\n", buf[0] == '!',
	      (unsigned long long)exact_far_drain(&e, 6));
	exact_close(&e, draw);
}

/* A descriptor passed arrives once, with the first byte, however full the socket was. */
static void case_rights(uint64_t draw)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} ancillary = { .head = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
	struct iovec data = { (void *)pattern(1, 0), 1000 };
	struct msghdr m = { .msg_iov = &data,
			    .msg_iovlen = 1,
			    .msg_control = &ancillary,
			    .msg_controllen = sizeof(ancillary) };
	char buf[2000];
	struct iovec into = { buf, sizeof(buf) };
	struct msghdr got = { .msg_iov = &into,
			      .msg_iovlen = 1,
			      .msg_control = &ancillary,
			      .msg_controllen = sizeof(ancillary) };
	struct ends e;
	int zero = 0, fd;

	exact_pair(&e, SOCK_STREAM);
	memcpy(CMSG_DATA(&ancillary.head), &zero, sizeof(zero));
	DO("sendmsg", sendmsg(e.near, &m, MSG_DONTWAIT));
	DO("recvmsg", syscall(SYS_recvmsg, e.far, &got, 0));
	memcpy(&fd, CMSG_DATA(&ancillary.head), sizeof(fd));
	trace("descriptor %d of %zu\n", fd, (size_t)got.msg_controllen);
	got.msg_controllen = sizeof(ancillary);
	DO("recvmsg", syscall(SYS_recvmsg, e.far, &got, MSG_DONTWAIT));
	call_close(fd, draw);
	exact_close(&e, draw);
}

/* The file gets shorter while its rest waits for room: what is left, then the end, no error. */
static void case_shrink(uint64_t draw)
{
	int file = memfd_create("shrink", MFD_CLOEXEC);
	off_t at = 0, size = 4000000;
	uint64_t sent = 0;
	struct ends e;

	MUST(file >= 0 && ftruncate(file, size) == 0);
	exact_tcp(&e, 1);
	for (uint32_t stalls = chance_range(draw, 1, 6); stalls;) {
		ssize_t r = sendfile(e.near, file, &at, (size_t)size);

		sent += r > 0 ? (uint64_t)r : 0;
		stalls -= r < 0;
		if (r == 0)
			break;
	}
	trace("place %d\n", (uint64_t)at == sent);
	if (at + 5000 < size)
		MUST(ftruncate(file, at + 5000) == 0);
	else
		at = size - 5000;
	trace("all %d\n", exact_far_drain(&e, sent) == sent);
	for (int n = 0; n < 3; n++)
		DO("sendfile", sendfile(e.near, file, &at, (size_t)size));
	trace("arrived %llu\n", (unsigned long long)exact_far_drain(&e, 5000));
	close(file);
	exact_close(&e, draw);
}

/* An empty pipe is no full socket: waiting for the socket would wait for nothing. */
static void case_empty_pipe(uint64_t draw)
{
	uint64_t begin = now_ns();
	struct ends e, p;

	exact_tcp(&e, 1);
	exact_pipe(&p);
	for (int n = 0; n < 20; n++)
		DO("splice empty", splice(p.far, NULL, e.near, NULL, 1000, SPLICE_F_NONBLOCK));
	if (now_ns() - begin > 1000000000)
		violate("held", "20 splices from an empty pipe took %llu ms",
			(unsigned long long)(now_ns() - begin) / 1000000);
	MUST(syscall(SYS_write, p.near, "12345", 5) == 5);
	DO("splice", splice(p.far, NULL, e.near, NULL, 1000, SPLICE_F_NONBLOCK));
	call_close(p.near, draw);
	DO("splice ended", splice(p.far, NULL, e.near, NULL, 1000, 0));
	trace("arrived %llu\n", (unsigned long long)exact_far_drain(&e, 5));
	close(p.far);
	exact_close(&e, draw >> 4);
}

/* A blocking socket with a timeout stalls too; then it may say EAGAIN, and not before its time. */
static void case_timeout(uint64_t draw)
{
	struct timeval t = { 0, 30000 };
	uint64_t begin, sent = 0;
	struct ends e;
	ssize_t r;

	exact_tcp(&e, 0);
	DO("SO_SNDTIMEO", setsockopt(e.near, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t)));
	do {
		begin = now_ns();
		r = send(e.near, pattern(3, 0), 1000000, MSG_NOSIGNAL);
		sent += r > 0 ? (uint64_t)r : 0;
	} while (r > 0);
	trace("timed out %s %d\n", strerrorname_np(errno), now_ns() - begin > 25000000);
	trace("all %d\n", exact_far_drain(&e, sent) == sent);
	exact_close(&e, draw);
}

const struct exact_case exact_special_cases[] = {
	{ "zerocopy", case_zerocopy },	   { "urgent", case_urgent },
	{ "rights", case_rights },	   { "shrink", case_shrink },
	{ "empty-pipe", case_empty_pipe }, { "timeout", case_timeout },
};
const uint32_t exact_special_count = sizeof(exact_special_cases) / sizeof(*exact_special_cases);
