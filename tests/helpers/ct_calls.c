/* SPDX-License-Identifier: MIT */
/*
 * Every function that sends or receives, on every kind of descriptor, and the responses that
 * reads and writes make up.   ct_calls SCENARIO
 */
#include "ct.h"
#include "ct_filter.h"

#include <sys/sendfile.h>
#include <sys/uio.h>

static char block[4096], large[1 << 16];
static int pair[2];
static uint64_t writes; /* every write the scenario made on a stream socket */

static ssize_t put(int fd, const void *from, size_t bytes)
{
	writes++;
	return write(fd, from, bytes);
}

/* ---- responses -------------------------------------------------------------------------- */

static void request(int client, int server)
{
	MUST(syscall(SYS_write, client, "GET", 3) == 3);
	MUST(read(server, large, 100) == 3);
}

/* The bytes between two reads that brought data, however many writes carried them. */
static void responses(void)
{
	static const size_t sizes[] = { 1, 100, 4096, 4096, 100, 20000, 4096, 100, 7 };
	unsigned n = sizeof(sizes) / sizeof(sizes[0]);

	tcp_pair(0, pair);
	for (unsigned i = 0; i < n; i++) {
		request(pair[1], pair[0]);
		for (size_t left = sizes[i]; left;) {
			size_t piece = left > 4096 ? 4096 : left;

			MUST(put(pair[0], large, piece) == (ssize_t)piece);
			left -= piece;
		}
		/* A read that finds nothing does not end a response. */
		MUST(read(pair[0], large, 100) == -1 && errno == EAGAIN);
		drain_now(pair[1]);
	}
	MUST(close(pair[0]) == 0); /* ends the last one */
	expect("responses", n);
	expect("reads", 2 * n);
	expect("read_bytes", 3 * n);
	for (unsigned i = 1; i < n; i++) /* the last eight */
		fact("size", sizes[i]);
}

/* ---- every function that sends, and every kind of descriptor ---------------------------- */

static void functions(void)
{
	struct iovec two[2] = { { block, 10 }, { block, 20 } };
	struct msghdr msg = { .msg_iov = two, .msg_iovlen = 2 };
	struct mmsghdr many[2] = { { .msg_hdr = msg }, { .msg_hdr = msg } };
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9) };
	int file = open("/proc/self/exe", O_RDONLY), pipes[2], udp, packets[2], scrap;

	MUST(pipe(pipes) == 0 && syscall(SYS_write, pipes[1], block, 50) == 50);
	tcp_pair(0, pair);
	MUST(write(pair[0], block, 1) == 1 && send(pair[0], block, 2, 0) == 2);
	MUST(sendto(pair[0], block, 3, 0, NULL, 0) == 3 && writev(pair[0], two, 2) == 30);
	MUST(sendmsg(pair[0], &msg, 0) == 30 && sendmmsg(pair[0], many, 2, 0) == 2);
	MUST(sendfile(pair[0], file, NULL, 40) == 40 && sendfile64(pair[0], file, NULL, 40) == 40);
	MUST(splice(pipes[0], NULL, pair[0], NULL, 50, 0) == 50);
	writes = 9;
	expect("write_bytes", 1 + 2 + 3 + 30 + 30 + 60 + 40 + 40 + 50);
	/* None of these is a stream socket. */
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	udp = socket(AF_INET, SOCK_DGRAM, 0);
	MUST(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, packets) == 0);
	scrap = open("/dev/null", O_WRONLY);
	for (int i = 0; i < 5; i++) {
		MUST(sendto(udp, block, 5, 0, (void *)&to, sizeof(to)) == 5);
		MUST(write(packets[0], block, 5) == 5 && write(scrap, block, 5) == 5);
		MUST(write(pipes[1], block, 5) == 5);
	}
}

ssize_t __read_chk(int, void *, size_t, size_t);
ssize_t __recv_chk(int, void *, size_t, size_t, int);
ssize_t __recvfrom_chk(int, void *, size_t, size_t, int, struct sockaddr *, socklen_t *);

/* Every function that receives, on a stream and, uncounted, on what is none. */
static void receivers(void)
{
	struct iovec one = { large, 4 };
	struct msghdr msg = { .msg_iov = &one, .msg_iovlen = 1 };
	struct mmsghdr many = { .msg_hdr = msg };
	int pipes[2], file = open("/proc/self/exe", O_RDONLY);

	MUST(pipe2(pipes, O_NONBLOCK) == 0);
	tcp_pair(0, pair);
	MUST(syscall(SYS_write, pair[1], large, 50) == 50);
	MUST(read(pair[0], large, 4) == 4 && readv(pair[0], &one, 1) == 4);
	MUST(recv(pair[0], large, 4, 0) == 4 && recvfrom(pair[0], large, 4, 0, NULL, NULL) == 4);
	MUST(recvmsg(pair[0], &msg, 0) == 4 && recvmmsg(pair[0], &many, 1, 0, NULL) == 1);
	MUST(__read_chk(pair[0], large, 4, sizeof(large)) == 4);
	MUST(__recv_chk(pair[0], large, 4, sizeof(large), 0) == 4);
	MUST(__recvfrom_chk(pair[0], large, 4, sizeof(large), 0, NULL, NULL) == 4);
	MUST(splice(pair[0], NULL, pipes[1], NULL, 7, SPLICE_F_NONBLOCK) == 7);
	MUST(read(pipes[0], large, 7) == 7 && read(file, large, 7) == 7);
	expect("reads", 10);
	expect("read_bytes", 9 * 4 + 7);
}

static const struct scenario scenarios[] = {
	SCENARIO(responses), SCENARIO(functions), SCENARIO(receivers), { NULL, NULL },
};

int main(int argc, char **argv)
{
	filter_from_environment();
	if (run_scenario(scenarios, argc, argv))
		return 2;
	expect("writes", writes);
	fact("fd", (uint64_t)pair[0]);
	return 0;
}
