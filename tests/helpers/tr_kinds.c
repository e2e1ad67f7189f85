/* SPDX-License-Identifier: MIT */
/*
 * tr_kinds SCENE: flags for which one more send is not the same as a longer one, and blocking
 * sockets. In each, what natively returns at once must.
 *
 *	zerocopy	MSG_ZEROCOPY: as many completion ids as calls that sent
 *	oob		MSG_OOB: the mark lies where the last call that sent ended
 *	more		MSG_MORE: nothing stays behind
 *	rights		SCM_RIGHTS: each descriptor arrives once
 *	dontwait	MSG_DONTWAIT on a blocking socket
 *	sndtimeo	a blocking socket with SO_SNDTIMEO
 */
#include "tr_call.h"

#include <linux/errqueue.h>
#include <sys/ioctl.h>

static struct door door;
static void blocking(int fd)
{
	MUST(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK) == 0);
}

/* ---- MSG_ZEROCOPY ---------------------------------------------------------------------- */

/* Until as many have come as are wanted (the last with a delayed acknowledgement), and no more. */
static uint32_t completions(int fd, uint32_t wanted)
{
	char control[256];
	struct msghdr message = { .msg_control = control };
	uint32_t seen = 0;

	for (int quiet = 0; quiet < (seen < wanted ? 1000 : 20);) {
		struct cmsghdr *c;

		message.msg_controllen = sizeof(control);
		if (syscall(SYS_recvmsg, fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) {
			quiet++;
			sleep_us(1000);
			continue;
		}
		for (c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
			struct sock_extended_err *e = (void *)CMSG_DATA(c);

			if (e->ee_origin == SO_EE_ORIGIN_ZEROCOPY)
				seen += e->ee_data - e->ee_info + 1;
		}
	}
	return seen;
}

static void play_zerocopy(void)
{
	struct pair p = pair_open(&door, 0);
	size_t at = 0, got = 0;
	uint32_t calls = 0;

	set_int(p.fd, SOL_SOCKET, SO_ZEROCOPY, 1);
	for (int i = 0; i < 12; i++) {
		ssize_t r;

		QUICK(r, op_send(p.fd, at, 300000, MSG_ZEROCOPY));
		if (r < 0 && errno != EAGAIN && errno != ENOBUFS)
			die("send");
		at += r > 0 ? (size_t)r : 0;
		calls += r > 0;
		if (i % 3 == 2)
			while (got < at)
				take(p.peer, &got, NULL);
	}
	while (got < at)
		take(p.peer, &got, NULL);
	fact("calls", calls);
	MUST(completions(p.fd, calls) == calls);
	MUST(close(p.fd) == 0);
}

/* ---- MSG_OOB, MSG_MORE ----------------------------------------------------------------- */

static void play_oob(void)
{
	struct pair p = pair_open(&door, 0);
	size_t at = 0, got = 0, mark = 0;
	int is_at_mark = 0;
	char byte;

	set_int(p.peer, SOL_SOCKET, SO_OOBINLINE, 1);
	for (int i = 0; i < 4; i++) {
		ssize_t r;

		QUICK(r, op_send(p.fd, at, 200000, MSG_OOB));
		at += r > 0 ? (size_t)r : 0;
		mark = r > 0 ? at - 1 : mark;
	}
	/* A read stops at the mark. Byte by byte near it would be slow: whole reads do. */
	while (got < at) {
		MUST(ioctl(p.peer, SIOCATMARK, &is_at_mark) == 0);
		if (is_at_mark && got != mark)
			die("the mark lies at %zu, the last call that sent ended at %zu", got, mark + 1);
		if (syscall(SYS_recvfrom, p.peer, &byte, 1, MSG_PEEK, NULL, NULL) == 1) {
			static unsigned char buffer[65536];
			long n = syscall(SYS_recvfrom, p.peer, buffer, sizeof(buffer), MSG_DONTWAIT, NULL, NULL);

			MUST(n > 0 && !memcmp(buffer, tr_pattern + got, (size_t)n));
			got += (size_t)n;
		}
	}
	MUST(close(p.fd) == 0);
}

static void play_more(void)
{
	struct pair p = pair_open(&door, 0);
	size_t at = 0, got = 0;

	warm(&door, OP_SEND, 200000, MSG_MORE);
	for (int i = 0; i < 30; i++) {
		ssize_t r = op_send(p.fd, at, i % 2 ? 777 : 200000, MSG_MORE);

		MUST(r > 0 || errno == EAGAIN);
		at += r > 0 ? (size_t)r : 0;
		take(p.peer, &got, NULL);
	}
	for (ssize_t r = -1; r < 0;) {
		take(p.peer, &got, NULL);
		r = op_send(p.fd, at, 10, 0);
	}
	at += 10;
	/* Not closed: all must have been pushed. The watchdog ends a wait for what stays behind. */
	while (got < at)
		take(p.peer, &got, NULL);
	MUST(close(p.fd) == 0);
}

/* ---- SCM_RIGHTS ------------------------------------------------------------------------ */

static int rights_in(int peer, size_t *got)
{
	static unsigned char buffer[65536];
	struct iovec iov = { buffer, sizeof(buffer) };
	char control[CMSG_SPACE(8 * sizeof(int))];
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
				  .msg_controllen = sizeof(control) };
	long n = syscall(SYS_recvmsg, peer, &message, MSG_DONTWAIT);
	int fds = 0;

	if (n <= 0)
		return -1;
	MUST(!memcmp(buffer, tr_pattern + *got, (size_t)n));
	*got += (size_t)n;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
		int count = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));

		for (int i = 0; i < count; i++)
			syscall(SYS_close, ((int *)(void *)CMSG_DATA(c))[i]);
		fds += count;
	}
	return fds;
}

static void play_rights(void)
{
	struct pair p = unix_open();
	size_t at = 0, got = 0;
	int sent = 0, received = 0;

	for (int i = 0; i < 20; i++) {
		struct iovec iov = { tr_pattern + at, 100000 };
		char control[CMSG_SPACE(sizeof(int))] = { 0 };
		struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
					  .msg_controllen = sizeof(control) };
		struct cmsghdr *c = CMSG_FIRSTHDR(&message);
		ssize_t r;
		int n;

		c->cmsg_level = SOL_SOCKET, c->cmsg_type = SCM_RIGHTS, c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &p.fd, sizeof(int));
		QUICK(r, sendmsg(p.fd, &message, 0));
		MUST(r > 0 || errno == EAGAIN);
		at += r > 0 ? (size_t)r : 0;
		sent += r > 0;
		for (int k = 0; i % 2 && (n = rights_in(p.peer, &got)) >= 0; k++)
			received += n;
	}
	for (int n; (n = rights_in(p.peer, &got)) >= 0;)
		received += n;
	if (sent != received || at != got)
		die("%d descriptors sent, %d received; %zu bytes, %zu", sent, received, at, got);
	MUST(close(p.fd) == 0);
}

/* ---- blocking sockets ------------------------------------------------------------------ */

static void play_dontwait(void)
{
	struct pair p = pair_open(&door, 0);
	size_t at = 0, got = 0;

	blocking(p.fd);
	warm(&door, OP_SEND, 300000, MSG_DONTWAIT);
	for (int i = 0; i < 8; i++) {
		ssize_t r = op_send(p.fd, at, 300000, MSG_DONTWAIT);

		MUST(r > 0 || errno == EAGAIN);
		at += r > 0 ? (size_t)r : 0;
		while (i == 4 && got < at)
			take(p.peer, &got, NULL);
	}
	MUST(close(p.fd) == 0);
	MUST(take_all(p.peer, got, NULL) == at);
}

static void play_sndtimeo(void)
{
	struct timeval t = { 0, 40000 };

	for (enum op op = 0; op < OPS; op++) {
		struct pair p = pair_open(&door, 0);
		size_t sent = 0;

		blocking(p.fd);
		MUST(setsockopt(p.fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t)) == 0);
		for (int i = 0; i < 2; i++) {
			uint64_t begin = now_ns();
			ssize_t r = op_call(op, p.fd, sent, 1000000, 0);

			if (r <= 0 && errno != EAGAIN)
				die("%s: %zd", op_name[op], r);
			sent += r > 0 ? (size_t)r : 0;
			fact("waited_tenths", tenths_of_ms(begin, now_ns()));
		}
		MUST(close(p.fd) == 0);
		MUST(take_all(p.peer, 0, NULL) == sent);
	}
}

int main(int argc, char **argv)
{
	static const struct scenario scenes[] = {
		{ "zerocopy", play_zerocopy }, { "oob", play_oob },
		{ "more", play_more },	       { "rights", play_rights },
		{ "dontwait", play_dontwait }, { "sndtimeo", play_sndtimeo },
		{ NULL, NULL },
	};

	MUST(argc == 2);
	watchdog(10);
	signal(SIGPIPE, SIG_IGN);
	pattern_make();
	door = door_open(16384);
	MUST(run_scenario(scenes, argc, argv) == 0);
	fact("slowest_tenths", tenths_of_ms(0, slowest_ns));
	return 0;
}
