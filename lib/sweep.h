/*
 * sweep.h: option sweep. All free memory that has pages is looked at: it must be zero, or something has written to it after it was
 * freed (P4).
 *
 * Other threads may be at work. A look at a slab holds its cache's stripe lock, so that no page of it goes away meanwhile; but
 * who owns a slab takes no lock, and may be about to zero what it has just freed, or to write to what it has just been
 * given. So what looks written is looked at again for a while, and must look so each time. In the child of a fork the slabs of
 * threads that are not there are left alone: their owners may have been in the middle of it.
 */
#ifndef TY_SWEEP_H
#define TY_SWEEP_H

/* With option sweep; else nothing. fn: whom to name. No lock held. */
void ty_sweep(const char *fn);

#endif
