/* SPDX-License-Identifier: MIT */
/*
 * The delay line: a one-way wire that takes as long as a round trip.
 *
 * Model: the kernel files each arriving frame, with its arrival time, into a ring shared with us
 * (AF_PACKET, TPACKET_V2). That ring *is* the delay line: a frame stays in its slot until arrival +
 * RTT, is sent from there, and the slot goes back to the kernel. Hence no second queue, no copy
 * between queues, no reordering, and a late look at the ring does not add to the delay, because the
 * due time follows from the kernel's clock and not from when we read. The process sleeps on the due
 * time of the oldest frame; what comes in meanwhile does not wake it.
 *
 * Loss: only when all slots are full. wire_drops() tells.
 */
#ifndef LAB_WIRE_H
#define LAB_WIRE_H

#include <stddef.h>
#include <stdint.h>

struct wire {
	int rx_fd; /* bound to the client's end, owns the ring */
	int tx_fd; /* bound to the server's end */
	uint8_t *ring;
	size_t slots; /* in the ring */
	int64_t delay_ns;
};

/* Open both ends in the current namespace, which holds the two devices. Fails by lab_fail(). */
void wire_open(struct wire *wire, const char *rx_device, const char *tx_device, long rtt_us);

/* Carry frames until killed. For a process of its own. */
_Noreturn void wire_run(const struct wire *wire);

/* Frames lost since the last call. An unopened wire (descriptors -1) loses none. */
unsigned wire_drops(const struct wire *wire);

#endif
