/* SPDX-License-Identifier: MIT */
/*
 * Life of pid 1 of the lab. It never execs: a parent-death signal would not survive every exec, and
 * pid 1 is also the keeper of the client's namespace, which exists as long as this process holds
 * its descriptor open.
 */
#ifndef LAB_INSIDE_H
#define LAB_INSIDE_H

#include "lab.h"

#include <signal.h>
#include <sys/types.h>

/* Hidden sub-command behind $LAB_CLIENT. */
#define INSIDE_CLIENT_COMMAND "--in-client"

struct inside_args {
	const struct lab_options *options;
	uid_t uid; /* who we were outside, for the identity map */
	gid_t gid;
	bool is_user_ns;       /* not privileged outside: in a user namespace now */
	int alive_fd;	       /* read end; end of file once the outer process is gone */
	sigset_t command_mask; /* signal mask the command shall start with */
};

/* Build the lab, run the command in it, exit with its status. Called in the new pid 1. */
_Noreturn void inside_run(struct inside_args *args);

/*
 * Become a command on the client. argv[0] is pid 1's descriptor of its namespace, the rest is the
 * command. Called anywhere inside; returns, with an exit status, on failure only.
 */
int inside_exec_client(char **argv);

#endif
