/* SPDX-License-Identifier: MIT */
/* Channels: what carries tokens. All is made before the first fork, so every process has both
 * ends under the same numbers. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "hunt.h"

int read_end[CHANNELS_MAX], write_end[CHANNELS_MAX];

static struct sockaddr_in address[CHANNELS_MAX];
static pid_t host;
static uint32_t answers_read[CHANNELS_MAX]; /* by the channel's one producer */

static void set_nonblocking(int fd)
{
	MUST(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == 0);
}

static int listen_anywhere(struct sockaddr_in *ret_address)
{
	socklen_t bytes = sizeof(*ret_address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*ret_address = (struct sockaddr_in){ .sin_family = AF_INET,
					     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	MUST(fd >= 0 && bind(fd, (struct sockaddr *)ret_address, bytes) == 0);
	MUST(listen(fd, 128) == 0);
	MUST(getsockname(fd, (struct sockaddr *)ret_address, &bytes) == 0);
	return fd;
}

static int dial(const struct sockaddr_in *to)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	MUST(fd >= 0 && connect(fd, (const struct sockaddr *)to, sizeof(*to)) == 0);
	return fd;
}

static void make(unsigned c)
{
	int pair[2] = { -1, -1 }, listener;
	struct sockaddr_in there;
	sigset_t signals;

	switch (plan.channel[c].kind) {
	case PIPE:
		MUST(pipe(pair) == 0);
		break;
	case UNIX_PAIR:
		MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
		break;
	case TCP:
		listener = listen_anywhere(&there);
		pair[1] = dial(&there);
		pair[0] = accept(listener, NULL, NULL);
		close(listener);
		break;
	case EVENT:
	case SEMAPHORE:
		pair[0] = pair[1] = eventfd(0, plan.channel[c].kind == EVENT ? 0 : EFD_SEMAPHORE);
		break;
	case TIMER:
		pair[0] = pair[1] = timerfd_create(CLOCK_MONOTONIC, 0);
		break;
	case SIGNAL:
		sigemptyset(&signals);
		sigaddset(&signals, SIGRTMIN);
		pair[0] = pair[1] = signalfd(-1, &signals, 0);
		break;
	case LISTENER:
		pair[0] = pair[1] = listen_anywhere(&address[c]);
		break;
	case KIND_COUNT:
		break;
	}
	MUST(pair[0] >= 0 && pair[1] >= 0);
	set_nonblocking(pair[0]);
	read_end[c] = pair[0];
	write_end[c] = pair[1];
}

void channels_make(void)
{
	host = getpid();
	for (unsigned c = 0; c < plan.channels; c++)
		make(c);
}

/* ---- producing -------------------------------------------------------------------------- */

/* Connections of a burst queue up together; then all of them are waited for. */
static void produce_connections(unsigned c, unsigned first, unsigned n)
{
	int fd[TOKENS_MAX];
	uint64_t token;
	char end;

	for (unsigned i = 0; i < n; i++) {
		token = (uint64_t)c << 32 | (first + i);
		fd[i] = dial(&address[c]);
		MUST(send(fd[i], &token, sizeof(token), 0) == sizeof(token));
	}
	for (unsigned i = 0; i < n; i++) {
		while (recv(fd[i], &end, 1, 0) < 0 && errno == EINTR)
			;
		close(fd[i]);
	}
}

static void arm_timer(int fd, uint64_t draw)
{
	struct itimerspec t = { .it_value.tv_nsec = 1 + (long)chance_below(draw, 2000000) };

	MUST(timerfd_settime(fd, 0, &t, NULL) == 0);
}

void channel_produce(unsigned c, unsigned burst)
{
	struct channel_state *state = &board->channel[c];
	uint32_t seq = get(&state->produced);
	uint64_t token = (uint64_t)c << 32 | seq, one = 1;

	/* A timer says only once that it is over; and nothing may ever be full. */
	while (seq - get(&state->consumed) >= (plan.channel[c].kind == TIMER ? 1 : 256))
		pause_us(50);
	add(&state->produced, plan.channel[c].kind == LISTENER ? burst : 1);
	add(&state->moved, 1);
	switch (plan.channel[c].kind) {
	case PIPE:
	case UNIX_PAIR:
	case TCP:
		MUST(write(write_end[c], &token, sizeof(token)) == sizeof(token));
		break;
	case EVENT:
	case SEMAPHORE:
		MUST(write(write_end[c], &one, sizeof(one)) == sizeof(one));
		break;
	case TIMER:
		arm_timer(write_end[c], chance(plan.seed, token));
		break;
	case SIGNAL:
		MUST(sigqueue(host, SIGRTMIN, (union sigval){ .sival_int = (int)seq }) == 0);
		break;
	case LISTENER:
		produce_connections(c, seq, burst);
		break;
	case KIND_COUNT:
		break;
	}
}

void channel_await_answers(unsigned c)
{
	uint32_t owed;
	char answers[256];
	ssize_t n;

	/* What is consumed is owed from then on. */
	while (get(&board->channel[c].consumed) < get(&board->channel[c].produced))
		pause_us(50);
	owed = get(&board->channel[c].owed);
	while (answers_read[c] < owed) {
		n = recv(write_end[c], answers, sizeof(answers), 0);
		if (n < 0 && errno == EINTR)
			continue;
		MUST(n > 0);
		answers_read[c] += (uint32_t)n;
	}
}

/* ---- consuming -------------------------------------------------------------------------- */

static void took(unsigned c, unsigned n)
{
	/* Owed first: nobody may see a token as done whose answer is still to come. */
	if (plan.channel[c].answer != NONE)
		add(&board->channel[c].owed, n);
	add(&board->channel[c].consumed, n);
	add(&board->channel[c].moved, 1);
	if (get(&board->channel[c].consumed) > get(&board->channel[c].produced))
		complain("twice", "channel %s: more tokens than were sent", plan_channel(c));
}

static void check(unsigned c, uint64_t token)
{
	uint32_t next = get(&board->channel[c].consumed);

	if (token != ((uint64_t)c << 32 | next))
		complain("order", "channel %s: token %#llx, wanted %u", plan_channel(c),
			 (unsigned long long)token, next);
}

static unsigned consume_stream(unsigned c, int is_all)
{
	uint64_t tokens[32];
	unsigned n = 0;
	ssize_t got;

	do {
		got = read(read_end[c], tokens, is_all ? sizeof(tokens) : sizeof(tokens[0]));
		MUST(got < 0 || (got > 0 && got % 8 == 0)); /* never full, so never cut */
		for (ssize_t i = 0; i < got / 8; i++) {
			check(c, tokens[i]);
			took(c, 1);
			n++;
		}
	} while (is_all && got > 0);
	MUST(got > 0 || errno == EAGAIN);
	return n;
}

static unsigned consume_count(unsigned c, int is_all)
{
	unsigned n = 0;
	uint64_t count;

	do {
		if (read(read_end[c], &count, sizeof(count)) != sizeof(count)) {
			MUST(errno == EAGAIN);
			break;
		}
		took(c, (unsigned)count);
		n += (unsigned)count;
	} while (is_all);
	return n;
}

static unsigned consume_signals(unsigned c, int is_all)
{
	struct signalfd_siginfo info;
	unsigned n = 0;

	do {
		if (read(read_end[c], &info, sizeof(info)) != sizeof(info)) {
			MUST(errno == EAGAIN);
			break;
		}
		check(c, (uint64_t)c << 32 | (uint32_t)info.ssi_int);
		took(c, 1);
		n++;
	} while (is_all);
	return n;
}

static unsigned consume_connections(unsigned c, int is_all)
{
	static const struct linger reset = { .l_onoff = 1 }; /* no TIME_WAIT: seeds are many */
	unsigned n = 0;
	uint64_t token, bit;
	int fd;

	do {
		fd = accept4(read_end[c], NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0) {
			MUST(errno == EAGAIN);
			break;
		}
		while (recv(fd, &token, sizeof(token), MSG_WAITALL) < 0 && errno == EINTR)
			;
		bit = 1ull << (token % 64);
		if (token >> 32 != c || (uint32_t)token >= TOKENS_MAX ||
		    __atomic_fetch_or(&board->channel[c].is_taken, bit, __ATOMIC_ACQ_REL) & bit)
			complain("twice", "channel %s: connection %#llx", plan_channel(c),
				 (unsigned long long)token);
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		close(fd);
		took(c, 1);
		n++;
	} while (is_all);
	return n;
}

unsigned channel_consume(unsigned c, int is_all)
{
	struct channel_state *state = &board->channel[c];
	unsigned n;

	/* Several may be told of one token: in order means one after the other. Listeners are not
	 * locked: two accepts at once are what a herd is. */
	if (plan.channel[c].kind == LISTENER)
		return consume_connections(c, is_all);
	lock(&state->lock);
	if (plan.channel[c].kind == SIGNAL)
		n = consume_signals(c, is_all);
	else if (plan.channel[c].kind <= TCP)
		n = consume_stream(c, is_all);
	else
		n = consume_count(c, is_all);
	unlock(&state->lock);
	return n;
}

void channel_answer(unsigned c)
{
	struct channel_state *state = &board->channel[c];
	static const char answers[512];
	uint32_t n = get(&state->owed) - get(&state->acked);

	if (!n)
		return;
	MUST(send(read_end[c], answers, n, 0) == (ssize_t)n);
	add(&state->acked, n);
	add(&state->moved, 1);
}
