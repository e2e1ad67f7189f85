/* SPDX-License-Identifier: MIT */
/*
 * The settings `unspin run` hands to the program: profiles and --set, laid over the variables
 * already in the environment. Checked by the library's own parser (shim/config.c).
 */
#ifndef UNSPIN_PROFILE_H
#define UNSPIN_PROFILE_H

struct profile_row {
	const char *name, *help, *settings; /* "key=value key=value" */
};

extern const struct profile_row profile_rows[];
extern const unsigned profile_count;

/*
 * Sets the profile's variables that are not in the environment yet. -1 when there is no such
 * profile (said on stderr).
 */
int profile_apply(const char *name);

/* Sets one "key=value", whatever the environment says. -1 when it is not valid (said on stderr). */
int profile_set(const char *assignment);

/* Says on stderr which UNSPIN_* variables of the environment are not valid. */
void profile_complain_environment(void);

#endif
