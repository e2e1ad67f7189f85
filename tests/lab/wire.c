/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE 1
#include "wire.h"
#include "lab.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>

/* A slot takes an Ethernet frame of MTU 1500 and some 80 bytes of header; must divide a block. */
#define SLOT_BYTES  2048u
#define BLOCK_BYTES 65536u

/* Room for a full RTT at 200 000 packets/s, and for 80 ms in which the scheduler forgets us. */
#define SLOTS_SPARE 16384u
#define US_PER_SLOT 5u

/* Frames per system call: enough that the call is a small part of what sending them takes. */
#define BATCH 64

/* A wait of QUIET_NS means a quiet line; only there is it fair to spin, for MAX_LEAD_NS at most. */
#define QUIET_NS    200000
#define MAX_LEAD_NS 50000

#define NS_PER_S 1000000000LL

static int64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

static void bind_to(int fd, const char *device, uint16_t protocol)
{
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(protocol),
		.sll_ifindex = (int)if_nametoindex(device),
	};

	if (bind(fd, (struct sockaddr *)&address, sizeof(address)))
		lab_fail("packet socket on %s: %s", device, strerror(errno));
}

/* Protocol 0: the socket hears nothing until it is bound to one. */
static int open_packet(void)
{
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (fd < 0)
		lab_fail("no packet socket: %s", strerror(errno));
	return fd;
}

static void map_ring(struct wire *wire, long rtt_us)
{
	size_t slots = SLOTS_SPARE + (size_t)rtt_us / US_PER_SLOT;
	size_t blocks = (slots * SLOT_BYTES + BLOCK_BYTES - 1) / BLOCK_BYTES;
	struct tpacket_req request = {
		.tp_block_size = BLOCK_BYTES,
		.tp_block_nr = (unsigned)blocks,
		.tp_frame_size = SLOT_BYTES,
		.tp_frame_nr = (unsigned)(blocks * (BLOCK_BYTES / SLOT_BYTES)),
	};
	int version = TPACKET_V2, fd = wire->rx_fd;

	if (setsockopt(fd, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)) ||
	    setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &request, sizeof(request)))
		lab_fail("no packet ring: %s", strerror(errno));
	wire->ring = mmap(NULL, blocks * BLOCK_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (wire->ring == MAP_FAILED)
		lab_fail("packet ring of %zu bytes: %s", blocks * BLOCK_BYTES, strerror(errno));
	wire->slots = request.tp_frame_nr;
}

void wire_open(struct wire *wire, const char *rx_device, const char *tx_device, long rtt_us)
{
	wire->delay_ns = rtt_us * 1000LL;
	wire->tx_fd = open_packet();
	bind_to(wire->tx_fd, tx_device, 0);
	wire->rx_fd = open_packet();
	map_ring(wire, rtt_us);
	/* IPv4 only: neighbours are permanent, so whatever else is sent is not for the server. */
	bind_to(wire->rx_fd, rx_device, ETH_P_IP);
}

static struct tpacket2_hdr *slot_at(const struct wire *wire, size_t index)
{
	return (struct tpacket2_hdr *)(wire->ring + index % wire->slots * SLOT_BYTES);
}

static bool is_filled(const struct tpacket2_hdr *slot)
{
	/* Acquire pairs with the kernel's barrier between filling a slot and giving it to us. */
	return __atomic_load_n(&slot->tp_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER;
}

/* Time until a frame is due; 0 or less: now. */
static int64_t wait_ns(const struct wire *wire, const struct tpacket2_hdr *slot, int64_t now)
{
	int64_t wait = slot->tp_sec * NS_PER_S + slot->tp_nsec + wire->delay_ns - now;

	/* Stamps are wall-clock time. If that was set back meanwhile, do not sleep for hours. */
	return wait < wire->delay_ns ? wait : wire->delay_ns;
}

static void sleep_until(int64_t due)
{
	struct timespec until = { .tv_sec = due / NS_PER_S, .tv_nsec = due % NS_PER_S };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
		;
}

/*
 * Sleep, but be punctual. An idle CPU wakes 20 to 60 us late (VM, 6.18), 2 to 6 % of an RTT of 1
 * ms. So get up earlier by what wake-ups are late anyway, and spin for what is left. `lead` follows
 * the smallest lateness, down at once and up slowly, which keeps the spin short. Where frames
 * follow each other closely the CPU is needed elsewhere (spinning there took 7 % of one): then just
 * sleep, wake-ups of a busy machine are prompt.
 */
static void wait_punctually(int64_t duration, int64_t *lead)
{
	int64_t due = clock_ns(CLOCK_MONOTONIC) + duration;
	int64_t late;

	if (duration < QUIET_NS) {
		sleep_until(due);
		return;
	}
	sleep_until(due - *lead);
	late = clock_ns(CLOCK_MONOTONIC) - (due - *lead);
	*lead += late < *lead ? late - *lead : (late - *lead) / 16;
	if (*lead > MAX_LEAD_NS)
		*lead = MAX_LEAD_NS;
	while (clock_ns(CLOCK_MONOTONIC) < due)
		;
}

/* Collect the frames that are due, starting at `head`. Returns how many. */
static unsigned gather_due(const struct wire *wire, size_t head, struct iovec *frames)
{
	int64_t now = clock_ns(CLOCK_REALTIME);
	unsigned count = 0;

	while (count < BATCH) {
		struct tpacket2_hdr *slot = slot_at(wire, head + count);

		if (!is_filled(slot) || wait_ns(wire, slot, now) > 0)
			break;
		frames[count].iov_base = (uint8_t *)slot + slot->tp_mac;
		frames[count].iov_len = slot->tp_snaplen;
		count++;
	}
	return count;
}

static void send_frames(const struct wire *wire, struct iovec *frames, unsigned count)
{
	struct mmsghdr messages[BATCH];
	unsigned sent = 0;
	int ret;

	memset(messages, 0, sizeof(messages));
	for (unsigned i = 0; i < count; i++) {
		messages[i].msg_hdr.msg_iov = &frames[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	while (sent < count) {
		ret = sendmmsg(wire->tx_fd, messages + sent, count - sent, 0);
		if (ret > 0)
			sent += (unsigned)ret;
		else if (errno == ENOBUFS) /* the peer's backlog is full: thousands of connections at once */
			nanosleep(&(struct timespec){ .tv_nsec = 50000 }, NULL);
		else if (errno != EINTR)
			lab_fail("the delay line cannot send: %s", strerror(errno));
	}
}

/*
 * What netem does happens in a softirq, before any process gets the CPU. The nearest a process can
 * come to that is the lowest real-time priority; only ACK processing runs under it. Not allowed in
 * a user namespace: then the delay is as good as the fair scheduler's wake-ups.
 */
static void ask_for_precision(void)
{
	struct sched_param lowest = { .sched_priority = 1 };

	sched_setscheduler(0, SCHED_FIFO, &lowest);
	prctl(PR_SET_TIMERSLACK, 1UL);
	prctl(PR_SET_NAME, "lab-wire");
}

_Noreturn void wire_run(const struct wire *wire)
{
	struct pollfd arrival = { .fd = wire->rx_fd, .events = POLLIN };
	struct iovec frames[BATCH];
	size_t head = 0;
	unsigned count;
	int64_t wait, lead = 0;

	ask_for_precision();
	for (;;) {
		if (!is_filled(slot_at(wire, head))) {
			poll(&arrival, 1, -1);
			continue;
		}
		wait = wait_ns(wire, slot_at(wire, head), clock_ns(CLOCK_REALTIME));
		if (wait > 0)
			wait_punctually(wait, &lead);
		count = gather_due(wire, head, frames);
		send_frames(wire, frames, count);
		/* Release: our reads of a slot end before the kernel, seeing this, refills it. */
		for (unsigned i = 0; i < count; i++)
			__atomic_store_n(&slot_at(wire, head + i)->tp_status, TP_STATUS_KERNEL,
					 __ATOMIC_RELEASE);
		head = (head + count) % wire->slots;
	}
}

unsigned wire_drops(const struct wire *wire)
{
	struct tpacket_stats stats;
	socklen_t size = sizeof(stats);

	if (wire->rx_fd < 0 ||
	    getsockopt(wire->rx_fd, SOL_PACKET, PACKET_STATISTICS, &stats, &size))
		return 0;
	return stats.tp_drops;
}
