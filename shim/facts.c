/* SPDX-License-Identifier: MIT */
#include "facts.h"

#include "stats.h"
#include "sys.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

/* The send-lock bit: 1 the host fixed the size, 0 it did not, -errno when it cannot be asked. */
static int ask_lock(int fd, int may_set, int *ret_bits)
{
	static uint8_t is_lock_refused;
	uint32_t *can_unlock = &stats.header->can_unlock;
	int bits = sys_sockopt_int(fd, SOL_SOCKET, SO_BUF_LOCK), r = bits;
	int is_first = !load_relaxed(can_unlock) && may_set;

	*ret_bits = bits;
	/* The first time, what was read is set again: to be allowed to ask is not to be allowed to
	 * unlock, and after a growth it would be too late. Who only observes sets nothing. */
	if (bits >= 0 && is_first)
		r = sys_setsockopt_int(fd, SOL_SOCKET, SO_BUF_LOCK, bits);
	if (sys_is_refusal(r) && r != -ENOPROTOOPT) /* which is an old kernel's right */
		stats_refused(&is_lock_refused);
	if (sys_is_refusal(r))
		store_relaxed(can_unlock, 2);
	else if (r >= 0 && is_first)
		store_relaxed(can_unlock, 1);
	return bits < 0 ? bits : bits & FACTS_SND_LOCK;
}

/* Cumulative times of TCP_INFO become differences since the last look at this socket. */
static void take_times(struct fdrec *rec, const struct tcp_info *info, struct policy_facts *facts)
{
	struct socket_row *row = rec->socket;

	facts->rwnd_limited_us = info->tcpi_rwnd_limited - rec->rwnd_limited_us;
	facts->sndbuf_limited_us = info->tcpi_sndbuf_limited - rec->sndbuf_limited_us;
	facts->busy_us = info->tcpi_busy_time - rec->busy_us;
	row->rwnd_limited_us = rec->rwnd_limited_us = info->tcpi_rwnd_limited;
	row->sndbuf_limited_us = rec->sndbuf_limited_us = info->tcpi_sndbuf_limited;
	row->busy_us = rec->busy_us = info->tcpi_busy_time;
}

int facts_room(int fd, struct policy_facts *facts)
{
	uint32_t memory[9] = { 0 }; /* SK_MEMINFO_* of linux/sock_diag.h */
	unsigned bytes = sizeof(memory);
	int r = sys_getsockopt(fd, SOL_SOCKET, SO_MEMINFO, memory, &bytes);

	facts->sndbuf = memory[3]; /* SK_MEMINFO_SNDBUF */
	/* SK_MEMINFO_WMEM_QUEUED, or ..._ALLOC: unix sockets have no queue of their own */
	facts->queued = memory[facts->is_unix ? 2 : 5];
	return r;
}

void facts_kind(const struct fdrec *rec, struct policy_facts *facts)
{
	facts->is_tcp = rec->socket_kind == SOCKET_KIND_TCP;
	facts->is_unix = rec->socket_kind == SOCKET_KIND_UNIX;
	facts->has_lowat = load_relaxed(&rec->has_lowat);
}

/* Why TCP does not take more. 0 or -errno. */
static int ask_cause(int fd, struct fdrec *rec, struct policy_facts *facts)
{
	struct tcp_info info;
	unsigned bytes = sizeof(info); /* older kernels fill in less: the rest stays 0 */
	int r;

	memset(&info, 0, sizeof(info));
	r = sys_getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &bytes);
	if (r < 0)
		return r;
	facts->unsent = info.tcpi_notsent_bytes;
	/* Linux 4.19; 0 - 0 before. */
	facts->payload = info.tcpi_bytes_sent - info.tcpi_bytes_retrans - info.tcpi_bytes_acked;
	facts->payload = facts->payload <= facts->queued ? facts->payload + facts->unsent : 0;
	take_times(rec, &info, facts);
	return 0;
}

void facts_window(int fd, struct policy_facts *facts)
{
	struct tcp_info info;
	unsigned bytes = sizeof(info);

	memset(&info, 0, sizeof(info)); /* tcpi_snd_wnd is Linux 5.4's: 0 before */
	if (sys_getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &bytes) < 0)
		return;
	facts->peer_window = info.tcpi_snd_wnd;
	facts->segment = info.tcpi_snd_mss;
	facts->min_rtt_us = info.tcpi_min_rtt; /* UINT32_MAX: none yet */
}

void facts_fixed(int fd, const struct fdrec *rec, struct policy_facts *facts, int may_set,
		 int *ret_lock_bits)
{
	/* Before Linux 5.15 only the host's own setsockopt, which we saw, can tell. */
	int locked = ask_lock(fd, may_set, ret_lock_bits);

	facts->is_host_fixed = locked < 0 ? load_relaxed(&rec->is_host_fixed) : (uint8_t)locked;
}

int facts_of_stall(int fd, struct fdrec *rec, struct policy_facts *facts, int may_set,
		   int *ret_lock_bits)
{
	int r;

	facts_kind(rec, facts);
	if (!facts->is_tcp && !facts->is_unix)
		return 0;
	r = facts_room(fd, facts);
	if (r >= 0 && facts->is_tcp)
		r = ask_cause(fd, rec, facts);
	if (r >= 0)
		facts_fixed(fd, rec, facts, may_set, ret_lock_bits);
	return r < 0 ? r : 0;
}
