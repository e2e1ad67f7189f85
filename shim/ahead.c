/* SPDX-License-Identifier: MIT */
#include "ahead.h"

#include "action.h"
#include "classes.h"
#include "fdlock.h"
#include "guard.h"
#include "entry.h"
#include "kept.h"
#include "observe.h"
#include "retry.h"
#include "site.h"
#include "sys.h"

#include <limits.h>

_Static_assert(CLASS_CALLERS == SITE_CALLERS, "a class shows what its site knows");

int ahead_take_error(int fd)
{
	struct guard g = guard_enter();
	struct fdrec *rec = fdtable_find(fd);
	enum fd_kind kind = rec && fdrec_is_current(rec) ? fdrec_kind(rec) : FD_UNKNOWN;
	int error = kind == FD_QUIET || kind == FD_STALLED ? kept_take(fd, rec) : 0;

	guard_leave(g);
	return error;
}

/* The class of a response that begins with this write. */
static struct class_slot *class_of(const struct fdrec *rec, const struct request *q)
{
	struct site site = site_look(q->frame, q->site);
	struct class_key key = {
		.site = site.address,
		.port = rec->port,
		.bucket = q->kind == REQUEST_VECTOR ? 63 : class_bucket(q->asked),
		.path = site.path,
	};
	struct class_slot *slot = classes_get(&key);

	if (!slot && key.path) {
		key.path = 0;
		slot = classes_get(&key);
	}
	if (slot && key.path)
		classes_name(slot, site.caller);
	return slot;
}

void ahead_note_class(struct fdrec *rec, const struct request *q)
{
	struct class_slot *slot;

	if (!q->frame || (q->kind != REQUEST_VECTOR && q->asked < CLASS_MIN_BYTES))
		return;
	slot = class_of(rec, q);
	if (!slot || rec->class_slot == slot)
		return;
	rec->class_slot = slot;
	rec->socket->class_index = (uint32_t)(classes_row(slot) - stats.classes) + 1;
	count_add(&classes_row(slot)->sockets, 1);
	classes_publish(slot);
}

int ahead_look(struct request *q)
{
	struct guard g = guard_enter();
	struct fdrec *rec = observe_stream_record(q->fd, 0);
	uint64_t need = 0, by_length;
	int error = 0;

	if (!rec)
		goto out;
	entry_begin(rec);
	error = kept_take(q->fd, rec);
	if (error) {
		entry_leave(rec);
		goto out;
	}
	q->rec = rec;
	/* Not when only the thread is another one. */
	if (q->asked <= load_relaxed(&rec->room_bytes) || !fdrec_try_lock(rec))
		goto out;
	/* A stall under way is looked at after the call: there its cause is asked. And it stays of
	 * its class, wherever the host goes on from: what it does next is what the class learns. */
	if (spin_is_stalled(&rec->spin))
		goto unlock;
	action_came_back(rec); /* before the class changes */
	ahead_note_class(rec, q);
	by_length = request_bound(q);
	if (rec->class_slot)
		classes_need(rec->class_slot, by_length);
	if (rec->class_slot && load_relaxed(&rec->class_slot->memory.wants_growth))
		need = load_relaxed(&rec->class_slot->memory.need_bytes);
	if (by_length > need)
		need = by_length;
	action_ahead(q, rec, need, need > by_length);
unlock:
	fdrec_unlock(rec);
out:
	guard_leave(g);
	return error;
}
