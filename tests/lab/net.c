/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE 1
#include "net.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* Fixed addresses and permanent neighbours: no ARP, which would cost the first packet a trip. */
#define MAC_SERVER_VETH "02:00:00:00:00:01"
#define MAC_CLIENT_VETH "02:00:00:00:00:02"
#define MAC_SERVER_DLY	"02:00:00:00:00:11"
#define MAC_CLIENT_DLY	"02:00:00:00:00:12"

void net_enter(int ns_fd)
{
	if (setns(ns_fd, CLONE_NEWNET))
		lab_fail("setns: %s", strerror(errno));
}

static int open_own_ns(void)
{
	int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		lab_fail("/proc/self/ns/net: %s", strerror(errno));
	return fd;
}

static int make_ns(void)
{
	if (unshare(CLONE_NEWNET))
		lab_fail("no network namespace: %s", strerror(errno));
	return open_own_ns();
}

/* Write a setting of the current namespace below /proc/sys/net. Returns 0 or -errno. */
static int set_sysctl(const char *name, const char *value)
{
	char path[128];
	int fd, ret = 0;

	snprintf(path, sizeof(path), "/proc/sys/net/%s", name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, value, strlen(value)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

static void require_sysctl(const char *name, const char *value)
{
	int err = set_sysctl(name, value);

	if (err)
		lab_fail("cannot set net/%s to '%s': %s", name, value, strerror(-err));
}

static void exec_ip(int script_fd, int errors_fd)
{
	char *argv[] = { "ip", "-batch", "-", NULL };

	dup2(script_fd, STDIN_FILENO);
	dup2(errors_fd, STDERR_FILENO);
	execvp("ip", argv);
	execv("/usr/sbin/ip", argv); /* not in the PATH of an ordinary user */
	execv("/sbin/ip", argv);
	dprintf(STDERR_FILENO, "ip(8) not found: %s", strerror(errno));
	_exit(127);
}

/*
 * Run ip(8) in the current namespace with a script; `what` it makes is for the message if it
 * fails. rtnetlink by hand would save some milliseconds per lab (all of it takes 25), for far more
 * lines.
 */
static void run_ip(const char *what, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void run_ip(const char *what, const char *format, ...)
{
	int script = memfd_create("script", MFD_CLOEXEC);
	int errors = memfd_create("errors", MFD_CLOEXEC);
	char line[200] = "";
	int status = -1;
	va_list args;
	pid_t pid;

	if (script < 0 || errors < 0)
		lab_fail("memfd_create: %s", strerror(errno));
	va_start(args, format);
	vdprintf(script, format, args);
	va_end(args);
	lseek(script, 0, SEEK_SET);

	pid = fork();
	if (pid == 0)
		exec_ip(script, errors);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status) {
		if (pread(errors, line, sizeof(line) - 1, 0) < 0)
			*line = 0;
		line[strcspn(line, "\n")] = 0;
		lab_fail("no %s: ip: %s (status 0x%x)", what, *line ? line : "failed",
			 (unsigned)status);
	}
	close(script);
	close(errors);
}

/*
 * veth leaves checksums and segmentation to a card that is not there. What crosses the wire is
 * copied as bytes, so here the stack must do both itself.
 */
static void refuse_offloads(const char *device)
{
	static const unsigned requests[] = {
		ETHTOOL_STSO,
		ETHTOOL_SGSO,
		ETHTOOL_STXCSUM,
		ETHTOOL_SSG,
	};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	for (size_t i = 0; i < sizeof(requests) / sizeof(*requests); i++) {
		struct ethtool_value value = { .cmd = requests[i], .data = 0 };
		struct ifreq request = { .ifr_data = (void *)&value };

		snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", device);
		if (ioctl(fd, SIOCETHTOOL, &request))
			lab_fail("cannot switch offload 0x%x of %s off: %s", requests[i], device,
				 strerror(errno));
	}
	close(fd);
}

/* Settings both hosts need before their interfaces exist. */
static void prepare_host(const struct lab_options *options)
{
	/* Packets arrive on dly0 from a host the route to which is veth0. */
	require_sysctl("ipv4/conf/all/rp_filter", "0");
	require_sysctl("ipv4/conf/default/rp_filter", "0");
	/* One run's path metrics must not become the next connection's start. */
	require_sysctl("ipv4/tcp_no_metrics_save", "1");
	/* No router solicitations; lo exists already and keeps ::1. Kernels without IPv6: fine. */
	set_sysctl("ipv6/conf/default/disable_ipv6", "1");
	/*
	 * Refused (EPERM) for algorithms that the real host does not list as allowed; that list is
	 * not ours to change. The routes' congctl attribute, below, has no such rule.
	 */
	set_sysctl("ipv4/tcp_congestion_control", options->cc);
}

static void set_buffers(const struct net *net, const struct lab_options *options)
{
	char triple[64];
	long bytes = options->client_rmem_bytes;

	if (options->server_wmem)
		require_sysctl("ipv4/tcp_wmem", options->server_wmem);
	if (!bytes)
		return;
	snprintf(triple, sizeof(triple), "%ld %ld %ld", bytes < 4096 ? bytes : 4096, bytes, bytes);
	net_enter(net->client_fd);
	require_sysctl("ipv4/tcp_rmem", triple);
	net_enter(net->server_fd);
}

static long read_number(const char *path)
{
	FILE *file = fopen(path, "re");
	long value = -1;

	if (!file)
		return -1;
	if (fscanf(file, "%ld", &value) != 1)
		value = -1;
	fclose(file);
	return value;
}

/*
 * net.core.wmem_max is one for the machine: other namespaces do not see it, or (measured on 6.18)
 * see it read-only. Changing it outside would change it for everybody, so the option can only
 * insist, except on a future kernel that lets a namespace have its own.
 */
static void check_wmem_max(long wanted)
{
	char text[32];

	if (!wanted || read_number("/proc/sys/net/core/wmem_max") == wanted)
		return;
	snprintf(text, sizeof(text), "%ld", wanted);
	if (set_sysctl("core/wmem_max", text))
		lab_fail("net.core.wmem_max is one for the whole machine, a lab cannot have %ld; "
			 "run 'sysctl net.core.wmem_max=%ld' outside",
			 wanted, wanted);
}

/* Routes of one host to itself and to the other, all with the wanted congestion control. */
static void add_routes(const char *own, const char *other, const char *device, const char *cc)
{
	char what[64];

	snprintf(what, sizeof(what), "routes with congestion control %s", cc);
	run_ip(what,
	       "route replace local 127.0.0.0/8 dev lo table local proto kernel scope host "
	       "src 127.0.0.1 congctl %s\n"
	       "route replace local 127.0.0.1 dev lo table local proto kernel scope host "
	       "src 127.0.0.1 congctl %s\n"
	       "route replace local %s dev veth0 table local proto kernel scope host "
	       "src %s congctl %s\n"
	       "route add %s/32 dev %s src %s congctl %s\n",
	       cc, cc, own, own, cc, other, device, own, cc);
}

static void add_wire(const struct net *net)
{
	net_enter(net->wire_fd);
	set_sysctl("ipv6/conf/default/disable_ipv6", "1");
	run_ip("wire",
	       "link add " NET_WIRE_FROM_CLIENT " type veth "
	       "peer name dly0 address " MAC_CLIENT_DLY " netns /proc/1/fd/%d\n"
	       "link add " NET_WIRE_TO_SERVER " type veth "
	       "peer name dly0 address " MAC_SERVER_DLY " netns /proc/1/fd/%d\n"
	       "link set " NET_WIRE_FROM_CLIENT " up\n"
	       "link set " NET_WIRE_TO_SERVER " up\n",
	       net->client_fd, net->server_fd);
	net_enter(net->client_fd);
	refuse_offloads("dly0");
	/* The wire changes no byte: the client addresses the frame to the server's interface. */
	run_ip("wire", "link set dly0 up\n"
		       "neigh replace " LAB_SERVER_ADDR " dev dly0 lladdr " MAC_SERVER_DLY "\n");
	net_enter(net->server_fd);
	run_ip("wire", "link set dly0 up\n");
}

void net_build(struct net *net, const struct lab_options *options)
{
	net->server_fd = open_own_ns();
	prepare_host(options);
	net->client_fd = make_ns();
	prepare_host(options);
	net->wire_fd = options->rtt_us ? make_ns() : -1;
	net_enter(net->server_fd);

	run_ip("link between the hosts",
	       "link set lo up\n"
	       "link add veth0 mtu 1500 address " MAC_SERVER_VETH " type veth "
	       "peer name veth0 mtu 1500 address " MAC_CLIENT_VETH " netns /proc/1/fd/%d\n"
	       "address add " LAB_SERVER_ADDR "/32 dev veth0\n"
	       "link set veth0 up\n"
	       "neigh replace " LAB_CLIENT_ADDR " dev veth0 lladdr " MAC_CLIENT_VETH "\n",
	       net->client_fd);
	net_enter(net->client_fd);
	run_ip("client address",
	       "link set lo up\n"
	       "address add " LAB_CLIENT_ADDR "/32 dev veth0\n"
	       "link set veth0 up\n"
	       "neigh replace " LAB_SERVER_ADDR " dev veth0 lladdr " MAC_SERVER_VETH "\n");
	net_enter(net->server_fd);
	if (options->rtt_us)
		add_wire(net);

	add_routes(LAB_SERVER_ADDR, LAB_CLIENT_ADDR, "veth0", options->cc);
	net_enter(net->client_fd);
	add_routes(LAB_CLIENT_ADDR, LAB_SERVER_ADDR, options->rtt_us ? "dly0" : "veth0",
		   options->cc);
	net_enter(net->server_fd);
	set_buffers(net, options);
	check_wmem_max(options->wmem_max_bytes);
}
