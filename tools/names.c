/* SPDX-License-Identifier: MIT */
#include "names.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include "../shim/config.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct counter totals[] = {
#define TOTAL(id, name, unit, help) { #name, unit, help, TOTAL_##id * sizeof(uint64_t) },
#include "../shim/stats.def"
};

static const struct counter globals[] = {
#define GLOBAL(id, name, unit, help) { #name, unit, help, GLOBAL_##id * sizeof(uint64_t) },
#include "../shim/stats.def"
};

static const struct counter sockets[] = {
#define SOCKET(name, unit, help) { #name, unit, help, offsetof(struct socket_row, name) },
#include "../shim/stats.def"
};

static const struct counter epolls[] = {
#define EPOLL(name, unit, help) { #name, unit, help, offsetof(struct epoll_row, name) },
#include "../shim/stats.def"
};

static const struct counter classes[] = {
#define CLASS(name, unit, help) { #name, unit, help, offsetof(struct class_row, name) },
#include "../shim/stats.def"
};

static const struct counter sites[] = {
#define SITE(name, unit, help) { #name, unit, help, offsetof(struct waste_site, name) },
#include "../shim/stats.def"
};

const struct scope_row names_scopes[SCOPE_COUNT] = {
	[SCOPE_TOTALS] = { "totals",
			   "sums over all threads of the process, also ended ones; each thread has "
			   "the same counters for itself",
			   totals, COUNT(totals) },
	[SCOPE_GLOBALS] = { "globals", "of the process as a whole", globals, COUNT(globals) },
	[SCOPE_SOCKETS] = { "sockets", "of one socket", sockets, COUNT(sockets) },
	[SCOPE_EPOLLS] = { "epolls", "of one epoll set", epolls, COUNT(epolls) },
	[SCOPE_CLASSES] = { "classes", "of one class of responses", classes, COUNT(classes) },
	[SCOPE_SITES] = { "sites", "of one call site that waits, reads or accepts for nothing", sites,
			  COUNT(sites) },
};

uint64_t names_cell(const struct counter *counter, const void *base)
{
	uint64_t value;

	memcpy(&value, (const char *)base + counter->offset, sizeof(value));
	return value;
}

static const char *word(const char *const *words, size_t count, uint32_t n)
{
	return n < count && words[n] ? words[n] : "unknown";
}

static const char *const reason_names[] = {
#define REASON(id, text) #id,
#include "../policy/reason.def"
};

const char *names_reason(uint32_t reason)
{
	/* The preprocessor cannot write small letters. */
	static char small[REASON_COUNT][32];
	const char *from = word(reason_names, COUNT(reason_names), reason);

	if (reason >= REASON_COUNT)
		return from;
	for (unsigned i = 0; from[i] && i + 1 < sizeof(small[0]); i++)
		small[reason][i] = (char)tolower((unsigned char)from[i]);
	return small[reason];
}

const char *names_reason_text(uint32_t reason)
{
	static const char *const texts[] = {
#define REASON(id, text) text,
#include "../policy/reason.def"
	};

	return word(texts, COUNT(texts), reason);
}

const char *names_strategy(uint32_t strategy)
{
	static const char *const texts[] = {
#define STRATEGY(id, text) text,
#include "../policy/strategy.def"
	};

	return word(texts, COUNT(texts), strategy);
}

const char *names_strategy_text(uint32_t strategy)
{
	static const char *const texts[] = {
		[STRATEGY_NONE] = "nothing is done",
		[STRATEGY_GROW] = ("the send buffer is raised, so that more of a response is handed "
				   "over at once"),
		[STRATEGY_SPIN] = "a stalled write is tried again in place, a bounded number of times",
		[STRATEGY_BLOCK] = "a stalled write waits inside the call until there is room",
		[STRATEGY_EXCLUSIVE] = ("one epoll set is woken per connection, instead of all that "
					"watch the listener"),
		[STRATEGY_MASK] = ("waits that would only say \"writable\" to a server with nothing to "
				   "write wait a little"),
		[STRATEGY_GATHER] = "the thread hands the processor on before it waits",
	};

	_Static_assert(COUNT(texts) == STRATEGY_COUNT, "a strategy without a meaning");
	return word(texts, COUNT(texts), strategy);
}

const char *names_row_state(uint32_t state)
{
	static const char *const words[] = { [ROW_FREE] = "free",
					     [ROW_CLAIMED] = "changing",
					     [ROW_OPEN] = "open",
					     [ROW_CLOSED] = "closed" };

	return word(words, COUNT(words), state);
}

const char *names_socket_kind(uint32_t kind)
{
	static const char *const words[] = { [SOCKET_KIND_TCP] = "tcp",
					     [SOCKET_KIND_UNIX] = "unix",
					     [SOCKET_KIND_MPTCP] = "mptcp",
					     [SOCKET_KIND_OTHER] = "other" };

	return word(words, COUNT(words), kind);
}

const char *names_thread_role(uint32_t role)
{
	static const char *const words[] = { [ROLE_REACTOR] = "reactor",
					     [ROLE_WORKER] = "worker",
					     [ROLE_CONNECTION] = "connection" };

	return word(words, COUNT(words), role);
}

const char *names_mode(uint32_t mode)
{
	static char text[32];

	config_word(config_rows[CONFIG_mode].words, mode, text, sizeof(text));
	return text[0] ? text : "unknown";
}

const char *names_unlock(uint32_t can_unlock)
{
	static const char *const words[] = { "not tried", "works", "does not work" };

	return word(words, COUNT(words), can_unlock);
}

const char *names_problem(uint32_t problem_kind)
{
	static const char *const words[] = { [PROBLEM_UNKNOWN_NAME] = "unknown_name",
					     [PROBLEM_BAD_VALUE] = "bad_value",
					     [PROBLEM_OUT_OF_RANGE] = "out_of_range" };

	return word(words, COUNT(words), problem_kind);
}

static void ipv6_address(const struct stats_addr *address, char *ret)
{
	char ip[INET6_ADDRSTRLEN] = "", scope[16] = "";

	inet_ntop(AF_INET6, address->ip, ip, sizeof(ip));
	if (address->scope)
		snprintf(scope, sizeof(scope), "%%%u", address->scope);
	snprintf(ret, NAMES_ADDRESS_MAX, "[%s%s]:%u", ip, scope, address->port);
}

void names_address(const struct stats_addr *address, char *ret)
{
	char ip[INET_ADDRSTRLEN] = "";

	switch (address->family) {
	case AF_UNSPEC:
		ret[0] = '\0';
		break;
	case AF_INET:
		inet_ntop(AF_INET, address->ip, ip, sizeof(ip));
		snprintf(ret, NAMES_ADDRESS_MAX, "%s:%u", ip, address->port);
		break;
	case AF_INET6:
		ipv6_address(address, ret);
		break;
	case AF_UNIX:
		snprintf(ret, NAMES_ADDRESS_MAX, "unix");
		break;
	default:
		snprintf(ret, NAMES_ADDRESS_MAX, "family %u", address->family);
	}
}

const char *names_program(const struct stats_header *header)
{
	const char *slash = strrchr(header->exe, '/');

	if (header->comm[0])
		return header->comm;
	return slash ? slash + 1 : header->exe;
}
