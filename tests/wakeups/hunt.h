/* SPDX-License-Identifier: MIT */
/*
 * The hunt for lost wake-ups: a seed makes a world of descriptors, epoll sets, consumers and
 * producers (hunt_plan.c). Producers put numbered tokens into channels, consumers wait for them in
 * every way Linux has. Each token must be taken once, in order, soon.
 *
 * Two processes know the plan: the judge, never under the library, and the host with its threads
 * and children. They share the board; what is on it is all the judge sees.
 */
#ifndef WAKEUPS_HUNT_H
#define WAKEUPS_HUNT_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/types.h>

#include "../differential/chance.h"

#define CHANNELS_MAX  10
#define SETS_MAX      8
#define CONSUMERS_MAX 8
#define PRODUCERS_MAX 4
#define REGS_MAX      48
#define TOKENS_MAX    64
#define BOARD_FD      900

#define MUST(x) ((x) ? (void)0 : must_failed(#x, __FILE__, __LINE__))

enum kind { PIPE, UNIX_PAIR, TCP, EVENT, SEMAPHORE, TIMER, SIGNAL, LISTENER, KIND_COUNT };
enum style { LEVEL, EDGE, ONESHOT, EXCLUSIVE, STYLE_COUNT };
enum wait_kind { EPOLL_WAIT, EPOLL_PWAIT, EPOLL_PWAIT2, POLL_SET, POLL, PPOLL, SELECT, WAIT_COUNT };
enum patience { LOOK, ONE_MS, FOR_EVER };
enum leaving { STAYS, UNREGISTERS, DISARMS, CLOSES_SET };

/* What the consumer answers a token with, when EPOLLOUT comes. */
enum answer { NONE, ARMED /* by MOD when one is owed */, LEFT /* EPOLLOUT is always armed */ };

struct channel_plan {
	enum kind kind;
	enum answer answer;
	uint8_t is_handed; /* LEFT: answers are owed by a flag, without a token, too */
	uint8_t is_single; /* one registration, one consumer: an event must find something */
	uint8_t producer;
	uint16_t tokens;
};

struct reg_plan {
	uint8_t channel, set;
	enum style style;
	uint8_t is_dup;	   /* by a number of its own */
	uint8_t data_kind; /* what the host's data looks like */
};

struct set_plan {
	int8_t inside; /* the set it is registered in; -1: none */
	int8_t owner;  /* the consumer process that makes it after its fork; -1: made before */
};

struct consumer_plan {
	uint8_t is_process;
	int8_t set; /* -1: polls the channels of polled[] */
	enum wait_kind wait;
	enum patience patience;
	uint8_t room;	      /* events per wait */
	uint8_t is_slow;      /* pauses before it takes what it was told of */
	uint8_t is_churning;  /* registers anew at times */
	enum leaving leaving; /* at a listener's event, once */
	uint16_t polled;      /* bits of channels */
};

struct plan {
	uint64_t seed;
	unsigned channels, sets, regs, consumers, producers;
	uint8_t is_plain;    /* one thread, one set, all level-triggered */
	uint8_t has_churner; /* a thread that changes registrations of sets made before */
	uint16_t quiet_ms;   /* at the end nothing happens for so long */
	uint8_t has_signals; /* a thread that sends SIGUSR1 */
	uint8_t is_process[PRODUCERS_MAX];
	struct channel_plan channel[CHANNELS_MAX];
	struct set_plan set[SETS_MAX];
	struct reg_plan reg[REGS_MAX];
	struct consumer_plan consumer[CONSUMERS_MAX];
};

/* consumed <= produced <= tokens; owed counts up by tokens and by hands, acked follows. */
struct channel_state {
	uint32_t lock;
	uint32_t produced, consumed, owed, acked;
	uint32_t moved;	   /* any change: the judge's clock starts anew */
	uint64_t is_taken; /* listener: bit per token */
};

struct consumer_state {
	uint32_t waits, events, is_waiting, has_left, has_ended;
};

struct board {
	uint32_t is_over; /* every token was taken: the bells ring */
	uint32_t complaints;
	char complaint[8][200];
	uint32_t reg_lock[REGS_MAX];
	struct channel_state channel[CHANNELS_MAX];
	struct consumer_state consumer[CONSUMERS_MAX];
};

extern struct plan plan;
extern struct board *board;

/* hunt_plan.c */
void plan_make(uint64_t seed);
void plan_describe(FILE *out);
const char *plan_channel(unsigned c);

/* hunt_channel.c */
extern int read_end[CHANNELS_MAX], write_end[CHANNELS_MAX];
void channels_make(void);
void channel_produce(unsigned c, unsigned burst); /* one token, or a burst of connections */
unsigned channel_consume(unsigned c, int is_all); /* how many tokens were taken */
void channel_answer(unsigned c);		  /* EPOLLOUT has come */
void channel_await_answers(unsigned c);

/* hunt_register.c */
extern int set_fd[SETS_MAX], bell;
void sets_make(int owner); /* those of this consumer process; -1: those made before the fork */
int reg_of(unsigned set, uint64_t data); /* >= 0 a registration; BELL, or INNER - set; WRONG */
uint32_t reg_mask(const struct reg_plan *r);
void reg_rearm(unsigned r);
void reg_churn(unsigned set, uint64_t draw);
void reg_leave(unsigned r, enum leaving how);
enum { BELL = -1, WRONG = -2, INNER = -10 };

/* hunt_consumer.c, hunt_producer.c, hunt_host.c */
void consume(unsigned consumer);
void produce(unsigned producer);
void churn(void);
void disturb(void);
_Noreturn void host_main(uint64_t seed);

/* For everybody. */
void complain(const char *rule, const char *format, ...) __attribute__((format(printf, 2, 3)));
_Noreturn void must_failed(const char *what, const char *file, int line);
uint64_t now_ns(void);
void pause_us(unsigned us); /* not a wait the library wraps */

/* Between processes, for moments: the holder is never in a wait. */
void lock(uint32_t *word);

static inline void unlock(uint32_t *word)
{
	__atomic_store_n(word, 0, __ATOMIC_RELEASE);
}

static inline uint32_t get(const uint32_t *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static inline void put(uint32_t *p, uint32_t v)
{
	__atomic_store_n(p, v, __ATOMIC_RELEASE);
}

static inline void add(uint32_t *p, uint32_t n)
{
	__atomic_add_fetch(p, n, __ATOMIC_ACQ_REL);
}

#endif
