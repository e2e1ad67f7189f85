/* SPDX-License-Identifier: MIT */
/*
 * it_filter PROGRAM ARGUMENTS: runs the program under a seccomp filter that answers EACCES to the
 * questions the library asks of the kernel, as memcached's drop_privileges does: getsockopt,
 * ppoll, getrusage, and setsockopt for the send buffer. What servers need themselves goes on.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define RETURN(value) BPF_STMT(BPF_RET | BPF_K, value)
#define REFUSED (SECCOMP_RET_ERRNO | EACCES)
/* Refuse when the loaded word equals value, else go on. */
#define REFUSE(value) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1), RETURN(REFUSED)

int main(int argc, char **argv)
{
	struct sock_filter filter[] = {
		LOAD(nr),
		REFUSE(SYS_getsockopt),
		REFUSE(SYS_ppoll),
		REFUSE(SYS_getrusage),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_setsockopt, 1, 0),
		RETURN(SECCOMP_RET_ALLOW),
		LOAD(args[2]), /* the option's number, of whichever level */
		REFUSE(SO_SNDBUF),
		REFUSE(SO_SNDBUFFORCE),
		REFUSE(72 /* SO_BUF_LOCK */),
		RETURN(SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(filter) / sizeof(filter[0]), filter };

	if (argc < 2)
		return 2;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) {
		perror("it_filter");
		return 77;
	}
	execvp(argv[1], argv + 1);
	perror(argv[1]);
	return 2;
}
