/* SPDX-License-Identifier: MIT */
/* Words about the options of shim/config.def: their values, their limits, their mistypings. */
#ifndef UNSPIN_SETTINGS_H
#define UNSPIN_SETTINGS_H

#include <stdint.h>
#include "../shim/config.h"

/* Room for any of the texts below. */
#define SETTINGS_TEXT_MAX (STATS_DIR_MAX + 64)

/* A value in the words `--set` accepts: "grow", "1", "16777216". For a path: `path`. */
void settings_value(enum config_option option, uint64_t value, const char *path, char *ret);

/* What the option accepts: "auto|off|grow", "65536..1073741824 bytes", "an absolute path". */
void settings_allowed(enum config_option option, char *ret);

/* The default in words people read: "auto", "16777216 bytes (16m)", "not set". */
void settings_default(enum config_option option, char *ret);

/* The option with this key or variable ("sndbuf_max", "UNSPIN_SNDBUF_MAX"; length bytes), or -1. */
int settings_find(const char *name, size_t length);

/* Nearest valid names of a mistyped one. */
const char *settings_nearest_key(const char *key);
const char *settings_nearest_env(const char *env);

/* What to say after "did you mean": a name for an unknown name, else what is accepted. */
void settings_did_you_mean(const struct config_problem *problem, char *ret);

/* A whole sentence about a setting that was not taken. `ret` has SETTINGS_SENTENCE_MAX bytes. */
#define SETTINGS_SENTENCE_MAX (SETTINGS_TEXT_MAX + 256)
void settings_complaint(const struct config_problem *problem, char *ret);

#endif
