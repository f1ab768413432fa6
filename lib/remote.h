/*
 * remote.h: slots that other threads free. slab.h says why no such free is lost or believed twice.
 *
 *   thread cache: pending --> slab --pending--> slab --pending--> TY_PENDING_END
 *
 * A freer that has set a remote bit pushes the slab on its owner's stack, unless it is on one; the owner empties the
 * stack when it looks for free slots, and when it frees slowly itself.
 */
#ifndef TY_REMOTE_H
#define TY_REMOTE_H

#include "tcache.h"

/* After a remote bit of s was set: make sure that somebody collects it. By whoever does not own s. */
void ty_remote_notify(struct ty_slab *s);
/* Collect what others have freed for this thread. The stack becomes `with`: 0, or TY_PENDING_CLOSED at the thread's end. */
void ty_remote_drain(struct ty_tcache *tc, u32 with);

#endif
