/* SPDX-License-Identifier: MIT */
/* Part of ct_errno.c: the cases of the classes WRITE and READ. */
#ifndef UNSPIN_TESTS_CT_ERRNO_IO_H
#define UNSPIN_TESTS_CT_ERRNO_IO_H

#include "ct_errno.h"

/* ---- output ---------------------------------------------------------------------------- */

/*
 * CALL is an expression of fd, p and n; every send-side function gets the same treatment. Three
 * refusals in a row are what the shim calls spinning.
 */
#define WRITES(CALL)                                                                     \
	do {                                                                             \
		int fd = f.tcp;                                                          \
		const void *p = "0123456789";                                            \
		size_t n = 10;                                                           \
		T("ok", CALL);                                                           \
		T("ok_again", CALL);                                                     \
		n = 0, T("nothing", CALL), n = 10;                                       \
		p = BAD, T("fault", CALL), p = buffer;                                   \
		fd = f.full, T("full", CALL);                                            \
		T("full_again", CALL);                                                   \
		T("full_still", CALL);                                                   \
		fd = f.reset, T("reset", CALL);                                          \
		T("after_reset", CALL);                                                  \
		fd = f.fresh, T("not_connected", CALL);                                  \
		fd = f.listener, T("listener", CALL);                                    \
		fd = f.unix_end, n = sizeof(buffer), T("unix", CALL), n = 10;            \
		fd = f.udp, T("udp", CALL);                                              \
		fd = f.pipe_out, T("pipe", CALL);                                        \
		fd = f.file, T("file", CALL);                                            \
		fd = f.epoll, T("epoll", CALL);                                          \
		fd = -1, T("negative", CALL);                                            \
		fd = 99, T("closed", CALL);                                              \
		fd = 1 << 25, T("huge", CALL);                                           \
		fd = f.tcp, shutdown(fd, SHUT_WR), T("shut", CALL);                      \
	} while (0)

#define IOV (&(struct iovec){ (void *)p, n })
#define MSG (&(struct msghdr){ .msg_iov = IOV, .msg_iovlen = 1 })
#define MMSG (&(struct mmsghdr){ .msg_hdr = *MSG })

void case_write(void) { WRITES(write(fd, p, n)); }
void case___write(void) { WRITES(__write(fd, p, n)); }
void case_writev(void)
{
	WRITES(writev(fd, IOV, 1));
	T("bad_vector", writev(f.unix_end, BAD, 1));
	T("negative_count", writev(f.unix_end, BAD, minus_one));
	T("zero_count", writev(f.unix_end, BAD, 0));
}
void case_send(void)
{
	WRITES(send(fd, p, n, 0));
	T("flags", send(f.unix_end, "x", 1, MSG_DONTWAIT | MSG_NOSIGNAL));
	T("oob", send(f.peer, "x", 1, MSG_OOB));
}
void case___send(void) { WRITES(__send(fd, p, n, 0)); }
void case_sendto(void)
{
	WRITES(sendto(fd, p, n, 0, NULL, 0));
	T("udp_to", sendto(f.udp, "x", 1, 0, (void *)&address, sizeof(address)));
	T("bad_address", sendto(f.udp, "x", 1, 0, BAD, sizeof(address)));
}
void case_sendmsg(void)
{
	struct msghdr broken = { .msg_iov = BAD, .msg_iovlen = 3 };
	struct msghdr empty = { .msg_iov = BAD, .msg_iovlen = 0 };

	WRITES(sendmsg(fd, MSG, 0));
	T("no_message", sendmsg(f.unix_end, BAD, 0));
	T("broken_vector", sendmsg(f.unix_end, &broken, 0));
	T("empty_vector", sendmsg(f.unix_end, &empty, 0));
}
void case_sendmmsg(void)
{
	WRITES(sendmmsg(fd, MMSG, 1, 0));
	T("no_messages", sendmmsg(f.unix_end, BAD, 0, 0));
	T("bad_messages", sendmmsg(f.unix_end, BAD, 2, 0));
}

/* Source of sendfile is the file: the pipe as source must fail alike. */
#define SENDFILES(NAME, OFF)                                                             \
	do {                                                                             \
		OFF offset = 0;                                                          \
		T("ok", NAME(f.tcp, f.file, NULL, 100));                                 \
		T("offset", NAME(f.tcp, f.file, &offset, 100));                          \
		T("moved", offset);                                                      \
		offset = 4000, T("short_of_file", NAME(f.tcp, f.file, &offset, 1000));   \
		offset = 9000, T("past_end", NAME(f.tcp, f.file, &offset, 10));          \
		T("nothing", NAME(f.tcp, f.file, NULL, 0));                              \
		T("bad_offset", NAME(f.tcp, f.file, BAD, 10));                           \
		offset = 0, T("full", NAME(f.full, f.file, &offset, 100));               \
		offset = 0, T("full_again", NAME(f.full, f.file, &offset, 100));         \
		offset = 0, T("full_still", NAME(f.full, f.file, &offset, 100));         \
		T("reset", NAME(f.reset, f.file, &offset, 100));                         \
		T("from_socket", NAME(f.tcp, f.unix_end, NULL, 10));                     \
		T("to_file", NAME(f.file, f.file, &offset, 10));                         \
		T("to_pipe", NAME(f.pipe_out, f.file, &offset, 10));                     \
		T("bad_out", NAME(-1, f.file, NULL, 10));                                \
		T("bad_in", NAME(f.tcp, -1, NULL, 10));                                  \
	} while (0)
void case_sendfile(void) { SENDFILES(sendfile, off_t); }
void case_sendfile64(void) { SENDFILES(sendfile64, off64_t); }

void case_splice(void)
{
	T("empty_pipe", splice(f.pipe_in, NULL, f.tcp, NULL, 10, SPLICE_F_NONBLOCK));
	feed(f.pipe_out, "0123456789");
	T("ok", splice(f.pipe_in, NULL, f.tcp, NULL, 4, SPLICE_F_NONBLOCK));
	T("short_of_pipe", splice(f.pipe_in, NULL, f.tcp, NULL, 100, SPLICE_F_NONBLOCK));
	feed(f.pipe_out, "0123456789");
	T("full", splice(f.pipe_in, NULL, f.full, NULL, 10, SPLICE_F_NONBLOCK));
	T("full_again", splice(f.pipe_in, NULL, f.full, NULL, 10, SPLICE_F_NONBLOCK));
	feed(f.pipe_out, "0123456789"); /* the next needs some, whether or not that went */
	T("reset", splice(f.pipe_in, NULL, f.reset, NULL, 10, SPLICE_F_NONBLOCK));
	T("no_pipe", splice(f.file, NULL, f.tcp, NULL, 10, 0));
	T("no_data", splice(f.unix_end, NULL, f.pipe_out, NULL, 10, SPLICE_F_NONBLOCK));
	feed(f.unix_peer, "abc");
	T("from_socket", splice(f.unix_end, NULL, f.pipe_out, NULL, 10, SPLICE_F_NONBLOCK));
	T("bad_in", splice(-1, NULL, f.tcp, NULL, 10, 0));
	T("bad_out", splice(f.pipe_in, NULL, -1, NULL, 10, 0));
}

/* ---- input ----------------------------------------------------------------------------- */

#define READS(CALL)                                                                      \
	do {                                                                             \
		int fd = f.tcp;                                                          \
		void *p = buffer;                                                        \
		size_t n = 10;                                                           \
		T("empty", CALL);                                                        \
		feed(f.peer, "0123456789ab");                                            \
		T("ok", CALL);                                                           \
		T("rest", CALL);                                                         \
		feed(f.peer, "0123456789ab");                                            \
		p = BAD, T("fault", CALL), p = buffer;                                   \
		n = 0, T("nothing", CALL), n = 10;                                       \
		fd = f.reset, T("reset", CALL);                                          \
		T("after_reset", CALL);                                                  \
		fd = f.fresh, T("not_connected", CALL);                                  \
		fd = f.listener, T("listener", CALL);                                    \
		fd = f.udp, T("udp", CALL);                                              \
		fd = f.pipe_in, T("pipe", CALL);                                         \
		fd = f.file, T("file", CALL);                                            \
		fd = -1, T("negative", CALL);                                            \
		fd = 99, T("closed", CALL);                                              \
		fd = f.unix_end, make_blocking(fd), T_INTERRUPTED(CALL); \
		shutdown(f.unix_peer, SHUT_WR), T("end", CALL);                          \
	} while (0)

void case_read(void) { READS(read(fd, p, n)); }
void case___read(void) { READS(__read(fd, p, n)); }
void case_readv(void)
{
	READS(readv(fd, IOV, 1));
	T("bad_vector", readv(f.unix_end, BAD, 1));
	T("negative_count", readv(f.unix_end, BAD, minus_one));
}
void case_recv(void)
{
	READS(recv(fd, p, n, 0));
	feed(f.peer, "x");
	T("peek", recv(f.tcp, buffer, 1, MSG_PEEK));
	T("error_queue", recv(f.tcp, buffer, 1, MSG_ERRQUEUE));
}
void case_recvfrom(void)
{
	struct sockaddr_in from;
	socklen_t bytes = sizeof(from);

	READS(recvfrom(fd, p, n, 0, NULL, NULL));
	feed(f.peer, "x");
	T("from", recvfrom(f.tcp, buffer, 1, 0, (void *)&from, &bytes));
	T("from_bytes", bytes);
	T("bad_from", recvfrom(f.tcp, buffer, 1, 0, BAD, BAD));
}
void case_recvmsg(void)
{
	READS(recvmsg(fd, MSG, 0));
	T("no_message", recvmsg(f.unix_end, BAD, 0));
}
void case_recvmmsg(void)
{
	struct timespec none = { 0, 0 };

	READS(recvmmsg(fd, MMSG, 1, 0, NULL));
	T("no_messages", recvmmsg(f.tcp, BAD, 0, 0, NULL));
	T("bad_messages", recvmmsg(f.tcp, BAD, 2, 0, &none));
}
void case___read_chk(void) { READS(__read_chk(fd, p, n, sizeof(buffer))); }
void case___recv_chk(void) { READS(__recv_chk(fd, p, n, sizeof(buffer), 0)); }
void case___recvfrom_chk(void)
{
	READS(__recvfrom_chk(fd, p, n, sizeof(buffer), 0, NULL, NULL));
}

#endif
